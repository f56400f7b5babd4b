"""Models of this library inside agents of smolagents."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from typing import Any

import pytest

smolagents = pytest.importorskip('smolagents', reason='needs smolagents: `make test-bridges` installs it')

from PIL import Image  # noqa: E402 -- smolagents needs it
from smolagents import CodeAgent, ToolCallingAgent, tool  # noqa: E402
from smolagents.models import (  # noqa: E402
    CODEAGENT_RESPONSE_FORMAT,
    ChatMessage,
    MessageRole,
    agglomerate_stream_deltas,
)

from pydantic_llm.exceptions import ModelHTTPError, UserError  # noqa: E402
from pydantic_llm.ext.smolagents import PydanticLLMModel  # noqa: E402
from pydantic_llm.messages import (  # noqa: E402
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_llm.models.function import AgentInfo, FunctionModel  # noqa: E402
from pydantic_llm.models.openai import OpenAIChatModel  # noqa: E402
from pydantic_llm.models.test import TestModel  # noqa: E402
from pydantic_llm.providers.openai import OpenAIProvider  # noqa: E402
from pydantic_llm.serve import LocalServer, create_app  # noqa: E402
from pydantic_llm.usage import RequestUsage  # noqa: E402
from tests.ext.conftest import ModelMaker  # noqa: E402

HELLO = [{'role': 'user', 'content': [{'type': 'text', 'text': 'Hello'}]}]


@tool
def get_weather(city: str) -> str:
    """Return the weather.

    Args:
        city: The name of the city.
    """
    return f'sunny in {city}'


def texts_of(messages: Sequence[ModelMessage]) -> str:
    return str([part for message in messages for part in message.parts])


def call_tools(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Ask for the weather, then answer with it."""
    if 'sunny' in texts_of(messages):
        return ModelResponse([ToolCallPart('final_answer', {'answer': 'It is sunny.'})], finish_reason='tool_call')
    call = ToolCallPart('get_weather', '{"city": "Paris"}')
    return ModelResponse([TextPart('I look it up.'), call], finish_reason='tool_call')


def write_code(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Answer in two steps of code."""
    if 'sunny' in texts_of(messages):
        return ModelResponse([TextPart('Thought: I know it.\n<code>\nfinal_answer("It is sunny.")\n')])
    return ModelResponse([TextPart('Thought: I look it up.\n<code>\nprint(get_weather("Paris"))\n</code>\nIgnored')])


def write_json(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    assert info.model_request_parameters.output_object is not None
    assert 'thought' in info.model_request_parameters.output_object.json_schema['properties']
    return ModelResponse([TextPart(json.dumps({'thought': 'I know it.', 'code': 'final_answer(6 * 7)'}))])


def reply(*parts: Any, **fields: Any) -> FunctionModel:
    return FunctionModel(lambda messages, info: ModelResponse([*parts], **fields))


@pytest.mark.parametrize('stream', [False, True])
def test_a_code_agent_runs_on_a_model(make_model: ModelMaker, stream: bool) -> None:
    model = PydanticLLMModel(make_model(write_code))
    agent = CodeAgent(tools=[get_weather], model=model, stream_outputs=stream, verbosity_level=0)
    assert agent.run('What is the weather in Paris?') == 'It is sunny.'
    assert agent.monitor.get_total_token_counts().output_tokens > 0
    assert 'Ignored' not in str(agent.memory.steps)


@pytest.mark.parametrize('stream', [False, True])
def test_a_tool_calling_agent_runs_on_a_model(make_model: ModelMaker, stream: bool) -> None:
    model = PydanticLLMModel(make_model(call_tools))
    agent = ToolCallingAgent(tools=[get_weather], model=model, stream_outputs=stream, verbosity_level=0)
    assert agent.run('What is the weather in Paris?') == 'It is sunny.'


def test_a_code_agent_gets_structured_output(make_model: ModelMaker) -> None:
    model = PydanticLLMModel(make_model(write_json))
    agent = CodeAgent(tools=[], model=model, use_structured_outputs_internally=True, verbosity_level=0)
    assert agent.run('What is 6 times 7?') == 42


def test_a_managed_agent_and_a_plan_run_on_models() -> None:
    def manage(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if 'sunny' in texts_of(messages):
            return ModelResponse([ToolCallPart('final_answer', {'answer': 'Take no umbrella.'})])
        if info.function_tools:
            return ModelResponse([ToolCallPart('weatherman', {'task': 'Paris?'})])
        return ModelResponse([TextPart('1. Ask the weatherman.<end_plan> Never read')])

    weatherman = ToolCallingAgent(
        tools=[get_weather],
        model=PydanticLLMModel(FunctionModel(call_tools)),
        name='weatherman',
        description='Knows the weather.',
        verbosity_level=0,
    )
    model = PydanticLLMModel(FunctionModel(manage))
    agent = ToolCallingAgent([], model, managed_agents=[weatherman], planning_interval=3, verbosity_level=0)
    assert agent.run('Do I need an umbrella?') == 'Take no umbrella.'
    assert 'Never read' not in str(agent.memory.steps)


@pytest.mark.parametrize('stream', [False, True])
def test_the_text_ends_at_a_stop_sequence_that_the_model_ignores(stream: bool) -> None:
    model = PydanticLLMModel(reply(TextPart('one END two')))
    message = generate(model, HELLO, stream=stream, stop_sequences=['END'])
    assert message.content == 'one '


def generate(model: PydanticLLMModel, messages: list[Any], *, stream: bool, **kwargs: Any) -> ChatMessage:
    if stream:
        return agglomerate_stream_deltas([*model.generate_stream(messages, **kwargs)])
    return model.generate(messages, **kwargs)


def test_a_model_that_refuses_stop_sequences_is_not_sent_any() -> None:
    bodies: list[dict[str, Any]] = []

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        bodies.append(dict(info.model_settings or {}))
        return ModelResponse([TextPart('one END two')])

    with LocalServer(create_app(FunctionModel(respond))) as url:
        provider = OpenAIProvider(base_url=f'{url}/v1', api_key='key')
        model = PydanticLLMModel(OpenAIChatModel('gpt-5', provider=provider))
        message = model.generate(HELLO, stop_sequences=['END'])
    assert 'stop_sequences' not in bodies[0]
    assert message.content == 'one '
    assert 'stop_sequences' in str(message.raw['pydantic_llm']['warnings'])


@pytest.mark.parametrize('stream', [False, True])
def test_tokens_are_counted(stream: bool) -> None:
    model = PydanticLLMModel(reply(TextPart('Hi'), usage=RequestUsage(input_tokens=7, output_tokens=3)))
    usage = generate(model, HELLO, stream=stream).token_usage
    assert (usage.input_tokens, usage.output_tokens) == (7, 3)


@pytest.mark.parametrize('stream', [False, True])
def test_a_response_of_thinking_and_tool_calls_keeps_the_tool_calls(stream: bool) -> None:
    calls = ToolCallPart('a', '{"x": 1}', 'id_1'), ToolCallPart('b', {}, 'id_2')
    message = generate(PydanticLLMModel(reply(ThinkingPart('Hm'), *calls)), HELLO, stream=stream)
    assert message.role == MessageRole.ASSISTANT
    found = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls]
    assert found == [('id_1', 'a', '{"x": 1}'), ('id_2', 'b', '{}')]


def test_a_tool_call_that_was_written_as_text_is_read() -> None:
    model = PydanticLLMModel(reply(TextPart('Action:\n{"name": "final_answer", "arguments": {"answer": 4}}')))
    assert ToolCallingAgent(tools=[], model=model, verbosity_level=0).run('2 + 2') == 4


def test_roles_and_images_arrive() -> None:
    received: list[ModelMessage] = []

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        received.extend(messages)
        return ModelResponse([TextPart('Hi')])

    def say(role: MessageRole, *content: Any) -> ChatMessage:
        items = [{'type': 'text', 'text': item} if isinstance(item, str) else item for item in content]
        return ChatMessage(role, items)

    PydanticLLMModel(FunctionModel(respond)).generate(
        [
            say(MessageRole.SYSTEM, 'Be brief.'),
            say(MessageRole.USER, 'Look:', {'type': 'image', 'image': Image.new('RGB', (2, 2))}),
            say(MessageRole.TOOL_CALL, 'I call.'),
            say(MessageRole.TOOL_RESPONSE, 'It is red.'),
        ]
    )
    first, second, third = received
    assert isinstance(first.parts[0], SystemPromptPart)
    assert isinstance(first.parts[1], UserPromptPart)
    text, image = first.parts[1].items()
    assert text == 'Look:'
    assert isinstance(image, BinaryContent)
    assert image.media_type == 'image/png'
    assert isinstance(second, ModelResponse)
    assert second.text == 'I call.'
    assert isinstance(third, ModelRequest)
    assert 'It is red.' in texts_of([third])


def test_parameters_and_settings_are_sent() -> None:
    received: list[Any] = []

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        received.append(info.model_settings)
        return ModelResponse([TextPart('Hi')])

    model = PydanticLLMModel(
        FunctionModel(respond), settings={'top_p': 0.5, 'temperature': 0.1}, temperature=0.9, timeout=5
    )
    model.generate(HELLO, max_tokens=10)
    assert received == [{'top_p': 0.5, 'temperature': 0.9, 'timeout': 5, 'max_tokens': 10}]


def test_a_response_format_reaches_the_model() -> None:
    assert (
        PydanticLLMModel(FunctionModel(write_json))
        .generate(HELLO, response_format=CODEAGENT_RESPONSE_FORMAT)
        .content.startswith('{')
    )


@pytest.mark.parametrize('stream', [False, True])
def test_errors_are_those_of_this_library(stream: bool) -> None:
    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        raise ModelHTTPError(400, 'gpt-4o', {}, message='No.')

    model = PydanticLLMModel(FunctionModel(respond))
    with pytest.raises(ModelHTTPError, match=r'No\.'):
        generate(model, HELLO, stream=stream)
    with pytest.raises(smolagents.AgentGenerationError) as caught:
        CodeAgent(tools=[], model=model, stream_outputs=stream, verbosity_level=0).run('Hello')
    assert isinstance(caught.value.__cause__, ModelHTTPError)


def test_an_invalid_parameter_is_a_user_error() -> None:
    with pytest.raises(UserError, match="'tool_choice' is 'sometimes'"):
        PydanticLLMModel(TestModel()).generate(HELLO, tools_to_call_from=[get_weather], tool_choice='sometimes')
    with pytest.raises(UserError, match='temperature'):
        PydanticLLMModel(TestModel(), temperature='hot').generate(HELLO)


async def test_an_agent_runs_inside_a_running_loop_and_in_threads(make_model: ModelMaker) -> None:
    model = PydanticLLMModel(make_model(call_tools))

    def run() -> Any:
        agent = ToolCallingAgent(tools=[get_weather], model=model, stream_outputs=True, verbosity_level=0)
        return agent.run('What is the weather in Paris?')

    assert run() == 'It is sunny.'
    assert await asyncio.gather(*(asyncio.to_thread(run) for _ in range(3))) == ['It is sunny.'] * 3


def test_a_stream_that_is_not_read_to_its_end_is_closed() -> None:
    closed = threading.Event()

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> Any:
        try:
            while True:
                yield 'more '
        finally:
            closed.set()

    deltas = PydanticLLMModel(FunctionModel(stream_function=stream)).generate_stream(HELLO)
    assert next(deltas) is not None
    deltas.close()
    assert closed.wait(5)


def test_an_agent_is_saved_and_loaded_with_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_API_KEY', 'key')
    model = PydanticLLMModel('openai:gpt-4o', settings={'top_p': 0.5}, temperature=0.1)
    saved = CodeAgent(tools=[], model=model, verbosity_level=0).to_dict()
    loaded = CodeAgent.from_dict(json.loads(json.dumps(saved))).model
    assert isinstance(loaded, PydanticLLMModel)
    assert isinstance(loaded.model, OpenAIChatModel)
    assert loaded.to_dict() == model.to_dict()
    assert loaded.model_id == 'openai:gpt-4o'
