"""Models of this library inside agents of pydantic-ai."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

pytest.importorskip('pydantic_ai', reason='needs pydantic-ai: `make test-bridges` installs it')

import pydantic_ai.exceptions as their_errors
import pydantic_ai.messages as theirs
from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry, NativeOutput, PromptedOutput, RunContext, ToolOutput
from pydantic_ai.capabilities import NativeTool
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.function import FunctionModel as TheirFunctionModel
from pydantic_ai.native_tools import CodeExecutionTool, MCPServerTool, WebSearchTool, XSearchTool
from pydantic_ai.settings import ModelSettings as TheirSettings, ToolOrOutput

from pydantic_llm.exceptions import (
    ContentFilterError,
    LLMError,
    ModelAPIError,
    ModelHTTPError,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_llm.ext.pydantic_ai import (
    PydanticLLMModel,
    messages_from_pydantic_ai,
    messages_to_pydantic_ai,
)
from pydantic_llm.messages import (
    BinaryContent,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models.function import (
    AgentInfo,
    DeltaThinkingPart,
    DeltaToolCall,
    FunctionModel,
)
from pydantic_llm.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.usage import RequestUsage
from tests.ext.conftest import ModelMaker


class City(BaseModel):
    name: str
    country: str


TIME = datetime(2026, 1, 1, tzinfo=UTC)
PARIS = {'name': 'Paris', 'country': 'France'}


def reply(*parts: Any, **fields: Any) -> FunctionModel:
    return FunctionModel(lambda messages, info: ModelResponse([*parts], **fields))


def read_instructions(messages: list[ModelMessage], info: AgentInfo) -> str:
    """Return the instructions. Some APIs have them in system prompts."""
    prompts = (part.content for part in messages[0].parts if isinstance(part, SystemPromptPart))
    return '\n'.join([*prompts, info.instructions or ''])


def roll_then_answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Call both tools, then answer with their results."""
    results = [part for part in messages[-1].parts if isinstance(part, ToolReturnPart)]
    if results:
        return ModelResponse([TextPart(f'{results[1].content}, you rolled {results[0].content}.')])
    assert 'Guess.' in read_instructions(messages, info)
    return ModelResponse([ToolCallPart('roll', {}, 'id_1'), ToolCallPart('get_name', {}, 'id_2')])


def answer_with_a_city(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Answer in the form that was asked for."""
    for tool in [*info.output_tools, *info.function_tools]:
        return ModelResponse([ToolCallPart(tool.name, PARIS)])
    if info.model_request_parameters.output_object is None:
        assert read_instructions(messages, info).count('"country"') == 2, 'a property, which is required'
    return ModelResponse([TextPart(json.dumps(PARIS))])


def dice_agent(model: Any) -> Agent[str, str]:
    agent = Agent(model, deps_type=str, instructions='Guess.')

    @agent.tool_plain
    def roll() -> str:
        """Roll a die."""
        return '4'

    @agent.tool
    def get_name(context: RunContext[str]) -> str:
        """Return the player's name."""
        return context.deps

    return agent


async def test_an_agent_with_tools_and_dependencies_runs(make_model: ModelMaker) -> None:
    result = await dice_agent(PydanticLLMModel(make_model(roll_then_answer))).run('My guess is 4', deps='Anne')
    assert result.output == 'Anne, you rolled 4.'
    assert result.usage.requests == 2
    assert result.usage.input_tokens > 0


@pytest.fixture
def own_loop() -> Iterator[None]:
    """The event loop that `run_sync` uses, and does not close."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    loop.close()
    asyncio.set_event_loop(None)


def test_an_agent_runs_without_awaiting(make_model: ModelMaker, own_loop: None) -> None:
    agent = dice_agent(PydanticLLMModel(make_model(roll_then_answer)))
    assert agent.run_sync('My guess is 4', deps='Anne').output == 'Anne, you rolled 4.'


async def test_an_agent_streams(make_model: ModelMaker) -> None:
    agent = dice_agent(PydanticLLMModel(make_model(roll_then_answer)))
    async with agent.run_stream('My guess is 4', deps='Anne') as result:
        texts = [text async for text in result.stream_text(debounce_by=None)]
    assert texts[-1] == 'Anne, you rolled 4.'
    assert result.usage.output_tokens > 0
    assert result.response.finish_reason in (None, 'stop')


@pytest.mark.parametrize('output_type', [City, ToolOutput(City), NativeOutput(City), PromptedOutput(City)])
@pytest.mark.parametrize('stream', [False, True])
async def test_every_form_of_output_works(make_model: ModelMaker, output_type: Any, stream: bool) -> None:
    agent = Agent(PydanticLLMModel(make_model(answer_with_a_city)), output_type=output_type)
    if stream:
        async with agent.run_stream('Where is the Eiffel Tower?') as result:
            assert await result.get_output() == City(**PARIS)
    else:
        assert (await agent.run('Where is the Eiffel Tower?')).output == City(**PARIS)


async def test_a_retry_reaches_the_model() -> None:
    received: list[ModelMessage] = []

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        received[:] = messages
        calls = sum(isinstance(message, ModelResponse) for message in messages)
        return ModelResponse([ToolCallPart('look', {'city': 'x' * (calls + 1)})] if calls < 2 else [TextPart('Done')])

    agent = Agent(PydanticLLMModel(FunctionModel(respond)))

    @agent.tool_plain(retries=3)
    def look(city: str) -> str:
        """Look."""
        if len(city) < 2:
            raise ModelRetry('Longer, please.')
        return 'ok'

    assert (await agent.run('Look!')).output == 'Done'
    [first, second] = [part for message in received for part in message.parts if hasattr(part, 'tool_call_id')][1::2]
    assert 'Longer, please.' in str(first)
    assert isinstance(second, ToolReturnPart)


async def test_thinking_and_its_signature_come_back_to_the_model() -> None:
    received: list[ModelMessage] = []
    thinking = ThinkingPart('Hm', id='1', signature='sig', provider_name='anthropic', provider_details={'a': 1})

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        received[:] = messages
        return ModelResponse([thinking, TextPart('Hi')])

    agent = Agent(PydanticLLMModel(FunctionModel(respond)))
    first = await agent.run('Hello')
    assert first.response.thinking == 'Hm'
    await agent.run('Again', message_history=first.all_messages())
    assert received[1].parts[0] == thinking


def strip_times(parts: Sequence[Any]) -> list[Any]:
    return [replace(part, timestamp=TIME) if hasattr(part, 'timestamp') else part for part in parts]


async def test_a_stream_has_the_parts_of_the_whole_response() -> None:
    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        yield {0: DeltaThinkingPart(content='H')}
        yield {0: DeltaThinkingPart(content='m', signature='sig')}
        yield 'I '
        yield 'call.'
        yield {1: DeltaToolCall('f', '{"a"', tool_call_id='id_1')}
        yield {1: DeltaToolCall(None, ': 1}')}
        yield {2: NativeToolCallPart('web_search', {'query': 'x'}, 'id_2', provider_name='openai')}
        yield {3: NativeToolReturnPart('web_search', {'found': 1}, 'id_2', provider_name='openai')}

    model = PydanticLLMModel(FunctionModel(stream_function=stream))
    from pydantic_ai.models import ModelRequestParameters

    messages = [theirs.ModelRequest([theirs.UserPromptPart('Hello')])]
    whole = await model.request([*messages], None, ModelRequestParameters())
    async with model.request_stream([*messages], None, ModelRequestParameters()) as streamed:
        events = [event async for event in streamed]
    assert strip_times(streamed.get().parts) == strip_times(whole.parts)
    assert [part.part_kind for part in whole.parts][:3] == ['thinking', 'text', 'tool-call']
    assert (streamed.get().finish_reason, streamed.get().state) == ('tool_call', 'complete')
    assert len(events) > 8
    assert streamed.usage.output_tokens == whole.usage.output_tokens


async def test_a_stream_can_be_cancelled() -> None:
    closed: list[bool] = []

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        try:
            while True:
                yield 'more '
        finally:
            closed.append(True)

    async with Agent(PydanticLLMModel(FunctionModel(stream_function=stream))).run_stream('Hello') as result:
        async for _ in result.stream_text(delta=True, debounce_by=None):
            await result.cancel()
            break
    assert closed == [True]
    assert result.response.state == 'interrupted'


async def test_settings_reach_the_model() -> None:
    received: list[Any] = []

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        received.append(info.model_settings)
        return ModelResponse([TextPart('Hi')])

    model = PydanticLLMModel(FunctionModel(respond), settings={'temperature': 0.5, 'max_retries': 1})
    settings: Any = {'thinking': 'low', 'cache': {'retention': '30m'}, 'request_timeout': 60, 'openai_user': 'me'}
    await Agent(model).run('Hello', model_settings={**settings, 'max_tokens': 5, 'timeout': 3})
    expected = {'temperature': 0.5, 'retries': 1, 'max_tokens': 5, 'timeout': 3, 'openai_user': 'me'}
    assert received == [{**expected, 'thinking': 'low', 'cache': 1800}]


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'citations': True}, "'citations' is not supported"),
        ({'cache': {'messages': False}}, 'CachePoint'),
        ({'timeout': object()}, 'not a number of seconds'),
        ({'temperature': 'hot'}, 'temperature'),
    ],
)
async def test_a_setting_that_cannot_be_sent_is_a_user_error(settings: Any, message: str) -> None:
    with pytest.raises(their_errors.UserError, match=message):
        await Agent(PydanticLLMModel(TestModel()), model_settings=settings).run('Hello')


async def test_a_choice_of_tools_or_output_keeps_the_other_tools_away() -> None:
    received: list[list[str]] = []

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        received.append([tool.name for tool in info.function_tools])
        return ModelResponse([TextPart('Hi')])

    agent = dice_agent(PydanticLLMModel(FunctionModel(respond)))
    choice = TheirSettings(tool_choice=ToolOrOutput(function_tools=['roll']))
    await agent.run('Hello', deps='Anne', model_settings=choice)
    assert received == [['roll']]


async def test_files_reach_the_model() -> None:
    received: list[ModelMessage] = []

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        received[:] = messages
        return ModelResponse([TextPart('A cat')])

    prompt = [
        'What is it?',
        theirs.BinaryContent(b'\x89PNG', media_type='image/png'),
        theirs.ImageUrl('https://example.com/cat.png', vendor_metadata={'detail': 'low'}),
        theirs.CachePoint(),
    ]
    await Agent(PydanticLLMModel(FunctionModel(respond))).run(prompt)
    [request] = received
    assert isinstance(request.parts[0], UserPromptPart)
    text, image, url, _ = request.parts[0].items()
    assert text == 'What is it?'
    assert isinstance(image, BinaryContent)
    assert image.data == b'\x89PNG'
    assert isinstance(url, ImageUrl)
    assert url.vendor_metadata == {'detail': 'low'}


async def test_native_tools_reach_the_model_or_are_refused() -> None:
    received: list[Any] = []

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        received[:] = info.model_request_parameters.native_tools
        return ModelResponse([TextPart('Hi')])

    model = PydanticLLMModel(FunctionModel(respond))

    async def run(model: PydanticLLMModel, tool: Any) -> None:
        await Agent(model, capabilities=[NativeTool(tool)]).run('Hello')

    await run(model, WebSearchTool(max_uses=2, user_location={'city': 'Paris', 'country': 'FR'}))
    [search] = received
    assert (search.max_uses, search.user_location.city) == (2, 'Paris')
    await run(model, MCPServerTool(id='wiki', url='https://example.com/mcp', allowed_tools=['read']))
    assert received[0].allowed_tools == ['read']
    with pytest.raises(their_errors.UserError, match=r'XSearchTool|x_search|X Search'):
        await run(model, XSearchTool())
    with pytest.raises(their_errors.UserError, match='external_web_access'):
        await run(model, WebSearchTool(external_web_access=True))


def test_the_profile_has_the_native_tools_of_the_model() -> None:
    provider = OpenAIProvider(api_key='key')
    chat = PydanticLLMModel(OpenAIChatModel('gpt-4o', provider=provider))
    responses = PydanticLLMModel(OpenAIResponsesModel('gpt-4o', provider=provider))
    assert CodeExecutionTool not in chat.profile['supported_native_tools']
    assert CodeExecutionTool in responses.profile['supported_native_tools']
    assert (chat.model_name, chat.system, chat.base_url) == ('gpt-4o', 'openai', 'https://api.openai.com/v1/')


ERRORS: list[tuple[LLMError, type[Exception]]] = [
    (UserError('No.'), their_errors.UserError),
    (ModelHTTPError(429, 'm', {'code': 'slow'}, message='No.'), their_errors.ModelHTTPError),
    (ModelAPIError('m', 'No.'), their_errors.ModelAPIError),
    (ContentFilterError('No.'), their_errors.ContentFilterError),
    (UnexpectedModelBehavior('No.'), their_errors.UnexpectedModelBehavior),
]


@pytest.mark.parametrize(('error', 'kind'), ERRORS, ids=lambda value: type(value).__name__)
async def test_an_error_is_one_of_pydantic_ai(error: LLMError, kind: type[Exception]) -> None:
    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        raise error

    agent = Agent(PydanticLLMModel(FunctionModel(respond)))
    with pytest.raises(kind) as whole:
        await agent.run('Hello')
    assert whole.value.__cause__ is error
    with pytest.raises(kind) as streamed:
        async with agent.run_stream('Hello'):
            pass
    assert type(streamed.value) is type(whole.value)
    if isinstance(whole.value, their_errors.ModelHTTPError):
        assert (whole.value.status_code, whole.value.body) == (429, {'code': 'slow'})


async def test_an_error_in_the_middle_of_a_stream_is_one_of_pydantic_ai() -> None:
    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        yield 'one '
        raise ModelHTTPError(503, 'm', {}, message='No.')

    with pytest.raises(their_errors.ModelHTTPError):
        async with Agent(PydanticLLMModel(FunctionModel(stream_function=stream))).run_stream('Hello') as result:
            await result.get_output()


async def test_their_fallback_model_falls_back_between_models() -> None:
    def fail(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        raise ModelHTTPError(429, 'm', {}, message='Slow down.')

    model = FallbackModel(PydanticLLMModel(FunctionModel(fail)), PydanticLLMModel(reply(TextPart('Hi'))))
    assert (await Agent(model).run('Hello')).output == 'Hi'


HISTORY: list[ModelMessage] = [
    ModelRequest(
        [SystemPromptPart('Be brief.'), UserPromptPart(['Look', BinaryContent(b'x', media_type='image/png')])]
    ),
    ModelResponse(
        [
            ThinkingPart('Hm', signature='sig', provider_name='anthropic'),
            ToolCallPart('f', '{"a": 1}', 'id_1'),
            NativeToolCallPart('web_search', {'query': 'x'}, 'id_2', provider_name='anthropic'),
            NativeToolReturnPart('web_search', [{'url': 'https://example.com'}], 'id_2', provider_name='anthropic'),
        ],
        usage=RequestUsage(input_tokens=7, output_tokens=3, cache_read_tokens=2),
        model_name='claude',
        provider_name='anthropic',
        provider_response_id='msg_1',
        finish_reason='tool_call',
    ),
    ModelRequest(
        [ToolReturnPart('f', {'ok': True}, 'id_1'), ToolReturnPart('g', 'No.', 'id_3', outcome='failed')],
        instructions='Guess.',
    ),
    ModelResponse([TextPart('Done')]),
]


def test_a_history_is_the_same_after_both_conversions() -> None:
    converted = messages_to_pydantic_ai(HISTORY)
    assert isinstance(converted[1], theirs.ModelResponse)
    assert messages_from_pydantic_ai(converted) == HISTORY
    assert messages_to_pydantic_ai(messages_from_pydantic_ai(converted)) == converted


def test_warnings_are_in_the_metadata() -> None:
    [response] = messages_to_pydantic_ai([ModelResponse([TextPart('Hi')], warnings=['No seed.'], metadata={'a': 1})])
    assert response.metadata == {'a': 1, 'warnings': ['No seed.']}


def test_a_history_that_is_none_is_a_user_error() -> None:
    with pytest.raises(UserError, match='not a history of pydantic-ai'):
        messages_from_pydantic_ai([{'role': 'user', 'content': 'Hello'}])


async def test_a_conversation_moves_between_their_models_and_ours() -> None:
    def respond(messages: list[Any], info: Any) -> theirs.ModelResponse:
        return theirs.ModelResponse([theirs.TextPart(f'{len(messages)} messages')])

    agent = dice_agent(PydanticLLMModel(FunctionModel(roll_then_answer)))
    first = await agent.run('My guess is 4', deps='Anne')
    second = await Agent(TheirFunctionModel(respond)).run('And now?', message_history=first.all_messages())
    assert second.output == '5 messages'
    third = await Agent(PydanticLLMModel(reply(TextPart('Bye')))).run('Bye', message_history=second.all_messages())
    assert third.output == 'Bye'


async def test_tokens_are_counted_before_a_request() -> None:
    from pydantic_ai.usage import UsageLimits

    agent = Agent(PydanticLLMModel(reply(TextPart('Hi'))))
    with pytest.raises(their_errors.UsageLimitExceeded):
        await agent.run('Hello', usage_limits=UsageLimits(input_tokens_limit=1, count_tokens_before_request=True))
