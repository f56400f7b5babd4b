"""The metrics: their values, attributes, units and buckets."""

from __future__ import annotations

from typing import Any

import pytest

from pydantic_llm import Agent
from pydantic_llm.direct import model_request, model_request_stream
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.function import FunctionModel
from pydantic_llm.models.instrumented import InstrumentedModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.usage import RequestUsage
from tests.models.scripted import Scripted, overloaded

from .recorder import Recorder

MODEL = {'gen_ai.provider.name': 'test', 'gen_ai.request.model': 'm', 'gen_ai.response.model': 'm'}
CHAT = {'gen_ai.operation.name': 'chat', **MODEL}
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)


async def test_tokens_are_recorded_by_their_type(recorder: Recorder) -> None:
    await model_request(InstrumentedModel(Scripted('m', ['x'], usage=5), recorder.settings()), 'hello')
    points = recorder.points('gen_ai.client.token.usage')
    assert [(point.attributes, point.sum) for point in points] == [
        ({**CHAT, 'gen_ai.token.type': 'input'}, 5),
        ({**CHAT, 'gen_ai.token.type': 'output'}, 5),
    ]
    # docs/gen-ai/gen-ai-metrics.md of the conventions
    assert points[0].explicit_bounds == (
        1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864,
    )  # fmt: skip


async def test_tokens_that_a_vendor_does_not_count_are_not_recorded(recorder: Recorder) -> None:
    await model_request(InstrumentedModel(Scripted('m', ['x']), recorder.settings()), 'hello')
    assert recorder.points('gen_ai.client.token.usage') == []


async def test_the_duration_of_a_failed_request_has_its_error(recorder: Recorder) -> None:
    model = InstrumentedModel(Scripted('m', ['x'], [overloaded()]), recorder.settings())
    await model_request(model, 'hello')
    with pytest.raises(Exception, match='overloaded'):
        await model_request(model, 'hello')
    good, bad = recorder.points('gen_ai.client.operation.duration')
    assert (good.attributes, good.count, good.explicit_bounds) == (CHAT, 1, SECONDS)
    assert bad.attributes == {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'test',
        'gen_ai.request.model': 'm',
        'error.type': 'ModelHTTPError',
    }


async def test_the_chunks_of_a_stream_are_timed(recorder: Recorder) -> None:
    model = InstrumentedModel(Scripted('m', ['a', 0.05, 'b', 'c'], usage=1), recorder.settings())
    async with model_request_stream(model, 'hello') as stream:
        async for _ in stream:
            pass
    [first] = recorder.points('gen_ai.client.operation.time_to_first_chunk')
    [others] = recorder.points('gen_ai.client.operation.time_per_output_chunk')
    request = {'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'test', 'gen_ai.request.model': 'm'}
    assert (first.attributes, first.count, first.explicit_bounds) == (request, 1, SECONDS)
    assert (others.attributes, others.explicit_bounds) == (request, SECONDS)
    assert others.max >= 0.05 > first.sum


async def test_events_that_arrive_together_are_one_chunk(recorder: Recorder) -> None:
    model = InstrumentedModel(FallbackModel(Scripted('m', [0.0, 'a'])), recorder.settings())
    async with model_request_stream(model, 'hello') as stream:
        events = [event async for event in stream]
    assert [type(event).__name__ for event in events] == ['PartStartEvent', 'FinalResultEvent', 'PartEndEvent']
    [others] = recorder.points('gen_ai.client.operation.time_per_output_chunk')
    assert others.count == 1


async def test_a_whole_response_has_no_chunks(recorder: Recorder) -> None:
    await model_request(InstrumentedModel(Scripted('m', ['x']), recorder.settings()), 'hello')
    assert recorder.points('gen_ai.client.operation.time_to_first_chunk') == []


async def test_runs_and_tool_calls_have_their_own_durations(recorder: Recorder) -> None:
    def look(city: str) -> str:
        return city

    await Agent(TestModel(), name='weather', tools=[look], instrument=recorder.settings()).run('hello')
    [run] = recorder.points('gen_ai.invoke_agent.duration')
    [tool] = recorder.points('gen_ai.execute_tool.duration')
    assert run.attributes == {'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'weather'}
    # docs/gen-ai/gen-ai-metrics.md of semantic-conventions-genai
    assert run.explicit_bounds == (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6)
    assert tool.attributes == {
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': 'look',
        'gen_ai.tool.type': 'function',
        'gen_ai.agent.name': 'weather',
    }
    assert tool.explicit_bounds == SECONDS
    assert [point.count for point in recorder.points('gen_ai.client.operation.duration')] == [2]


async def test_no_attribute_of_a_metric_differs_between_requests(recorder: Recorder) -> None:
    """Ids and contents would make a time series of each request."""
    usages = [RequestUsage(input_tokens=count, output_tokens=1) for count in (1, 2, 3)]

    def respond(messages: Any, info: Any) -> Any:
        from pydantic_llm.messages import ModelResponse, TextPart

        return ModelResponse([TextPart('x')], usage=usages.pop(), provider_response_id=str(len(usages)))

    model = InstrumentedModel(FunctionModel(respond), recorder.settings(include_content=True))
    for prompt in ('one', 'two', 'three'):
        await model_request(model, prompt, model_settings={'temperature': len(usages)})
    assert [point.count for point in recorder.points('gen_ai.client.operation.duration')] == [3]
    assert [point.count for point in recorder.points('gen_ai.client.token.usage')] == [3, 3]
