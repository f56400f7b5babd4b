"""A model that refuses stop sequences: its text is truncated here, whole and streamed, with a warning."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

import pytest

from pydantic_llm import Agent, UserError
from pydantic_llm.direct import model_request, model_request_stream
from pydantic_llm.messages import ModelMessage, ModelResponse, PartDeltaEvent, PartStartEvent, TextPart, ToolCallPart
from pydantic_llm.models import Model, ModelRequestParameters
from pydantic_llm.models.function import AgentInfo, DeltaToolCall, FunctionModel
from pydantic_llm.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_llm.serve import LocalServer, create_app
from pydantic_llm.tools.definition import ToolDefinition

PIECES = ['Once ', 'upon a time. E', 'N', 'D And ', 'they lived on.']
WARNING = 'the text of the response is truncated at them here'


def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    calls = [ToolCallPart('add', {'a': 1})] if info.function_tools else []
    return ModelResponse([TextPart(''.join(PIECES)), *calls], finish_reason='length')


async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
    for piece in PIECES:
        yield piece
    if info.function_tools:
        yield {1: DeltaToolCall('add', '{"a": 1}')}


@pytest.fixture(scope='module')
def url() -> Generator[str]:
    with LocalServer(create_app(FunctionModel(respond, stream_function=stream, model_name='gpt-5'))) as url:
        yield f'{url}/v1'


MODELS: list[Callable[[str], Model]] = [
    lambda url: OpenAIChatModel('gpt-5', base_url=url),
    lambda url: OpenAIResponsesModel('gpt-5', base_url=url),
    lambda url: OpenAIChatModel('gpt-5', base_url=url, profile={'text_tool_calls': True}),
]


@pytest.mark.parametrize('make', MODELS)
async def test_a_whole_response_ends_before_the_first_stop_sequence(url: str, make: Callable[[str], Model]) -> None:
    response = await model_request(make(url), 'A story', model_settings={'stop_sequences': ['THE END', 'END']})
    assert (response.text, response.finish_reason) == ('Once upon a time. ', 'stop')
    assert [WARNING in warning for warning in response.warnings] == [True]


@pytest.mark.parametrize('make', MODELS)
async def test_no_event_of_a_stream_has_a_part_of_a_stop_sequence(url: str, make: Callable[[str], Model]) -> None:
    texts: list[str] = []
    async with model_request_stream(make(url), 'A story', model_settings={'stop_sequences': ['END']}) as opened:
        async for event in opened:
            match event:
                case PartStartEvent(part=TextPart(content=text)):
                    texts.append(text)
                case PartDeltaEvent(delta=delta):
                    texts.append(getattr(delta, 'content_delta', ''))
                case _:
                    pass
        response = opened.get()
    assert len(texts) > 1
    assert ''.join(texts) == response.text == 'Once upon a time. '
    assert response.finish_reason == 'stop'
    assert any(WARNING in warning for warning in response.warnings)


@pytest.mark.parametrize('make', MODELS)
async def test_a_tool_call_after_a_stop_sequence_is_dropped(url: str, make: Callable[[str], Model]) -> None:
    parameters = ModelRequestParameters(function_tools=[ToolDefinition('add', {'type': 'object', 'properties': {}})])
    for stops, calls in ((['END'], []), (['NEVER'], ['add'])):
        settings: Any = {'stop_sequences': stops}
        response = await model_request(
            make(url), 'A story', model_settings=settings, model_request_parameters=parameters
        )
        async with model_request_stream(
            make(url), 'A story', model_settings=settings, model_request_parameters=parameters
        ) as opened:
            async for _ in opened:
                pass
        for each in (response, opened.get()):
            assert [call.tool_name for call in each.tool_calls] == calls
            assert (each.text == ''.join(PIECES)) is bool(calls)


async def test_an_agent_gets_the_truncated_text(url: str) -> None:
    agent = Agent(OpenAIChatModel('gpt-5', base_url=url), model_settings={'stop_sequences': ['END']})
    assert (await agent.run('A story')).output == 'Once upon a time. '
    async with agent.run_stream('A story') as streamed:
        assert await streamed.get_output() == 'Once upon a time. '


async def test_unsupported_settings_decide_about_refused_stop_sequences(url: str) -> None:
    model = OpenAIChatModel('gpt-5', base_url=url)
    with pytest.raises(UserError, match=r"^'stop_sequences' was not sent"):
        await model_request(model, 'Hi', model_settings={'stop_sequences': ['END'], 'unsupported_settings': 'error'})
    response = await model_request(
        model, 'Hi', model_settings={'stop_sequences': ['END'], 'unsupported_settings': 'drop'}
    )
    assert (response.text, response.warnings) == ('Once upon a time. ', [])
