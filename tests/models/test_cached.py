"""A request that was answered before is answered from the cache, whole and streamed, in every room."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest

from pydantic_llm import Agent, CachedModel, UsageLimits
from pydantic_llm.exceptions import ModelHTTPError, UnknownSettingWarning, UsageLimitExceeded, UserError
from pydantic_llm.messages import (
    BinaryContent,
    FilePart,
    FromCache,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    NativeToolCallPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from pydantic_llm.models import Model, ModelRequestParameters, override_allow_model_requests
from pydantic_llm.models.cached import CachedModelSettings, CacheMissError, MemoryCache
from pydantic_llm.models.concurrency import ConcurrencyLimitedModel
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.function import FunctionModel
from pydantic_llm.models.openai import OpenAIModel
from pydantic_llm.models.rate_limit import RateLimitedModel
from pydantic_llm.models.router import RouterModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.observers import CacheHit, listen
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.settings import ModelSettings
from pydantic_llm.usage import RequestUsage
from tests.faults.test_faults import respond_without_fault
from tests.faults.vendors import VENDORS, Vendor
from tests.models.scripted import Scripted, Step, overloaded
from tests.transport.server import Exchange, Server, send_completion

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('Hello?')]


async def ask(
    model: Model, settings: Any = None, *, stream: bool = False, messages: Sequence[ModelMessage] = HELLO
) -> ModelResponse:
    if not stream:
        return await model.request(messages, settings)
    response, _ = await read(model, settings)
    return response


async def read(model: Model, settings: Any = None) -> tuple[ModelResponse, list[Any]]:
    async with model.request_stream(HELLO, settings) as stream:
        events = [event async for event in stream]
        return stream.get(), events


def without_marks(response: ModelResponse) -> ModelResponse:
    return replace(response, usage=RequestUsage(), from_cache=None, headers=None)


# ---------------------------------------------------------------------- a hit


@pytest.mark.parametrize('again', [False, True], ids=['whole', 'streamed'])
@pytest.mark.parametrize('first', [False, True], ids=['whole-first', 'streamed-first'])
async def test_the_same_request_is_sent_once(first: bool, again: bool) -> None:
    inner = Scripted('a', ['Hel', 'lo!'], usage=5)
    model = CachedModel(inner)
    sent = await ask(model, stream=first)
    found = await ask(model, stream=again)
    assert len(inner.requests) == 1
    assert sent.from_cache is None
    assert sent.usage == RequestUsage(input_tokens=5, output_tokens=5)
    assert found.usage == RequestUsage()
    assert found.from_cache is not None
    assert found.from_cache.usage == sent.usage
    assert 0 <= found.from_cache.age_seconds < 5
    assert without_marks(found) == without_marks(sent)
    assert found.timestamp == sent.timestamp
    await ask(model, stream=again, messages=[ModelRequest.user_text_prompt('Another')])


@pytest.mark.parametrize('vendor', VENDORS, ids=repr)
async def test_a_hit_is_the_response_of_every_vendor(vendor: Vendor) -> None:
    number = 0

    async def answer(exchange: Exchange) -> None:
        nonlocal number
        number += 1
        await respond_without_fault(exchange, vendor)

    async with Server(answer).run() as server:
        model = CachedModel(vendor.make(server.url))
        sent, events = await read(model)
        found, replayed = await read(model)
        whole = await model.request(HELLO)
        await model.aclose()
    assert number == 1
    assert without_marks(found) == without_marks(whole) == without_marks(sent)
    assert apply(replayed) == apply(events) == sent.parts
    assert [type(event) for event in replayed].count(type(events[1])) > 0
    assert whole.from_cache is not None
    assert whole.from_cache.usage == sent.usage


def apply(events: Sequence[Any]) -> list[ModelResponsePart]:
    """Return the parts that the events make."""
    parts: dict[int, ModelResponsePart] = {}
    for event in events:
        if event.event_kind == 'part_start':
            parts[event.index] = event.part
        elif event.event_kind == 'part_delta':
            parts[event.index] = event.delta.apply(parts[event.index])
    return [*parts.values()]


async def test_a_streamed_hit_has_the_events_of_the_first_stream() -> None:
    model = CachedModel(Scripted('a', [('think', 'Hm'), ('think', 'm'), 'Hel', 'lo!', ('call', 'x'), ('call', 'y')]))
    sent, events = await read(model)
    found, replayed = await read(model)
    assert replayed == events
    assert [*found.parts] == [*sent.parts]


@pytest.mark.parametrize(
    'part',
    [
        TextPart('Hällo 🎉', id='x', provider_name='v', provider_details={'logprobs': [{'logprob': -0.5}]}),
        ThinkingPart('', signature='sig', provider_name='v'),
        ToolCallPart('look', {'a': [1, None]}, 'id-1'),
        ToolCallPart('look', '{"a": broken', 'id-1'),
        FilePart(BinaryContent(b'\x89PNG\x00\xff', media_type='image/png')),
    ],
    ids=lambda part: type(part).__name__,
)
async def test_every_kind_of_part_is_the_same_from_the_cache(part: ModelResponsePart) -> None:
    response = ModelResponse([TextPart('First'), part], finish_reason='stop', provider_details={'x': {'y': [1.5]}})
    model = CachedModel(FunctionModel(lambda messages, info: response))
    first, again = await model.request(HELLO), await model.request(HELLO)
    assert again.from_cache is not None
    assert without_marks(again) == without_marks(first)
    assert again.parts[1] is not first.parts[1]


async def test_a_hit_is_a_value_of_its_own() -> None:
    model = CachedModel(Scripted('a'))
    await model.request(HELLO)
    changed: Any = await model.request(HELLO)
    changed.parts[0].content = 'changed'
    assert (await model.request(HELLO)).text == 'Hi'


async def test_observers_learn_of_a_hit() -> None:
    model = CachedModel(Scripted('a'))
    events: list[object] = []
    with listen(events.append):
        await ask(model)
        assert events == []
        await ask(model)
        await ask(model, stream=True)
    assert [type(event) for event in events] == [CacheHit, CacheHit]
    assert all(0 <= event.age_seconds < 5 for event in events if isinstance(event, CacheHit))


async def test_a_hit_needs_no_network() -> None:
    async with Server(send_completion).run() as server:
        model = CachedModel(
            OpenAIModel('gpt-4o', provider=OpenAIProvider(api_key='k', base_url=server.url)),
        )
        await model.request(HELLO)
        await model.aclose()
    with override_allow_model_requests(allow_model_requests=False):
        assert (await model.request(HELLO)).text == 'Hello!'


def test_the_mark_of_a_hit_is_stored_with_the_history() -> None:
    mark = FromCache(age_seconds=1.5, usage=RequestUsage(input_tokens=3))
    stored = ModelMessagesTypeAdapter.dump_json([ModelResponse([TextPart('Hi')], from_cache=mark)])
    [message] = ModelMessagesTypeAdapter.validate_json(stored)
    assert isinstance(message, ModelResponse)
    assert message.from_cache == mark
    assert b'from_cache' not in ModelMessagesTypeAdapter.dump_json([ModelResponse([TextPart('Hi')])])


async def test_a_hit_has_the_warnings_of_its_own_request() -> None:
    async with Server(send_completion).run() as server:
        model = CachedModel(OpenAIModel('gpt-4o', provider=OpenAIProvider(api_key='k', base_url=server.url)))
        dropped = await model.request(HELLO, {'top_k': 3, 'unsupported_settings': 'drop'})
        warned = await model.request(HELLO, {'top_k': 3})
        plain = await model.request(HELLO)
        with pytest.raises(UserError, match='top_k'):
            await model.request(HELLO, {'top_k': 3, 'unsupported_settings': 'error'})
        await model.aclose()
    assert [len(each.warnings) for each in (dropped, warned, plain)] == [0, 1, 0]
    assert warned.from_cache is not None


# ---------------------------------------------------------------------- what is not stored

INCOMPLETE: dict[str, ModelResponse] = {
    'length': ModelResponse([TextPart('Hi')], finish_reason='length'),
    'content_filter': ModelResponse([TextPart('Hi')], finish_reason='content_filter'),
    'error': ModelResponse([TextPart('Hi')], finish_reason='error'),
    'incomplete': ModelResponse([TextPart('Hi')], state='incomplete'),
    'interrupted': ModelResponse([TextPart('Hi')], state='interrupted', finish_reason='stop'),
    'suspended': ModelResponse([TextPart('Hi')], state='suspended'),
    'empty': ModelResponse([], finish_reason='stop'),
    'blank': ModelResponse([TextPart('')], finish_reason='stop'),
}


class Answering(Model):
    """Returns a response."""

    def __init__(self, response: ModelResponse) -> None:
        super().__init__()
        self.response = response
        self.count = 0

    @property
    def model_name(self) -> str:
        return 'answering'

    async def request(self, *_: Any, **__: Any) -> ModelResponse:
        self.count += 1
        return self.response


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'streamed'])
@pytest.mark.parametrize('response', INCOMPLETE.values(), ids=INCOMPLETE)
async def test_a_response_that_is_not_complete_is_not_stored(response: ModelResponse, stream: bool) -> None:
    inner = Answering(response)
    model = CachedModel(inner)
    for _ in range(2):
        assert (await ask(model, stream=stream)).from_cache is None
    assert inner.count == 2


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'streamed'])
@pytest.mark.parametrize(
    'script', [[overloaded()], ['Hi', overloaded()], ['Hi', ('truncate', '')]], ids=['error', 'broken', 'truncated']
)
async def test_a_failed_request_is_not_stored(script: Sequence[Step], stream: bool) -> None:
    model = CachedModel(Scripted('a', script, ['Good']))
    with suppress(ModelHTTPError):
        assert (await ask(model, stream=stream)).state == 'incomplete'
    assert len(model._flights or ()) == 0
    assert (await ask(model, stream=stream)).text == 'Good'


async def test_a_stream_that_is_left_is_not_stored() -> None:
    model = CachedModel(Scripted('a', ['Hel', 'lo!']))
    async with model.request_stream(HELLO) as stream:
        await anext(stream)
    assert stream.get().state == 'interrupted'
    assert stream.cancelled
    assert (await ask(model)).from_cache is None


@pytest.mark.parametrize(
    'value', [object(), inf, -inf, float('nan'), b'\xff', {1, 2}], ids='object inf -inf nan bytes set'.split()
)
async def test_a_response_with_any_detail_is_returned(value: object) -> None:
    response = ModelResponse([TextPart('Hi')], finish_reason='stop', provider_details={'x': value})
    model = CachedModel(Answering(response))
    for _ in range(2):
        assert (await model.request(HELLO)).text == 'Hi'


# ---------------------------------------------------------------------- settings


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'streamed'])
async def test_the_mode_of_a_request(stream: bool) -> None:
    inner = Scripted('a', ['One'], ['Two'], ['Three'], ['Four'])
    model = CachedModel(inner)

    async def text(mode: str) -> str | None:
        return (await ask(model, {'response_cache_mode': mode}, stream=stream)).text

    with pytest.raises(CacheMissError, match="response_cache_mode is 'only'"):
        await text('only')
    assert await text('bypass') == 'One'
    assert await text('default') == 'Two'
    assert await text('bypass') == 'Three'
    assert await text('only') == 'Two'
    assert await text('refresh') == 'Four'
    assert [await text('default'), await text('only')] == ['Four', 'Four']
    assert len(inner.requests) == 4


async def test_a_miss_of_the_mode_only_falls_back() -> None:
    model = FallbackModel(CachedModel(Scripted('a')), Scripted('b', ['Other']))
    assert (await model.request(HELLO, CachedModelSettings(response_cache_mode='only'))).text == 'Other'


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'response_cache_mode': 'refesh'}, "response_cache_mode is 'refesh'.*did you mean 'refresh'"),
        ({'response_cache_mode': ['only']}, 'response_cache_mode is'),
        ({'response_cache_ttl': 0}, 'response_cache_ttl is 0'),
        ({'response_cache_ttl': '5m'}, "response_cache_ttl is '5m'"),
        ({'response_cache_ttl': float('nan')}, 'response_cache_ttl is nan'),
        ({'response_cache_scope': 3}, 'response_cache_scope is 3'),
        ({'response_cache_tll': 3}, "no setting 'response_cache_tll'; did you mean 'response_cache_ttl'"),
        ({'response_cache_': 3}, 'known are|did you mean'),
        ({'temperature': 'hot'}, 'temperature'),
    ],
    ids=repr,
)
@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'streamed'])
async def test_an_invalid_setting_is_refused_before_anything_is_sent(settings: Any, message: str, stream: bool) -> None:
    inner = Scripted('a')
    with pytest.raises(UserError, match=message):
        await ask(CachedModel(inner), settings, stream=stream)
    assert inner.requests == []


@pytest.mark.parametrize(
    'options', [{'ttl': 0}, {'ttl': 'x'}, {'single_flight': 1}, {'store': 3}, {'store': MemoryCache}, {'store': 'disk'}]
)
def test_an_invalid_option_is_refused(options: Any) -> None:
    with pytest.raises(UserError):
        CachedModel('test', **options)


async def test_a_response_is_not_returned_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr('pydantic_llm.models.cached.entry.time.time', lambda: now)
    inner = Scripted('a')
    model = CachedModel(inner, ttl=60)
    await model.request(HELLO)
    now += 59
    found = await model.request(HELLO)
    assert found.from_cache is not None
    assert found.from_cache.age_seconds == 59
    assert (await model.request(HELLO, {'response_cache_ttl': 30})).from_cache is None  # and is stored
    now += 59
    assert (await model.request(HELLO)).from_cache is not None
    now += 2
    assert (await model.request(HELLO)).from_cache is None
    assert len(inner.requests) == 3


async def test_a_scope_separates_requests() -> None:
    inner = Scripted('a')
    model = CachedModel(inner)
    for scope in ('', 'tenant 1', 'tenant 2', 'tenant 1', ''):
        await model.request(HELLO, {'response_cache_scope': scope})
    assert len(inner.requests) == 3


async def test_settings_of_the_agent_reach_the_cache() -> None:
    inner = TestModel(custom_output_text='Hi')
    agent = Agent(CachedModel(inner), model_settings=CachedModelSettings(response_cache_mode='only'))
    with pytest.raises(CacheMissError):
        await agent.run('Hello')
    result = await agent.run('Hello', model_settings={'response_cache_mode': 'refresh'})
    assert (await agent.run('Hello')).output == result.output


async def test_the_settings_of_the_cache_are_skipped_by_other_models() -> None:
    async with Server(send_completion).run() as server:
        model = OpenAIModel('gpt-4o', provider=OpenAIProvider(api_key='k', base_url=server.url))
        known = await model.request(HELLO, CachedModelSettings(response_cache_mode='refresh'))
        with pytest.warns(UnknownSettingWarning, match='response_cache_mode'):
            unknown = await model.request(HELLO, {'response_cache_mod': 'refresh'})
        await model.aclose()
    assert known.warnings == []
    assert 'response_cache_mode' in unknown.warnings[0]


async def test_the_setting_cache_is_the_vendors() -> None:
    inner = Scripted('a')
    model = CachedModel(inner)
    await model.request(HELLO, ModelSettings(cache=False))
    assert inner.requests[0][1] == {'cache': False}


# ---------------------------------------------------------------------- models around models


async def test_a_cache_around_a_router_and_inside_a_fallback() -> None:
    one, two = Scripted('a', [overloaded()], ['One']), Scripted('b', ['Two'])
    around = CachedModel(RouterModel([RateLimitedModel(ConcurrencyLimitedModel(one, limit=1), requests_per_minute=1)]))
    model = FallbackModel(around, CachedModel(two))
    assert [(await model.request(HELLO)).text for _ in range(2)] == ['Two', 'Two']
    assert len(two.requests) == 1


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'streamed'])
async def test_the_response_of_a_fallback_is_stored_with_its_warning(stream: bool) -> None:
    inner = Scripted('b', ['Two'])
    model = CachedModel(FallbackModel(Scripted('a', [overloaded()]), inner, mid_stream='restart'))
    first, again = await ask(model, stream=stream), await ask(model, stream=stream)
    assert first.warnings == again.warnings
    assert 'the next was asked' in again.warnings[0]


async def test_a_restart_in_a_stream_is_not_replayed() -> None:
    model = CachedModel(
        FallbackModel(Scripted('a', ['Brok', 'en', overloaded()]), Scripted('b', ['Go', 'od']), mid_stream='restart')
    )
    first, events = await read(model)
    again, replayed = await read(model)
    assert 'stream_restart' in [event.event_kind for event in events]
    assert [event.event_kind for event in replayed] == ['part_start', 'final_result', 'part_delta', 'part_end']
    assert first.text == again.text == 'Good'


async def test_a_cache_in_memory_around_a_shared_one_is_filled_by_it() -> None:
    inner, shared = Scripted('a', usage=5), MemoryCache()
    await CachedModel(inner, shared).request(HELLO)
    model = CachedModel(CachedModel(inner, shared))
    for _ in range(2):
        found = await model.request(HELLO)
        assert found.from_cache is not None
        assert found.from_cache.usage.input_tokens == 5
    await shared.clear()
    assert (await model.request(HELLO)).from_cache is not None
    assert len(inner.requests) == 1


# ---------------------------------------------------------------------- agents


async def test_an_agent_with_tools_and_an_output_type_runs_from_the_cache() -> None:
    inner = TestModel()
    calls = 0
    agent = Agent(CachedModel(inner), output_type=list[int])

    @agent.tool_plain
    def look(city: str) -> str:
        nonlocal calls
        calls += 1
        return city.upper()

    first = await agent.run('Where?')
    again = await agent.run('Where?')
    async with agent.run_stream('Where?') as streamed:
        third = await streamed.get_output()
    assert first.output == again.output == third
    assert calls == 3
    assert first.usage().requests == again.usage().requests == 2
    assert again.usage().total_tokens == 0
    assert [response.from_cache is not None for response in again.all_messages() if isinstance(response, ModelResponse)]
    assert again.all_messages()[-2].run_id != first.all_messages()[-2].run_id
    async with agent.iter('Where?') as run:
        nodes = [type(node).__name__ async for node in run]
    assert nodes[-1] == 'End'


async def test_a_hit_is_a_request_without_tokens_for_the_limits() -> None:
    agent = Agent(CachedModel(Scripted('a', usage=60)))
    limits = UsageLimits(total_tokens_limit=150)
    first = await agent.run('Hello', usage_limits=limits)
    again = await agent.run('Hello', usage_limits=limits, usage=first.usage())
    assert (again.usage().requests, again.usage().total_tokens) == (2, 120)
    with pytest.raises(UsageLimitExceeded, match='request_limit'):
        await agent.run('Hello', usage_limits=UsageLimits(request_limit=2), usage=again.usage())


async def test_a_hit_costs_nothing() -> None:
    parts = [NativeToolCallPart('web_search', '{}', 'c'), FilePart(BinaryContent(b'x', media_type='image/png'))]
    usage = RequestUsage(input_tokens=1000, output_tokens=1000)
    response = ModelResponse(parts, usage=usage, model_name='gpt-4o', provider_name='openai', finish_reason='stop')
    failing = Scripted('b', [0.001, 'Hi', overloaded()], usage=10)
    model = FallbackModel(failing, CachedModel(Answering(response)), mid_stream='restart')
    first, again = await model.request(HELLO), await model.request(HELLO)
    plain = CachedModel(FallbackModel(failing, Answering(response), mid_stream='restart'))
    await plain.request(HELLO)
    hit = await plain.request(HELLO)
    assert first.cost().unpriced
    assert first.cost().total_price > 0
    assert again.cost().total_price == 0
    assert [*hit.attempts] == []
    assert (hit.cost().total_price, hit.cost().unpriced) == (0, ())


async def test_a_response_that_continues_in_the_cache_was_sent() -> None:
    mark = FromCache(age_seconds=1)
    paused = ModelResponse([TextPart('a')], state='suspended', usage=RequestUsage(input_tokens=3))
    assert paused.join(ModelResponse([TextPart('b')], from_cache=mark)).from_cache is None


async def test_reading_a_stream_after_its_end_stores_nothing_again() -> None:
    class Counting(MemoryCache):
        sets = 0

        async def set(self, key: str, value: bytes, ttl: float | None) -> None:
            self.sets += 1
            await super().set(key, value, ttl)

    store = Counting()
    async with CachedModel(Scripted('a'), store).request_stream(HELLO) as stream:
        for _ in range(2):
            async for _ in stream:
                pass
    assert store.sets == 1


def test_a_model_works_in_every_event_loop() -> None:
    inner = Scripted('a')
    model = CachedModel(inner)
    for stream in (False, True, False):
        asyncio.run(ask(model, stream=stream))
    assert len(inner.requests) == 1


async def test_parameters_and_settings_reach_the_wrapped_model() -> None:
    seen: list[Any] = []

    class Seeing(TestModel):
        async def request(self, *arguments: Any, **__: Any) -> ModelResponse:
            seen.append(arguments)
            return await super().request(*arguments)

    parameters = ModelRequestParameters()
    await CachedModel(Seeing()).request(HELLO, {'timeout': 5.0, 'max_tokens': 3}, parameters)
    assert seen == [(HELLO, {'timeout': 5.0, 'max_tokens': 3}, parameters)]


def test_a_cached_model_looks_like_the_wrapped_one(tmp_path: Path) -> None:
    inner = Scripted('a')
    model = CachedModel(inner, f'sqlite:{tmp_path}/x.db')
    assert (model.model_name, model.system, model.model_id, model.profile) == ('a', 'test', 'test:a', inner.profile)
    assert 'SQLiteCache' in repr(model)
