"""The spans of agents: a run, its requests and its tool calls, however the run is executed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import httpx2
import pytest
from opentelemetry import context, trace
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pydantic import BaseModel

from pydantic_llm import Agent, AgentModel, DeferredToolRequests, ModelRetry, RunContext, RunUsage, instrument_all
from pydantic_llm.direct import model_request, model_request_stream, model_request_sync
from pydantic_llm.exceptions import RunCancelled, ToolFailed, UserError
from pydantic_llm.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_llm.models import Model
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.models.instrumented import InstrumentationSettings, InstrumentedModel, instrument_model
from pydantic_llm.models.test import TestModel
from pydantic_llm.serve import LocalServer, create_app
from pydantic_llm.usage import RequestUsage

from .recorder import Recorder, attributes_of, events_of

RUN = ['chat test < invoke_agent weather', 'execute_tool get_weather < invoke_agent weather']
TREE = [*RUN, 'chat test < invoke_agent weather', 'invoke_agent weather']


@pytest.fixture(autouse=True)
def switched_off() -> Iterator[None]:
    yield
    instrument_all(instrument=False)


def make_agent(recorder: Recorder, **options: Any) -> Agent[None, str]:
    agent = Agent(TestModel(), name='weather', instrument=recorder.settings(**options))

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """Return the weather of a city."""
        return f'{city}: sunny'

    return agent


async def run_stream(agent: Agent[None, str]) -> None:
    async with agent.run_stream('hello') as result:
        await result.get_output()


async def run_stream_events(agent: Agent[None, str]) -> None:
    async for _ in agent.run_stream_events('hello'):
        pass


async def iterate(agent: Agent[None, str]) -> None:
    async with agent.iter('hello') as run:
        async for _ in run:
            pass


async def stream_nodes(agent: Agent[None, str]) -> None:
    async with agent.iter('hello') as run:
        async for node in run:
            if agent.is_model_request_node(node):
                async with node.stream() as stream:
                    async for _ in stream:
                        pass


async def handle_events(agent: Agent[None, str]) -> None:
    async def handle(ctx: RunContext[Any], events: Any) -> None:
        async for _ in events:
            pass

    await agent.run('hello', event_stream_handler=handle)


@pytest.mark.parametrize(
    'execute',
    [Agent.run, run_stream, run_stream_events, iterate, stream_nodes, handle_events],
    ids=lambda f: f.__name__,
)
async def test_however_a_run_is_executed_its_spans_are_the_same(recorder: Recorder, execute: Any) -> None:
    agent = make_agent(recorder)
    await (agent.run('hello') if execute == Agent.run else execute(agent))
    assert recorder.tree() == TREE
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_blocking_runs_have_the_same_spans_below_that_of_their_caller(recorder: Recorder) -> None:
    agent = make_agent(recorder)
    with recorder.tracer_provider.get_tracer('test').start_as_current_span('caller'):
        agent.run_sync('hello')
        with agent.run_stream_sync('hello') as result:
            result.get_output()
    below = [*TREE[:-1], 'invoke_agent weather < caller']
    assert recorder.tree() == [*below, *below, 'caller']


async def test_a_run_has_the_attributes_of_the_conventions(recorder: Recorder) -> None:
    result = await make_agent(recorder).run('hello', model_settings={'temperature': 0}, conversation_id='c1')
    span = recorder.named('invoke_agent weather')
    assert (span.kind, span.status.status_code) == (SpanKind.INTERNAL, StatusCode.UNSET)
    assert attributes_of(span) == {
        'gen_ai.operation.name': 'invoke_agent',
        'gen_ai.agent.name': 'weather',
        'gen_ai.conversation.id': 'c1',
        'gen_ai.provider.name': 'test',
        'gen_ai.request.model': 'test',
        'gen_ai.request.temperature': 0.0,
        'gen_ai.response.finish_reasons': ('stop',),
        'gen_ai.usage.input_tokens': result.usage.input_tokens,
        'gen_ai.usage.output_tokens': result.usage.output_tokens,
    }


async def test_a_tool_call_has_the_attributes_of_the_conventions(recorder: Recorder) -> None:
    await make_agent(recorder).run('hello')
    span = recorder.named('execute_tool get_weather')
    assert (span.kind, span.status.status_code) == (SpanKind.INTERNAL, StatusCode.UNSET)
    assert attributes_of(span) == {
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': 'get_weather',
        'gen_ai.tool.type': 'function',
        'gen_ai.tool.description': 'Return the weather of a city.',
        'gen_ai.tool.call.id': 'call_1',
    }


async def test_usage_that_runs_share_is_counted_once(recorder: Recorder) -> None:
    agent, usage = make_agent(recorder), RunUsage()
    await agent.run('hello', usage=usage)
    first = usage.input_tokens
    await agent.run('hello', usage=usage)
    runs = [attributes_of(span) for span in recorder.spans if span.name == 'invoke_agent weather']
    assert [run['gen_ai.usage.input_tokens'] for run in runs] == [first, usage.input_tokens - first]


async def test_a_run_without_a_name_and_with_an_output_type_says_so(recorder: Recorder) -> None:
    class City(BaseModel):
        name: str

    await Agent(TestModel(), output_type=City, instrument=recorder.settings()).run('hello')
    attributes = attributes_of(recorder.named('invoke_agent'))
    assert attributes['gen_ai.output.type'] == 'json'
    assert 'gen_ai.agent.name' not in attributes


@pytest.mark.parametrize(
    ('error', 'kind'),
    [(ModelRetry('wrong'), 'ModelRetry'), (ToolFailed('broken'), 'ToolFailed'), (KeyError('x'), 'KeyError')],
)
async def test_a_failed_tool_call_has_the_error(recorder: Recorder, error: Exception, kind: str) -> None:
    errors = [error]

    def fail_once(x: int) -> str:
        if errors:
            raise errors.pop()
        return 'ok'

    agent = Agent(TestModel(), name='a', tools=[fail_once], instrument=recorder.settings())
    if isinstance(error, KeyError):
        with pytest.raises(KeyError):
            await agent.run('hello')
        assert attributes_of(recorder.named('invoke_agent a'))['error.type'] == 'KeyError'
    else:
        await agent.run('hello')
    span = next(span for span in recorder.spans if span.name == 'execute_tool fail_once')
    assert span.status.status_code is StatusCode.ERROR
    assert attributes_of(span)['error.type'] == kind


async def test_arguments_that_are_refused_are_an_error_whose_text_is_not_recorded(recorder: Recorder) -> None:
    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        is_first = len(messages) == 1
        return ModelResponse([ToolCallPart('double', '{"x": "secret"}') if is_first else TextPart('done')])

    def double(x: int) -> int:
        return 2 * x

    await Agent(FunctionModel(respond), tools=[double], instrument=recorder.settings()).run('hello')
    span = recorder.named('execute_tool double')
    assert attributes_of(span)['error.type'] == 'pydantic_core._pydantic_core.ValidationError'
    assert 'secret' not in f'{[each.to_json() for each in recorder.spans]}{recorder.events()}'


async def test_a_tool_call_that_stays_open_is_no_error(recorder: Recorder) -> None:
    agent = Agent(TestModel(), output_type=[str, DeferredToolRequests], instrument=recorder.settings())

    @agent.tool_plain(requires_approval=True)
    def delete(path: str) -> str:
        return 'deleted'

    result = await agent.run('hello')
    assert isinstance(result.output, DeferredToolRequests)
    span = recorder.named('execute_tool delete')
    assert (span.status.status_code, events_of(span)) == (StatusCode.UNSET, [])


async def test_a_run_that_is_cancelled_or_left_early_ends_its_spans_without_an_error(recorder: Recorder) -> None:
    agent = Agent(TestModel(custom_output_text='one two three four'), name='a', instrument=recorder.settings())

    @agent.tool
    def stop(ctx: RunContext[None]) -> str:
        ctx.cancel()
        return 'x'

    with pytest.raises(RunCancelled):
        await agent.run('hello')
    async with agent.run_stream('hello', model=TestModel(call_tools=[])) as result:
        async for _ in result.stream_text(debounce_by=None):
            break
    assert [span.name for span in recorder.spans if span.status.status_code is StatusCode.ERROR] == []
    assert [span.name for span in recorder.spans].count('invoke_agent a') == 2


async def test_spans_of_a_tool_and_of_an_agent_in_it_are_below_the_tool_call(recorder: Recorder) -> None:
    inner = Agent(TestModel(custom_output_text='hi'), name='inner', instrument=recorder.settings())
    outer = Agent(TestModel(), name='outer', instrument=recorder.settings())

    @outer.tool_plain
    def ask() -> str:
        """Ask, in a thread."""
        with recorder.tracer_provider.get_tracer('test').start_as_current_span('in the tool'):
            return inner.run_sync('hello').output

    await outer.run('hello')
    tree = recorder.tree()
    assert 'in the tool < execute_tool ask' in tree
    assert 'invoke_agent inner < in the tool' in tree
    assert 'chat test < invoke_agent inner' in tree


async def test_an_agent_as_a_model_has_its_run_below_the_request(recorder: Recorder) -> None:
    model = InstrumentedModel(AgentModel(make_agent(recorder)), recorder.settings())
    await model_request(model, 'hello')
    async with model_request_stream(model, 'hello') as stream:
        async for _ in stream:
            pass
    below = [*TREE[:-1], 'invoke_agent weather < chat weather', 'chat weather']
    assert recorder.tree() == [*below, *below]
    points = recorder.points('gen_ai.client.token.usage')
    assert {point.attributes['gen_ai.request.model'] for point in points if point.attributes} == {'test'}


async def test_a_model_that_a_function_chooses_is_recorded(recorder: Recorder) -> None:
    chosen = TestModel(custom_output_text='hi', model_name='chosen')
    agent: Agent[None, str] = Agent(lambda ctx: chosen, name='a', instrument=recorder.settings())
    await agent.run('hello')
    assert recorder.tree() == ['chat chosen < invoke_agent a', 'invoke_agent a']
    assert attributes_of(recorder.named('invoke_agent a'))['gen_ai.request.model'] == 'chosen'


async def test_a_model_that_is_instrumented_already_has_one_span(recorder: Recorder) -> None:
    model = InstrumentedModel(TestModel(custom_output_text='hi'), recorder.settings())
    await Agent(model, name='a', instrument=recorder.settings()).run('hello')
    assert recorder.tree() == ['chat test < invoke_agent a', 'invoke_agent a']


async def test_instrument_all_is_for_agents_and_requests_that_do_not_say_otherwise(recorder: Recorder) -> None:
    quiet, other = Agent(TestModel(), name='quiet', instrument=False), Agent(TestModel(), name='other')
    await other.run('hello')
    Agent.instrument_all(recorder.settings())
    await quiet.run('hello')
    await model_request(TestModel(), 'hello', instrument=False)
    assert recorder.spans == []
    await other.run('hello')
    await model_request(TestModel(), 'hello')
    async with model_request_stream(TestModel(), 'hello') as stream:
        await anext(stream)
    assert recorder.tree() == ['chat test < invoke_agent other', 'invoke_agent other', 'chat test', 'chat test']
    recorder.clear()
    instrument_all(instrument=False)
    await other.run('hello')
    assert recorder.spans == []


def test_a_request_can_be_instrumented_alone(recorder: Recorder) -> None:
    model_request_sync(TestModel(), 'hello', instrument=recorder.settings())
    model_request_sync(TestModel(), 'hello')
    assert recorder.tree() == ['chat test']


def test_true_uses_the_global_providers_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = instrument_model(TestModel(), instrument=True)
    second = instrument_model(TestModel(), instrument=True)
    assert isinstance(first, InstrumentedModel)
    assert isinstance(second, InstrumentedModel)
    assert first.instrumentation_settings is second.instrumentation_settings


@pytest.mark.parametrize('value', [0, 1, 'on', InstrumentationSettings])
def test_a_value_of_another_type_is_an_error_that_names_the_parameter(value: Any) -> None:
    for call in (lambda: Agent(TestModel(), instrument=value), lambda: instrument_all(value)):
        with pytest.raises(UserError, match='instrument takes'):
            call()


OFF = """
import sys
from pydantic_llm import Agent
from pydantic_llm.models.test import TestModel
agent = Agent(TestModel())
agent.run_sync('hello')
print([name for name in sys.modules if name.partition('.')[0] == 'opentelemetry' or 'instrumented' in name])
print('pydantic_llm.agent.tracing' in sys.modules)
"""


def test_a_run_that_is_not_instrumented_imports_nothing_for_it() -> None:
    done = subprocess.run([sys.executable, '-c', OFF], capture_output=True, text=True, check=True)
    assert done.stdout.split('\n')[:2] == ['[]', 'False']


async def test_a_run_that_is_not_instrumented_uses_the_model_itself(recorder: Recorder) -> None:
    seen: list[Model] = []

    def look(ctx: RunContext[None], messages: Sequence[ModelMessage]) -> list[ModelMessage]:
        seen.append(ctx.model)
        return list(messages)

    model = TestModel()
    agent = Agent(model, history_processors=[look])
    await agent.run('hello')
    agent.instrument = recorder.settings()
    await agent.run('hello')
    assert seen[0] is model
    assert isinstance(seen[1], InstrumentedModel)


async def test_a_run_that_another_task_closes_leaves_no_trace_there(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """A run that is opened in a generator of the user, which another task closes."""
    agent = make_agent(recorder)

    async def nodes() -> AsyncIterator[object]:
        async with agent.iter('hello') as run:
            async for node in run:
                yield node

    generator = nodes()
    await asyncio.create_task(anext(generator))  # type: ignore[arg-type]
    await asyncio.create_task(generator.aclose())  # type: ignore[attr-defined]
    assert recorder.tree() == ['invoke_agent weather']
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert caplog.records == []


async def test_the_usage_of_a_run_has_no_count_that_did_not_arrive(recorder: Recorder) -> None:
    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        usage = RequestUsage(input_tokens=3, missing=('output_tokens',))
        return ModelResponse([TextPart('hi')], usage=usage)

    await Agent(FunctionModel(respond), instrument=recorder.settings()).run('hello')
    attributes = attributes_of(recorder.named('invoke_agent'))
    assert {name: value for name, value in attributes.items() if 'usage' in name} == {'gen_ai.usage.input_tokens': 3}


def test_the_gateway_continues_the_trace_of_its_client(recorder: Recorder) -> None:
    app = create_app({'weather': make_agent(recorder), 'plain': TestModel()})

    async def traced(scope: Any, receive: Any, send: Any) -> None:
        """What an instrumentation of Starlette does."""
        headers = {name.decode(): value.decode() for name, value in scope.get('headers', ())}
        token = context.attach(TraceContextTextMapPropagator().extract(headers))
        try:
            await app(scope, receive, send)
        finally:
            context.detach(token)

    instrument_all(recorder.settings())
    headers = {'traceparent': '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'}
    with LocalServer(traced) as url:
        for name in ('weather', 'plain'):
            for stream in (False, True):
                body = {'model': name, 'messages': [{'role': 'user', 'content': 'hello'}], 'stream': stream}
                response = httpx2.post(f'{url}/v1/chat/completions', json=body, headers=headers)
                assert response.status_code == 200
    names = [span.name for span in recorder.spans if span.parent and span.parent.span_id == 0xB7AD6B7169203331]
    assert names == ['chat weather', 'chat weather', 'chat test', 'chat test']
    assert {span.context.trace_id for span in recorder.spans if span.context} == {0x0AF7651916CD43DD8448EB211C80319C}
