"""`map_requests`: rows in, results out, with bounded concurrency and memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from pydantic_llm.exceptions import AuthenticationError, ModelConnectionError, UnexpectedModelBehavior, UserError
from pydantic_llm.many import MapResult, map_requests
from pydantic_llm.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.models.test import TestModel


def read_prompt(messages: list[ModelMessage]) -> str:
    parts = [part for message in messages for part in message.parts if isinstance(part, UserPromptPart)]
    return str(parts[-1].content)


class Echo:
    """A model that repeats its prompt, and counts what is under way."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.under_way = 0
        self.most = 0
        self.model = FunctionModel(self.respond)

    async def respond(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        prompt = read_prompt(messages)
        self.prompts.append(prompt)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            for _ in range(hash(prompt) % 7):
                await asyncio.sleep(0)
        finally:
            self.under_way -= 1
        if prompt.startswith('broken'):
            raise ModelConnectionError('echo', 'the connection broke')
        if prompt.startswith('no key'):
            raise AuthenticationError(401, 'echo', message='the key is wrong')
        return ModelResponse([TextPart(prompt)])


async def collect(rows: Any, *, model: Any = None, **options: Any) -> list[MapResult[Any]]:
    return [result async for result in map_requests(model or Echo().model, rows, **options)]


async def collect_until_error(results: AsyncIterator[MapResult[Any]]) -> tuple[list[MapResult[Any]], Exception | None]:
    found: list[MapResult[Any]] = []
    try:
        async for result in results:
            found.append(result)  # noqa: PERF401 -- what came before the error
    except Exception as error:  # noqa: BLE001 -- returned
        return found, error
    return found, None


async def test_the_fields_of_a_row_are_put_into_the_prompt() -> None:
    rows = [{'text': 'ab', 'user': {'name': 'Li'}, 'n': 3, 'tags': ['x', 'ü']}]
    [result] = await collect(rows, prompt='{{{text}}} {user.name} {n} {tags}')
    assert (result.index, result.row, result.output) == (0, rows[0], '{ab} Li 3 ["x","ü"]')


async def test_a_field_may_have_any_name_and_a_value_that_json_has_as_text() -> None:
    row = {'dc:title': date(2024, 2, 29), 'a!b': Decimal('1.50'), 'first name': timedelta(seconds=90), 'x[0]': True}
    [result] = await collect([row], prompt='{dc:title}, {a!b}, {first name}, {x[0]}')
    assert result.output == '2024-02-29, 1.50, PT1M30S, true'


async def test_a_row_can_be_a_text_a_request_or_a_conversation() -> None:
    request = ModelRequest.user_text_prompt('two')
    rows = ['one', request, [ModelRequest.user_text_prompt('three'), ModelResponse([TextPart('x')]), request]]
    assert [result.output for result in await collect(rows)] == ['one', 'two', 'two']


async def test_results_come_in_the_order_of_rows_and_each_row_has_one() -> None:
    rows = [str(number) for number in range(500)]
    echo = Echo()
    results = await collect(rows, model=echo.model, concurrency=8)
    assert [result.output for result in results] == rows
    assert echo.most == 8


async def test_unordered_results_come_as_they_are_completed() -> None:
    first = asyncio.Event()

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if read_prompt(messages) == 'a':
            await first.wait()
        return ModelResponse([TextPart('x')])

    order: list[int] = []
    async for result in map_requests(FunctionModel(respond), ['a', 'b', 'c'], ordered=False):
        order.append(result.index)
        if len(order) == 2:
            first.set()
    assert (sorted(order), order[-1]) == ([0, 1, 2], 0)


@pytest.mark.parametrize('ordered', [True, False])
async def test_rows_are_taken_only_as_far_as_results_are_read(ordered: bool) -> None:
    taken = 0

    def count() -> Iterator[str]:
        nonlocal taken
        for number in range(10_000):
            taken += 1
            yield str(number)

    async with aclosing(map_requests(TestModel(), count(), concurrency=4, ordered=ordered)) as results:
        for read in range(1, 50):
            await anext(results)
            await asyncio.sleep(0)
            assert taken <= read + 16


async def test_rows_can_come_from_an_asynchronous_iterator() -> None:
    async def rows() -> AsyncIterator[str]:
        for number in range(20):
            await asyncio.sleep(0)
            yield str(number)

    assert [result.output for result in await collect(rows())] == [str(number) for number in range(20)]


async def test_a_row_that_fails_has_a_typed_error_and_the_others_go_on() -> None:
    results = await collect(['a', 'broken', 'b'])
    assert [result.output for result in results] == ['a', None, 'b']
    error = results[1].error
    assert error is not None
    assert (error.type, error.message, error.retryable) == ('ModelConnectionError', 'the connection broke', True)
    with pytest.raises(ModelConnectionError):
        results[1].get_output()


async def test_an_error_that_every_row_would_get_is_raised_after_the_results_under_way() -> None:
    rows = ['a', 'no key', 'b', *'c' * 1000]
    results, error = await collect_until_error(map_requests(Echo().model, rows, concurrency=3))
    assert isinstance(error, AuthenticationError)
    assert 1 <= len(results) < 20


async def test_an_error_of_the_rows_is_raised_after_the_results_under_way() -> None:
    def rows() -> Iterator[str]:
        yield from 'ab'
        raise ValueError('the rows end here')

    results, error = await collect_until_error(map_requests(Echo().model, rows()))
    assert str(error) == 'the rows end here'
    assert [result.output for result in results] == ['a', 'b']


async def test_leaving_the_loop_cancels_the_requests_under_way() -> None:
    echo = Echo()
    async with aclosing(map_requests(echo.model, map(str, range(10_000)), concurrency=4)) as results:
        await anext(results)
    sent = len(echo.prompts)
    await asyncio.sleep(0.01)
    assert (echo.under_way, len(echo.prompts)) == (0, sent)


class City(BaseModel):
    name: str
    inhabitants: int


async def test_a_structured_output_is_validated_and_corrected_by_the_model() -> None:
    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        from pydantic_llm.messages import ToolCallPart

        number = 'many' if len(messages) == 1 else 7
        return ModelResponse([ToolCallPart(info.output_tools[0].name, {'name': 'Ulm', 'inhabitants': number})])

    [result] = await collect(['Ulm'], model=FunctionModel(respond), output_type=City)
    assert result.output == City(name='Ulm', inhabitants=7)
    assert (len(result.responses), result.usage.requests) == (2, 2)


async def test_an_output_that_stays_invalid_is_the_error_of_its_row_with_the_tokens_it_took() -> None:
    [result] = await collect(['Ulm'], model=Echo().model, output_type=City)
    assert result.error is not None
    assert (result.error.type, result.error.retryable) == (UnexpectedModelBehavior.__name__, True)
    assert len(result.responses) == 2
    assert result.usage.output_tokens > 0


@pytest.mark.parametrize(
    ('rows', 'options', 'message'),
    [
        ('abc', {}, 'rows takes a list of rows'),
        ([1], {}, r'rows\[0\] takes a text, a dict'),
        ([{'a': 1}], {'prompt': '{b}'}, r"rows\[0\]: the field 'b' of the prompt is missing \(there are 'a'\)"),
        ([{'a': None}], {'prompt': '{a}'}, r"rows\[0\]: the field 'a' of the prompt is null"),
        (['a'], {'prompt': '{'}, 'is not a template'),
        (['a'], {'prompt': '{}'}, 'names no field'),
        ([{'a': 'x'}], {'prompt': '{a:>10}'}, r"the field 'a:>10' of the prompt is missing \(there are 'a'\)"),
        (['a'], {'checkpoint': ''}, r"'\.' is a folder"),
        (['a'], {'checkpoint': 'no/such/a.jsonl'}, "there is no folder 'no/such'"),
        (['a'], {'concurrency': 0}, 'concurrency is 0'),
        (['a'], {'ordered': 1}, 'ordered is 1'),
        (['a'], {'model_settings': {'temperature': 'hot'}}, "temperature is 'hot'"),
        (['a'], {'engine': 'spark'}, 'engine takes'),
        (['a'], {'checkpoint': 3}, 'checkpoint takes a path'),
        ([{'prompt': 'a', 'f': 3}], {'attachments': 'f'}, r"rows\[0\]: 'f' takes a path"),
        ([{'prompt': 'a', 'f': 'no.png'}], {'attachments': 'f'}, r"rows\[0\]: 'no.png' cannot be read"),
    ],
)
async def test_a_mistake_of_the_caller_is_one_sentence_before_anything_is_sent(
    rows: Any, options: Any, message: str, tmp_path: Path
) -> None:
    echo = Echo()
    for more in ({}, {'checkpoint': tmp_path / 'c'}):
        with pytest.raises(UserError, match=message):
            await collect(rows, model=echo.model, **{**more, **options})
    assert echo.prompts == []
    assert os.listdir(tmp_path) == []  # noqa: PTH208 -- blocks as little as a path does


async def test_a_later_row_that_cannot_be_sent_fails_alone() -> None:
    results = await collect([{'prompt': 'a'}, {'text': 'b'}, {'prompt': 'c'}])
    assert [result.error and result.error.type for result in results] == [None, 'UserError', None]


async def test_a_model_is_built_from_a_name_or_by_a_function_and_closed() -> None:
    closed: list[str] = []

    class Closing(TestModel):
        async def aclose(self) -> None:
            closed.append('yes')

    def make() -> TestModel:
        return Closing()

    assert [result.output for result in await collect(['a'], model=make)] == ['success (no tool calls)']
    assert [result.output for result in await collect(['a'], model='test')] == ['success (no tool calls)']
    assert closed == ['yes']
