"""The span of a request to a model: its name, kind, attributes, events and end, for whole responses and streams."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, SamplingResult, StaticSampler
from opentelemetry.trace import SpanKind, StatusCode

from pydantic_llm import Agent, AgentModel
from pydantic_llm.direct import model_request, model_request_stream, model_request_stream_sync, model_request_sync
from pydantic_llm.exceptions import FallbackExceptionGroup, ModelHTTPError, UnexpectedModelBehavior, UserError
from pydantic_llm.messages import ModelRequest, ModelResponse, TextPart
from pydantic_llm.models import Model, ModelRequestParameters, OutputObjectDefinition
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.function import FunctionModel
from pydantic_llm.models.instrumented import InstrumentationSettings, InstrumentedModel
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.models.router import RouterModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.observers import CacheHit, notify
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.retries.policy import RetryPolicy
from pydantic_llm.serve import create_app
from pydantic_llm.serve.faults import Fault
from pydantic_llm.serve.server import LocalServer
from pydantic_llm.settings import ModelSettings
from pydantic_llm.usage import RequestUsage
from tests.models.scripted import Scripted, overloaded, unauthorized, unreachable

from .recorder import Recorder, attributes_of, events_of


@pytest.fixture(scope='module')
def url() -> Iterator[str]:
    with LocalServer(create_app(TestModel(custom_output_text='Hello, world'))) as url:
        yield f'{url}/v1'


def openai_model(url: str) -> OpenAIChatModel:
    return OpenAIChatModel('gpt-4o', provider=OpenAIProvider(base_url=url, api_key='secret-key'))


async def read_stream(model: Model) -> None:
    async with model_request_stream(model, 'hello') as stream:
        async for _ in stream:
            pass


async def test_a_request_has_the_attributes_of_the_conventions(recorder: Recorder, url: str) -> None:
    settings: ModelSettings = {
        'max_tokens': 100,
        'temperature': 0,
        'top_p': 1,
        'seed': 7,
        'stop_sequences': ('END',),
        'presence_penalty': 0.5,
        'frequency_penalty': 1,
        'service_tier': 'flex',
    }
    form = OutputObjectDefinition({'type': 'object', 'properties': {}, 'additionalProperties': False})
    message = ModelRequest.user_text_prompt('hello')
    message.conversation_id = 'c1'
    async with InstrumentedModel(openai_model(url), recorder.settings()) as model:
        response = await model.request(
            [message], settings, ModelRequestParameters(output_mode='native', output_object=form)
        )
    span = recorder.span
    assert (span.name, span.kind, span.status.status_code) == ('chat gpt-4o', SpanKind.CLIENT, StatusCode.UNSET)
    port = int(url.split(':')[2].partition('/')[0])
    assert recorder.attributes == {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'openai',
        'gen_ai.request.model': 'gpt-4o',
        'server.address': '127.0.0.1',
        'server.port': port,
        'gen_ai.request.max_tokens': 100,
        'gen_ai.request.temperature': 0.0,
        'gen_ai.request.top_p': 1.0,
        'gen_ai.request.seed': 7,
        'gen_ai.request.stop_sequences': ('END',),
        'gen_ai.request.presence_penalty': 0.5,
        'gen_ai.request.frequency_penalty': 1.0,
        'openai.request.service_tier': 'flex',
        'gen_ai.output.type': 'json',
        'gen_ai.conversation.id': 'c1',
        'gen_ai.response.id': response.provider_response_id,
        'gen_ai.response.model': response.model_name,
        'gen_ai.response.finish_reasons': ('stop',),
        'gen_ai.usage.input_tokens': response.usage.input_tokens,
        'gen_ai.usage.output_tokens': response.usage.output_tokens,
        'pydantic_llm.request_id': response.request_id,
    }
    assert [type(recorder.attributes[name]) for name in ('gen_ai.request.temperature', 'gen_ai.request.top_p')] == [
        float,
        float,
    ]


async def test_what_samplers_decide_by_is_there_when_the_span_starts(recorder: Recorder, url: str) -> None:
    seen: dict[str, Any] = {}

    class Remember(StaticSampler):
        def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
            seen.update(kwargs.get('attributes') or args[4])
            return super().should_sample(*args, **kwargs)

    provider = TracerProvider(sampler=Remember(Decision.DROP))
    async with InstrumentedModel(openai_model(url), InstrumentationSettings(tracer_provider=provider)) as model:
        await model_request(model, 'hello')
    names = ('operation.name', 'provider.name', 'request.model')
    assert {*seen} >= {*(f'gen_ai.{name}' for name in names), 'server.address', 'server.port'}


async def test_all_kinds_of_tokens_are_recorded_and_unknown_usage_is_not(recorder: Recorder) -> None:
    usage = RequestUsage(
        input_tokens=100, output_tokens=50, cache_read_tokens=30, cache_write_tokens=20, output_reasoning_tokens=10
    )

    def respond(messages: object, info: object) -> ModelResponse:
        return ModelResponse([TextPart('x')], usage=usage, request_id='req_1')

    await model_request(InstrumentedModel(FunctionModel(respond), recorder.settings()), 'hello')
    found = {name: value for name, value in recorder.attributes.items() if 'usage' in name}
    assert found == {
        'gen_ai.usage.input_tokens': 100,
        'gen_ai.usage.output_tokens': 50,
        'gen_ai.usage.cache_read.input_tokens': 30,
        'gen_ai.usage.cache_creation.input_tokens': 20,
        'gen_ai.usage.reasoning.output_tokens': 10,
    }
    assert recorder.attributes['pydantic_llm.request_id'] == 'req_1'
    recorder.clear()
    usage = RequestUsage(input_tokens=3, missing=('output_tokens',))
    await model_request(InstrumentedModel(FunctionModel(respond), recorder.settings()), 'hello')
    assert {name: value for name, value in recorder.attributes.items() if 'usage' in name} == {
        'gen_ai.usage.input_tokens': 3
    }
    recorder.clear()
    await model_request(InstrumentedModel(Scripted('m', ['x']), recorder.settings()), 'hello')
    assert [name for name in recorder.attributes if 'usage' in name] == []


async def test_a_model_in_this_process_has_an_internal_span_without_a_server(recorder: Recorder) -> None:
    await model_request(InstrumentedModel(TestModel(), recorder.settings()), 'hello')
    assert recorder.span.kind is SpanKind.INTERNAL
    assert 'server.address' not in recorder.attributes


async def test_a_stream_has_the_same_attributes_and_the_time_of_its_first_chunk(recorder: Recorder, url: str) -> None:
    async with InstrumentedModel(openai_model(url), recorder.settings()) as model:
        await model_request(model, 'hello')
        async with model_request_stream(model, 'hello') as stream:
            async for _ in stream:
                assert len(recorder.spans) == 1
            assert len(recorder.spans) == 2, 'the span ends with the stream, not with the block'
    whole, streamed = map(attributes_of, recorder.spans)
    assert streamed.pop('gen_ai.request.stream') is True
    assert 0 < streamed.pop('gen_ai.response.time_to_first_chunk') < 10
    for name in ('gen_ai.response.id', 'pydantic_llm.request_id'):
        assert streamed.pop(name) != whole.pop(name)
    assert streamed == whole


async def test_a_stream_that_is_left_early_ends_its_span_without_an_error(recorder: Recorder) -> None:
    model = InstrumentedModel(Scripted('m', ['one ', 'two', 60.0, 'three'], usage=4), recorder.settings())
    async with model_request_stream(model, 'hello') as stream:
        async for _ in stream:
            break
    assert recorder.span.status.status_code is StatusCode.UNSET
    assert 'gen_ai.response.finish_reasons' not in recorder.attributes
    recorder.clear()
    async with model_request_stream(model, 'hello') as stream:
        await anext(stream)
        await stream.cancel()
        assert (stream.cancelled, stream.get().state, len(recorder.spans)) == (True, 'interrupted', 1)
    assert len(recorder.spans) == 1


async def test_an_error_of_the_code_that_reads_a_stream_is_not_one_of_the_request(recorder: Recorder) -> None:
    model = InstrumentedModel(Scripted('m', ['one ', 'two']), recorder.settings())

    async def fail_while_reading() -> None:
        async with model_request_stream(model, 'hello') as stream:
            async for _ in stream:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_while_reading()
    assert recorder.span.status.status_code is StatusCode.UNSET


async def test_a_stream_that_fails_ends_its_span_with_the_error(recorder: Recorder) -> None:
    model = InstrumentedModel(Scripted('m', ['one ', overloaded()], usage=4), recorder.settings())
    with pytest.raises(ModelHTTPError):
        await read_stream(model)
    assert recorder.span.status.status_code is StatusCode.ERROR
    assert recorder.attributes['error.type'] == 'ModelHTTPError'
    assert recorder.attributes['http.response.status_code'] == 503
    assert recorder.attributes['gen_ai.usage.output_tokens'] == 4


@pytest.mark.parametrize('is_stream', [False, True])
async def test_a_cancelled_request_ends_its_span_with_an_event_and_without_an_error(
    recorder: Recorder, is_stream: bool
) -> None:
    model = InstrumentedModel(Scripted('m', [60.0, 'three']), recorder.settings())

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read_stream(model) if is_stream else model_request(model, 'hello'), 0.02)
    assert events_of(recorder.span) == [('pydantic_llm.cancelled', {})]
    assert recorder.span.status.status_code is StatusCode.UNSET


async def test_a_failed_request_has_its_error_on_the_span_and_as_an_event(recorder: Recorder) -> None:
    with pytest.raises(ModelHTTPError):
        await model_request(InstrumentedModel(Scripted('m', [unauthorized()]), recorder.settings()), 'hello')
    span = recorder.span
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, str(unauthorized()))
    assert attributes_of(span)['error.type'] == 'ModelHTTPError'
    [(name, exception)] = events_of(span)
    assert (name, exception['exception.type']) == ('exception', 'pydantic_llm.exceptions.ModelHTTPError')
    assert exception['exception.message'] == str(unauthorized())
    assert 'in request' in exception['exception.stacktrace']
    assert recorder.events() == [('gen_ai.client.operation.exception', exception)]


async def test_a_request_that_cannot_be_sent_has_a_span_with_the_error(recorder: Recorder) -> None:
    model = InstrumentedModel(TestModel(), recorder.settings())
    with pytest.raises(UserError):
        await model_request(model, 'hello', model_settings={'temperature': 'hot'})  # type: ignore[typeddict-item]
    assert recorder.attributes['error.type'] == 'UserError'


@pytest.mark.retries
@pytest.mark.parametrize('is_stream', [False, True])
async def test_each_retry_is_an_event(recorder: Recorder, is_stream: bool) -> None:
    faults = iter([Fault(status=503, headers={'retry-after': '0'})])
    with LocalServer(create_app(TestModel(), faults=lambda *_: next(faults, None))) as url:
        async with InstrumentedModel(openai_model(f'{url}/v1'), recorder.settings()) as model:
            await (read_stream(model) if is_stream else model_request(model, 'hello'))
    [(name, attributes)] = events_of(recorder.span)
    assert name == 'pydantic_llm.attempt_failed'
    assert attributes['error.type'] == 'OverloadedError'
    assert attributes['http.response.status_code'] == 503
    assert attributes['pydantic_llm.attempt_failed.wait'] == 0.0
    assert recorder.span.status.status_code is StatusCode.UNSET


async def test_fallbacks_have_one_span_with_an_event_for_each_model_that_failed(recorder: Recorder) -> None:
    first, second = Scripted('first', [unreachable()]), Scripted('second', ['Hi'])
    await model_request(InstrumentedModel(FallbackModel(first, second), recorder.settings()), 'hello')
    assert recorder.span.name == 'chat fallback:first,second'
    [(name, attributes)] = events_of(recorder.span)
    assert (name, attributes['pydantic_llm.model_failed.model_id']) == ('pydantic_llm.model_failed', 'test:first')
    assert attributes['error.type'] == 'ModelConnectionError'
    assert recorder.attributes['gen_ai.response.model'] == 'second'
    assert recorder.attributes['gen_ai.provider.name'] == 'test'


async def test_fallbacks_have_a_span_for_each_model_that_is_instrumented_too(recorder: Recorder) -> None:
    settings = recorder.settings()
    members = [InstrumentedModel(each, settings) for each in (Scripted('a', [unreachable()]), Scripted('b', usage=3))]
    model = InstrumentedModel(FallbackModel(*members), settings)
    await model_request(model, 'hello')
    outer = 'chat fallback:a,b'
    assert recorder.tree() == [f'chat a < {outer}', f'chat b < {outer}', outer]
    async with model_request_stream(model, 'hello') as stream:
        async for _ in stream:
            break
    points = recorder.points('gen_ai.client.token.usage')
    assert {point.attributes['gen_ai.request.model'] for point in points if point.attributes} == {'b'}


async def test_a_hit_of_a_cache_is_an_event(recorder: Recorder) -> None:
    def respond(messages: object, info: object) -> ModelResponse:
        notify(CacheHit(12.5))
        return ModelResponse([TextPart('x')])

    await model_request(InstrumentedModel(FunctionModel(respond), recorder.settings()), 'hello')
    assert events_of(recorder.span) == [('pydantic_llm.cache_hit', {'pydantic_llm.cache_hit.age': 12.5})]


async def test_a_second_request_at_the_same_time_is_an_event(recorder: Recorder) -> None:
    async def respond(messages: object, info: object) -> ModelResponse:
        await asyncio.sleep(0.05)
        return ModelResponse([TextPart('x')])

    models = [FunctionModel(respond, model_name=name) for name in 'ab']
    router = RouterModel(models, hedge_after=0.01, strategy='least_busy')
    await model_request(InstrumentedModel(router, recorder.settings()), 'hello')
    [(name, attributes)] = events_of(recorder.span)
    assert name == 'pydantic_llm.hedge_started'
    prefix = f'{name}.'
    assert {attributes[f'{prefix}model_id'], attributes[f'{prefix}slow_model_id']} == {'function:a', 'function:b'}
    assert attributes[f'{prefix}seconds'] == pytest.approx(0.01, abs=0.04)


@pytest.mark.parametrize('parameter', ['tracer_provider', 'meter_provider', 'logger_provider'])
def test_a_provider_of_another_type_is_a_user_error(parameter: str) -> None:
    wrong: Any = {parameter: 'x'}
    with pytest.raises(UserError, match=f"{parameter} takes an object with the method get_.*, not 'x'"):
        InstrumentationSettings(**wrong)


@pytest.mark.parametrize('is_stream', [False, True])
async def test_spans_inside_a_request_are_children_of_it_and_those_of_the_reader_are_not(
    recorder: Recorder, is_stream: bool
) -> None:
    tracer = recorder.tracer_provider.get_tracer('test')

    class Traced(Scripted):
        def start(self, *args: Any) -> None:
            with tracer.start_as_current_span('HTTP POST'):
                super().start(*args)

    model = InstrumentedModel(Traced('m', ['Hi']), recorder.settings())
    with tracer.start_as_current_span('caller'):
        if is_stream:
            async with model_request_stream(model, 'hello') as stream:
                async for _ in stream:
                    tracer.start_span('reader').end()
        else:
            await model_request(model, 'hello')
    tree = recorder.tree()
    assert {'HTTP POST < chat m', 'chat m < caller'} <= {*tree}
    assert ('reader < caller' in tree) is is_stream


def test_blocking_calls_continue_the_trace_of_their_thread(recorder: Recorder) -> None:
    model = InstrumentedModel(TestModel(), recorder.settings())
    with recorder.tracer_provider.get_tracer('test').start_as_current_span('caller'):
        model_request_sync(model, 'hello')
        with model_request_stream_sync(model, 'hello') as stream:
            assert len([*stream]) > 1
    assert recorder.tree() == ['chat test < caller', 'chat test < caller', 'caller']
    assert trace.get_current_span() is trace.INVALID_SPAN


async def test_the_wrapped_model_gets_the_same_request(recorder: Recorder, url: str) -> None:
    inner = openai_model(url)
    model = InstrumentedModel(inner, recorder.settings())
    assert (model.model_id, model.base_url, model.profile) == (inner.model_id, inner.base_url, inner.profile)
    messages = [ModelRequest.user_text_prompt('hello')]
    assert model.describe_request(messages).fingerprint == inner.describe_request(messages).fingerprint
    assert recorder.spans == []


def test_no_key_is_in_the_telemetry(recorder: Recorder, url: str) -> None:
    model = InstrumentedModel(openai_model(url), recorder.settings(include_content='span_and_event'))
    model_request_sync(model, 'hello')
    assert recorder.events()
    assert 'secret-key' not in f'{[span.to_json() for span in recorder.spans]} {recorder.events()}'


async def test_settings_of_the_wrong_type_are_an_error_that_names_them() -> None:
    with pytest.raises(UserError, match='options takes InstrumentationSettings'):
        InstrumentedModel(TestModel(), options=True)  # type: ignore[arg-type]


def test_a_policy_is_no_attribute(recorder: Recorder) -> None:
    model = InstrumentedModel(TestModel(), recorder.settings())
    model_request_sync(model, 'hello', model_settings={'retries': RetryPolicy(retries=1), 'temperature': None})  # type: ignore[typeddict-item]
    assert [name for name in recorder.attributes if 'request' in name] == ['gen_ai.request.model']


async def test_a_request_to_a_model_behind_a_router_or_an_agent_is_one_to_a_server(
    recorder: Recorder, url: str
) -> None:
    remote = FallbackModel(Scripted('m', [unreachable()]), openai_model(url))
    await model_request(InstrumentedModel(remote, recorder.settings()), 'hello')
    assert recorder.span.kind is SpanKind.CLIENT
    assert (recorder.attributes['gen_ai.provider.name'], recorder.attributes['server.address']) == (
        'openai',
        '127.0.0.1',
    )
    recorder.clear()
    without_model = InstrumentedModel(AgentModel(Agent()), recorder.settings())
    with pytest.raises(UserError, match='has no model'):
        await model_request(without_model, 'hello')
    assert recorder.span.kind is SpanKind.INTERNAL


async def test_an_image_is_an_output_type_and_the_newest_message_has_the_conversation(recorder: Recorder) -> None:
    model = InstrumentedModel(Scripted('m'), recorder.settings())
    messages = [ModelRequest.user_text_prompt('a'), ModelResponse([TextPart('b')]), ModelRequest.user_text_prompt('c')]
    for message, id in zip(messages, ('old', 'newer', 'newest'), strict=True):
        message.conversation_id = id
    await model.request(messages, None, ModelRequestParameters(allow_image_output=True))
    assert recorder.attributes['gen_ai.output.type'] == 'image'
    assert recorder.attributes['gen_ai.conversation.id'] == 'newest'


@pytest.mark.parametrize(('vendor', 'has_them'), [('openai', True), ('azure', True), ('groq', False)])
async def test_what_only_openai_has_is_in_its_own_attributes(recorder: Recorder, vendor: str, has_them: bool) -> None:
    details = {'service_tier': 'flex', 'system_fingerprint': 'fp_1'}

    def respond(messages: object, info: object) -> ModelResponse:
        return ModelResponse([TextPart('x')], provider_name=vendor, provider_details=details)

    await model_request(InstrumentedModel(FunctionModel(respond), recorder.settings()), 'hello')
    found = {name: value for name, value in recorder.attributes.items() if name.startswith('openai')}
    expected = {'openai.response.service_tier': 'flex', 'openai.response.system_fingerprint': 'fp_1'}
    assert found == (expected if has_them else {})


async def test_a_url_that_cannot_be_split_is_no_server(recorder: Recorder) -> None:
    class Odd(Scripted):
        base_url = 'http://[broken:99999999/v1'

    await model_request(InstrumentedModel(Odd('m'), recorder.settings()), 'hello')
    assert [name for name in recorder.attributes if name.startswith('server')] == []


async def test_the_stream_has_the_final_result_event_of_the_inner_one_once(recorder: Recorder) -> None:
    async with InstrumentedModel(TestModel(), recorder.settings()).request_stream(
        [ModelRequest.user_text_prompt('hello')]
    ) as stream:
        events = [event async for event in stream]
        assert stream.final_result_event in events
    async with TestModel().request_stream([ModelRequest.user_text_prompt('hello')]) as stream:
        assert [event async for event in stream] == events


async def test_an_error_of_all_fallbacks_does_not_quote_what_one_of_them_quotes(recorder: Recorder) -> None:
    models = [Scripted(name, [UnexpectedModelBehavior('it wrote "secret"')]) for name in ('a', 'b')]
    fallback = FallbackModel(*models, fallback_on=(UnexpectedModelBehavior,))
    with pytest.raises(FallbackExceptionGroup):
        await model_request(InstrumentedModel(fallback, recorder.settings()), 'hello')
    assert recorder.attributes['error.type'] == 'FallbackExceptionGroup'
    assert [name for name, _ in events_of(recorder.span)] == ['pydantic_llm.model_failed'] * 2 + ['exception']
    assert [name for _, event in events_of(recorder.span)[:2] for name in event if 'stack' in name] == []
    assert 'secret' not in recorder.span.to_json()


async def test_a_stream_that_another_task_closes_leaves_no_trace_there(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    model = InstrumentedModel(TestModel(), recorder.settings())
    manager = model_request_stream(model, 'hello')
    stream = await asyncio.create_task(manager.__aenter__())
    await asyncio.create_task(anext(stream))  # type: ignore[arg-type]
    await asyncio.create_task(manager.__aexit__(None, None, None))
    assert recorder.tree() == ['chat test']
    assert caplog.records == []
