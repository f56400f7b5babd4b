"""One request to a model, without an agent."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import CancelledError as FutureCancelledError
from contextlib import suppress
from typing import Any

import pytest

from pydantic_llm import ModelRequest, ModelRequestParameters, UserError
from pydantic_llm.direct import model_request, model_request_stream, model_request_stream_sync, model_request_sync
from pydantic_llm.messages import FinalResultEvent, PartEndEvent, PartStartEvent, TextPart, UserPromptPart
from tests.agent.scripted import Scripted, outline

CONVERSATION = [ModelRequest([UserPromptPart('Hello')])]
FORMS: list[Any] = ['Hello', ModelRequest([UserPromptPart('Hello')]), CONVERSATION]


@pytest.mark.parametrize('messages', FORMS, ids=['text', 'request', 'conversation'])
async def test_a_request_accepts_all_forms_of_messages(messages: Any) -> None:
    model, parameters = Scripted('Hi'), ModelRequestParameters(allow_text_output=True)
    response = await model_request(model, messages, model_settings={'seed': 1}, model_request_parameters=parameters)
    assert response.parts == [TextPart('Hi')]
    [request] = model.requests
    assert outline(request.messages) == [[('user', 'Hello')]]
    assert (request.settings, request.parameters) == ({'seed': 1}, parameters)
    assert not model.closed


async def test_a_model_can_be_named() -> None:
    assert (await model_request('test', 'Hello')).provider_name == 'test'
    with pytest.raises(UserError, match='nosuchvendor'):
        await model_request('nosuchvendor:x', 'Hello')


async def test_a_response_is_streamed_as_it_is_written() -> None:
    model = Scripted('Hi there')
    async with model_request_stream(model, 'Hello', model_settings={'seed': 1}) as stream:
        events = [event async for event in stream]
    assert events[:2] == [PartStartEvent(0, TextPart('Hi')), FinalResultEvent()]
    assert events[-1] == PartEndEvent(0, TextPart('Hi there'))
    assert stream.get().text == 'Hi there'
    assert model.requests[0].settings == {'seed': 1}


async def test_leaving_the_block_closes_the_stream() -> None:
    model = Scripted(' '.join(['word'] * 100))
    async with model_request_stream(model, 'Hello') as stream:
        await anext(stream)
    assert stream.get().state == 'interrupted'


def test_a_request_works_without_awaiting() -> None:
    assert model_request_sync(Scripted('Hi'), 'Hello').text == 'Hi'


async def test_a_request_without_awaiting_works_inside_a_running_loop() -> None:
    assert model_request_sync('test', 'Hello', model_settings={'seed': 1}).provider_name == 'test'


def test_a_stream_works_without_awaiting() -> None:
    with model_request_stream_sync(Scripted('Hi there'), 'Hello') as stream:
        events = list(stream)
        assert (stream.model_name, stream.provider_name, stream.cancelled) == ('scripted', None, False)
    assert len(events) == 4
    assert (stream.get().text, stream.usage().output_tokens) == ('Hi there', 5)


async def test_a_stream_without_awaiting_works_inside_a_running_loop() -> None:
    with model_request_stream_sync(Scripted('Hi there'), 'Hello') as stream:
        assert len(list(stream)) == 4


def test_leaving_the_block_without_awaiting_closes_the_stream() -> None:
    with model_request_stream_sync(Scripted(' '.join(['word'] * 100)), 'Hello') as stream:
        next(iter(stream))
    assert stream.get().state == 'interrupted'
    with pytest.raises(UserError, match='The stream is closed'):
        next(iter(stream))


def read_until_closed(stream: Any) -> None:
    with suppress(UserError, asyncio.CancelledError, FutureCancelledError):
        list(stream)


def test_an_iterator_that_is_kept_alone_keeps_its_stream_open() -> None:
    def start() -> Any:
        stream = model_request_stream_sync(Scripted('a b c d'), 'Hello')
        return iter(stream.__enter__())

    events = start()
    gc.collect()
    assert len(list(events)) == 6


def test_a_stream_that_another_thread_closes_fails_a_waiting_reader() -> None:
    for _ in range(20):
        with model_request_stream_sync(Scripted(' '.join(['word'] * 100)), 'Hello') as stream:
            reader = threading.Thread(target=read_until_closed, args=(stream,))
            reader.start()
        reader.join(5)
        assert not reader.is_alive()


def test_a_stream_can_be_cancelled() -> None:
    with model_request_stream_sync(Scripted(' '.join(['word'] * 100)), 'Hello') as stream:
        stream.cancel()
        assert stream.cancelled
        assert list(stream) == []


def test_a_stream_must_be_used_in_a_block() -> None:
    stream = model_request_stream_sync(Scripted('Hi'), 'Hello')
    with pytest.raises(UserError, match='Use the stream in a block'):
        list(stream)


def test_errors_of_the_request_are_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        model_request_sync(Scripted(ZeroDivisionError()), 'Hello')
    with pytest.raises(ZeroDivisionError), model_request_stream_sync(Scripted(ZeroDivisionError()), 'Hello'):
        pytest.fail('never entered')


def test_everything_of_a_stream_happens_in_one_task() -> None:
    tasks: set[Any] = set()

    class Watching(Scripted):
        def request_stream(self, *args: Any) -> Any:
            manager = super().request_stream(*args)
            enter, leave = type(manager).__aenter__, type(manager).__aexit__

            class Watched:
                async def __aenter__(self) -> Any:
                    tasks.add(asyncio.current_task())
                    return await enter(manager)

                async def __aexit__(self, *args: Any) -> Any:
                    tasks.add(asyncio.current_task())
                    return await leave(manager, *args)

            return Watched()

    with model_request_stream_sync(Watching('Hi there'), 'Hello') as stream:
        list(stream)
    assert len(tasks) == 1
