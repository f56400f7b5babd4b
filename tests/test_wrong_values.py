"""Values of a wrong type, at every public entry point and with every kind of model: a sentence names the parameter."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from copy import copy
from pathlib import Path
from typing import Annotated, Any, Literal, NewType

import pytest

from pydantic_llm import Agent, TextOutput, Tool, ToolOutput, UserError, infer_model
from pydantic_llm.constraints import Choice, Grammar, JsonSchema, Regex
from pydantic_llm.direct import (
    model_request,
    model_request_stream,
    model_request_stream_sync,
    model_request_sync,
)
from pydantic_llm.messages import (
    ImageUrl,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import Model, ModelRequestParameters
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.bedrock import BedrockConverseModel
from pydantic_llm.models.cohere import CohereModel
from pydantic_llm.models.concurrency import ConcurrencyLimitedModel
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.models.groq import GroqModel
from pydantic_llm.models.huggingface import HuggingFaceModel
from pydantic_llm.models.mistral import MistralModel
from pydantic_llm.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_llm.models.rate_limit import RateLimitedModel
from pydantic_llm.models.router import Deployment, RouterModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.models.wrapper import WrapperModel
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.serve import Fault, LocalServer, create_app
from pydantic_llm.usage import UsageLimits

Case = tuple[str, Any]

HELLO = ModelRequest.user_text_prompt('Hello')


def respond(messages: list[Any], info: AgentInfo) -> ModelResponse:
    return ModelResponse([TextPart('Hello')])


async def stream(messages: list[Any], info: AgentInfo) -> AsyncIterator[str]:
    yield 'Hello'


def openai() -> OpenAIProvider:
    return OpenAIProvider(base_url='http://127.0.0.1:9/v1', api_key='k')


MODELS: dict[str, Callable[[], Model]] = {
    'test': TestModel,
    'function': lambda: FunctionModel(respond, stream_function=stream),
    'openai-chat': lambda: OpenAIChatModel('gpt-4o', provider=openai()),
    'openai-responses': lambda: OpenAIResponsesModel('gpt-4o', provider=openai()),
    'anthropic': lambda: AnthropicModel('claude-sonnet-4-5', api_key='k'),
    'gemini': lambda: GeminiModel('gemini-2.5-flash', api_key='k'),
    'wrapper': lambda: WrapperModel(TestModel()),
    'fallback': lambda: FallbackModel(TestModel(), OpenAIChatModel('gpt-4o', provider=openai())),
    'router': lambda: RouterModel([TestModel()]),
    'limited': lambda: RateLimitedModel(TestModel(), tokens_per_minute=1e12),
}

PROMPTS: list[Any] = [
    b'Hello',
    7,
    {'role': 'user', 'content': 'Hello'},
    [{'role': 'user', 'content': 'Hello'}],
    Path('photo.png'),
    ['Look', Path('photo.png')],
    ['Look', b'bytes'],
    ['Look', None],
    ['Look', ['nested']],
    {'set'},
    ImageUrl('https://example.com/a.png'),
    [HELLO],
    print,
    str,
]
HISTORIES: list[Any] = [
    'Hello',
    b'Hello',
    7,
    HELLO,
    {'role': 'user', 'content': 'Hello'},
    [{'role': 'user', 'content': 'Hello'}],
    ['Hello'],
    [None],
    [HELLO, UserPromptPart('Hello')],
    [ModelRequest],
    [ModelRequest('Hello')],  # type: ignore[arg-type]
    [ModelRequest(['Hello'])],  # type: ignore[list-item]
    [ModelRequest([TextPart('Hello')])],  # type: ignore[list-item]
    [ModelRequest([UserPromptPart(b'Hello')])],  # type: ignore[arg-type]
    [ModelRequest([UserPromptPart([7])])],  # type: ignore[list-item]
    [ModelRequest([SystemPromptPart(None)])],  # type: ignore[arg-type]
    [HELLO, ModelResponse('Hello')],  # type: ignore[arg-type]
    [HELLO, ModelResponse([UserPromptPart('Hello')])],  # type: ignore[list-item]
    (message for message in [HELLO]),
]
SETTINGS: list[Any] = ['hot', 7, [('temperature', 1)], lambda context: {}, {7: 1}, dict]
PARAMETERS: list[Any] = [
    {'function_tools': []},
    ModelRequestParameters,
    ModelRequestParameters(function_tools=[print]),  # type: ignore[list-item]
    ModelRequestParameters(function_tools=print),  # type: ignore[arg-type]
    ModelRequestParameters(output_tools=['final_result']),  # type: ignore[list-item]
    ModelRequestParameters(native_tools=['web_search']),  # type: ignore[list-item]
]


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Model:
    """Return each kind of model in turn."""
    return MODELS[request.param]()


def show(value: object) -> str:
    return re.sub(r' at 0x[0-9a-f]+', '', repr(value)[:40])


# -------------------------------------------------------------------------------------------------------------- models


async def test_a_model_refuses_wrong_messages(model: Model) -> None:
    prompts: list[Any] = [[ModelRequest([UserPromptPart(prompt)])] for prompt in PROMPTS]
    for history in [*HISTORIES, *prompts]:
        with pytest.raises(UserError, match=r'^(messages|UserPromptPart|SystemPromptPart) takes'):
            await model.request(history)
        with pytest.raises(UserError, match=r'^(messages|UserPromptPart|SystemPromptPart) takes'):
            await drain(model.request_stream(history))


@pytest.mark.parametrize(
    'constraint',
    [Choice(()), Choice('yes'), Choice(('yes', 3)), Regex(None), Grammar('a', syntax='abnf'), JsonSchema([])],  # type: ignore[arg-type]
    ids=repr,
)
async def test_a_model_refuses_a_constraint_with_a_wrong_value(constraint: Any) -> None:
    with pytest.raises(UserError, match='constraint is'):
        await TestModel().request([HELLO], {'constraint': constraint})


async def test_a_model_refuses_settings_that_are_no_dict(model: Model) -> None:
    for settings in SETTINGS:
        with pytest.raises(UserError, match=r'^model_settings takes'):
            await model.request([HELLO], settings)


async def test_a_model_refuses_wrong_parameters(model: Model) -> None:
    names = r'^(model_request_parameters|function_tools|output_tools|native_tools) takes'
    for parameters in PARAMETERS:
        with pytest.raises(UserError, match=names):
            await model.request([HELLO], None, parameters)


async def drain(manager: Any) -> None:
    async with manager as opened:
        async for _ in opened:
            pass


# -------------------------------------------------------------------------------------------------------- direct calls


@pytest.mark.parametrize('history', [value for value in HISTORIES if value not in ('Hello', HELLO)], ids=show)
def test_a_direct_request_refuses_wrong_messages(history: Any) -> None:
    with pytest.raises(UserError, match=r'^(messages|UserPromptPart|SystemPromptPart) takes'):
        model_request_sync(TestModel(), history)


@pytest.mark.parametrize('wrong', [7, None, TestModel, ['openai:gpt-4o'], print], ids=show)
def test_what_is_no_model_is_refused_everywhere(wrong: Any) -> None:
    agent = Agent(TestModel())
    doors: list[Callable[[], object]] = [
        lambda: infer_model(wrong),
        lambda: WrapperModel(wrong),
        lambda: FallbackModel(wrong),
        lambda: FallbackModel('test', wrong),
        lambda: Deployment(wrong),
        lambda: RouterModel([wrong]),
        lambda: ConcurrencyLimitedModel(wrong, limit=1),
        lambda: model_request_sync(wrong, 'Hello'),
        lambda: asyncio.run(model_request(wrong, 'Hello')),
        lambda: asyncio.run(drain(model_request_stream(wrong, 'Hello'))),
        lambda: model_request_stream_sync(wrong, 'Hello').__enter__(),
        lambda: create_app(wrong),
        lambda: create_app({'name': wrong}),
    ]
    if wrong is not None and wrong is not print:  # an agent takes a function that chooses the model
        doors += [
            lambda: Agent(wrong),
            lambda: Agent(wrong, defer_model_check=True),
            lambda: agent.run_sync('Hello', model=wrong),
            lambda: agent.override(model=wrong),
        ]
    for number, door in enumerate(doors):
        with pytest.raises(UserError) as caught:
            door()
        assert ' takes ' in str(caught.value), number


# -------------------------------------------------------------------------------------------------------------- agents


@pytest.mark.parametrize('prompt', PROMPTS, ids=show)
def test_a_run_refuses_a_wrong_prompt(prompt: Any) -> None:
    with pytest.raises(UserError, match=r'^user_prompt takes'):
        Agent(TestModel()).run_sync(prompt)


RUN_OPTIONS: list[Case] = [
    *(('message_history', value) for value in HISTORIES),
    *(('model_settings', value) for value in SETTINGS if not callable(value)),  # a function chooses them
    ('usage_limits', {'request_limit': 1}),
    ('usage_limits', UsageLimits),
    ('usage', {}),
    ('run_id', 7),
    ('conversation_id', b'7'),
    ('instructions', 7),
]


@pytest.mark.parametrize(('name', 'value'), RUN_OPTIONS, ids=show)
def test_a_run_refuses_a_wrong_option(name: str, value: Any) -> None:
    agent = Agent(TestModel())
    options: Any = {name: value}
    for start in (
        lambda: agent.run_sync('Hello', **options),
        lambda: asyncio.run(drain(agent.run_stream_events('Hello', **options))),
        lambda: agent.run_stream_sync('Hello', **options).get_output(),
        lambda: asyncio.run(agent.run_stream('Hello', **options).__aenter__()),
    ):
        with pytest.raises(UserError, match=rf'^({name}|UserPromptPart|SystemPromptPart) takes'):
            start()


def test_a_history_that_is_a_result_is_refused_with_a_hint() -> None:
    agent = Agent(TestModel())
    result: Any = agent.run_sync('Hello')
    with pytest.raises(UserError, match=r'^message_history takes .*; pass its all_messages\(\)$'):
        agent.run_sync('Hello', message_history=result)


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('model_settings', 'hot'),
        ('tools', print),
        ('tools', 'search'),
        ('tools', ['search']),
        ('native_tools', ['web_search']),
        ('instructions', 7),
        ('system_prompt', 7),
        ('name', 7),
        ('retries', 'many'),
        ('retries', True),
        ('output_retries', 1.5),
        ('end_strategy', 'late'),
        ('end_strategy', None),
    ],
    ids=show,
)
def test_an_agent_refuses_a_wrong_argument(name: str, value: Any) -> None:
    options: Any = {name: value}
    with pytest.raises(UserError, match=rf'^{name} (takes|is) '):
        Agent(TestModel(), **options)


def test_a_setting_as_an_option_of_a_run_is_refused_with_a_hint() -> None:
    options: Any = {'temperature': 1}
    with pytest.raises(
        TypeError, match=r"^A run has no option 'temperature'; as a setting: model_settings=\{'temperature': ...\}$"
    ):
        Agent(TestModel()).run_sync('Hello', **options)


@pytest.mark.parametrize(
    ('name', 'hint'),
    [('temperature', r'; as a setting: model_settings=\{.*'), ('tool', "; did you mean 'tools'\\?"), ('x', '')],
)
def test_an_unknown_keyword_of_an_agent_is_refused_with_a_hint(name: str, hint: str) -> None:
    options: Any = {name: 1}
    with pytest.raises(TypeError, match=rf"^Agent\(\) got an unexpected keyword argument '{name}'{hint}$"):
        Agent(TestModel(), **options)


def test_a_class_made_of_the_agent_may_have_keywords_of_its_own() -> None:
    class Named(Agent[None, str]):
        def __init__(self, *, nickname: str) -> None:
            super().__init__(TestModel())
            self.nickname = nickname

    assert copy(Named(nickname='Li')).nickname == 'Li'


def test_an_event_stream_handler_must_be_a_function() -> None:
    handler: Any = 'print'
    with pytest.raises(UserError, match=r'^event_stream_handler takes a function'):
        Agent(TestModel()).run_sync('Hello', event_stream_handler=handler)


# ---------------------------------------------------------------------------------------------- the models themselves


ROOMS: tuple[Callable[..., Model], ...] = (
    OpenAIChatModel,
    OpenAIResponsesModel,
    AnthropicModel,
    GeminiModel,
    CohereModel,
    BedrockConverseModel,
    GroqModel,
    MistralModel,
    HuggingFaceModel,
)


@pytest.mark.parametrize('room', ROOMS)
def test_a_room_refuses_wrong_arguments(room: Callable[..., Model], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('AWS_DEFAULT_REGION', 'us-east-1')
    wrong: list[tuple[str, Any]] = [
        ('model_name', 7),
        ('provider', 7),
        ('provider', dict),
        ('settings', 'hot'),
        ('profile', 7),
    ]
    for name, value in wrong:
        options: Any = {'model_name': 'm', name: value} | ({} if name == 'provider' else {'api_key': 'k'})
        with pytest.raises(UserError, match=f'^{name}(= of .*)? takes '):
            room(**options)


def test_a_function_that_returns_no_response_is_an_error() -> None:
    async def yield_numbers(messages: list[Any], info: AgentInfo) -> AsyncIterator[Any]:
        yield 7

    def return_nothing(messages: list[Any], info: AgentInfo) -> Any:
        return None

    with pytest.raises(UserError, match=r'^FunctionModel takes a function that returns a ModelResponse, not None$'):
        Agent(FunctionModel(return_nothing)).run_sync('Hello')
    for wrong in (yield_numbers, return_nothing):
        with pytest.raises(UserError, match=r'^stream_function takes '):
            Agent(FunctionModel(stream_function=wrong)).run_sync('Hello')


# ------------------------------------------------------------------------------------------------------------ the rest


def test_an_app_refuses_a_name_with_a_hint() -> None:
    name: Any = 'openai:gpt-4o'
    with pytest.raises(UserError, match=r"pass infer_model\('openai:gpt-4o'\)$"):
        create_app(name)


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('key', 7),
        ('faults', {'status': 500}),
        ('max_body_bytes', '1 MB'),
        ('max_body_bytes', True),
        ('allowed_hosts', 'a.b'),
        ('allowed_hosts', [1]),
    ],
    ids=show,
)
def test_an_app_refuses_a_wrong_option(name: str, value: Any) -> None:
    options: Any = {name: value}
    with pytest.raises(UserError, match=rf'^{name}(= of .*)? takes '):
        create_app(TestModel(), **options)


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('cost', 5),
        ('cost', ('1', '2')),
        ('cost', (1.0,)),
        ('cost', (1.0, -2.0)),
        ('weight', 'heavy'),
        ('weight', None),
        ('weight', True),
        ('concurrency', '8'),
        ('requests_per_minute', [1]),
        ('tokens_per_minute', lambda: 5),
        ('name', 7),
    ],
    ids=show,
)
def test_a_deployment_refuses_a_wrong_option(name: str, value: Any) -> None:
    options: Any = {name: value}
    with pytest.raises(UserError, match=rf'^{name}(\[\d\])? (takes|is) '):
        Deployment(TestModel(), **options)


def test_other_models_refuse_wrong_options() -> None:
    wrong: Any = 'x'
    for make, name in (
        (lambda: RouterModel(wrong), 'RouterModel'),
        (lambda: RouterModel([TestModel()], fallbacks=[wrong]), 'RouterModel'),
        (lambda: RouterModel([TestModel()], cooldown=wrong), 'cooldown'),
        (lambda: RouterModel([TestModel()], max_wait=wrong), 'max_wait'),
        (lambda: FallbackModel('test', attempt_timeout=wrong), 'attempt_timeout'),
        (lambda: FallbackModel('test', settings=wrong), 'settings'),
        (lambda: ConcurrencyLimitedModel('test', limit=wrong), 'limit'),
        (lambda: RateLimitedModel('test', requests_per_minute=wrong), 'requests_per_minute'),
        (lambda: TestModel(call_tools=7), 'call_tools'),  # type: ignore[arg-type]
        (lambda: TestModel(call_tools=[print]), 'call_tools'),  # type: ignore[list-item]
        (lambda: FunctionModel(wrong), 'function'),
        (lambda: FunctionModel(stream_function=wrong), 'stream_function'),
    ):
        with pytest.raises(UserError, match=rf'{name} (takes|is) '):
            make()


WRONG: Any = 5

NOT_FUNCTIONS: dict[str, Callable[[], object]] = {
    'Tool': lambda: Tool(WRONG),
    'Agent.tool': lambda: Agent('test').tool(WRONG),
    'Agent.tool_plain': lambda: Agent('test').tool_plain(WRONG),
    'Agent.output_validator': lambda: Agent('test').output_validator(WRONG),
    'Agent.instructions': lambda: Agent('test').instructions(WRONG),
    'Agent.system_prompt': lambda: Agent('test').system_prompt(WRONG),
    'TextOutput': lambda: Agent('test', output_type=TextOutput(WRONG)),
}


@pytest.mark.parametrize('name', NOT_FUNCTIONS)
def test_what_is_no_function_is_refused_where_a_function_is_expected(name: str) -> None:
    with pytest.raises(UserError, match=r'^A function is expected, not 5$'):
        NOT_FUNCTIONS[name]()


@pytest.mark.parametrize('wrong', [5, 'Answer', {'type': 'object'}, ToolOutput(WRONG), [str, 5], TestModel()], ids=repr)
def test_an_output_type_is_a_type_or_a_function(wrong: Any) -> None:
    with pytest.raises(UserError, match=r'^output_type takes types and functions, not '):
        Agent('test', output_type=wrong)


@pytest.mark.parametrize(
    'right', [Any, Literal['a', 'b'], NewType('Id', int), Annotated[int, 'id'], None, list[int]], ids=repr
)
def test_an_output_type_need_not_be_a_class(right: Any) -> None:
    Agent('test', output_type=right)


def return_one() -> int:
    return 1


NUMBERS: dict[str, Callable[[Any], object]] = {
    'request_limit': lambda value: UsageLimits(request_limit=value),
    'total_tokens_limit': lambda value: UsageLimits(total_tokens_limit=value),
    'retries': lambda value: Agent('test', retries=value),
    'output_retries': lambda value: Agent('test', output_retries=value),
    'max_retries': lambda value: Tool(return_one, max_retries=value),
    'timeout': lambda value: Tool(return_one, timeout=value),
    'status': lambda value: Fault(status=value),
    'delay': lambda value: Fault(delay=value),
    'cut_after': lambda value: Fault(cut_after=value),
}


@pytest.mark.parametrize('name', NUMBERS)
@pytest.mark.parametrize('wrong', ['x', -1, True, float('nan')], ids=repr)
def test_a_number_of_an_option_is_checked_when_the_object_is_made(name: str, wrong: object) -> None:
    with pytest.raises(UserError, match=f'^{name} is {wrong!r}: give a '):
        NUMBERS[name](wrong)


@pytest.mark.parametrize('parameter', ['base_url', 'api_key'])
def test_a_provider_refuses_what_is_no_text(parameter: str) -> None:
    options: Any = {'api_key': 'k', parameter: 5}
    with pytest.raises(UserError, match=f"^{parameter}= takes text, not an object of type 'int'$"):
        OpenAIProvider(**options)


@pytest.mark.parametrize('wrong', [5, TestModel(), Agent('test'), TestModel], ids=repr)
def test_a_local_server_refuses_what_is_no_app(wrong: Any) -> None:
    with pytest.raises(UserError, match=r'^app takes an ASGI app, not .*; create_app\(model\) makes one$'):
        LocalServer(wrong)


@pytest.mark.parametrize(
    ('part', 'message'),
    [
        (TextPart(WRONG), 'TextPart takes text as content, not 5'),
        (ThinkingPart(WRONG), 'ThinkingPart takes text as content, not 5'),
        (ToolCallPart(WRONG, {}), 'ToolCallPart takes text as tool_name, not 5'),
        (ToolCallPart('look', WRONG), 'ToolCallPart takes JSON text or a dict as args, not 5'),
        (ToolCallPart('look', {}, WRONG), 'ToolCallPart takes text as tool_call_id, not 5'),
        (ToolReturnPart('look', 'x', WRONG), 'ToolReturnPart takes text as tool_call_id, not 5'),
        (RetryPromptPart(WRONG), 'RetryPromptPart takes text or a list of errors as content, not 5'),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize('model', MODELS)
def test_a_field_of_a_part_is_checked_before_a_request(part: Any, message: str, model: str) -> None:
    kind: Any = ModelResponse if isinstance(part, (TextPart, ThinkingPart, ToolCallPart)) else ModelRequest
    with pytest.raises(UserError, match=f'^{message}$'):
        model_request_sync(MODELS[model](), [kind([part])])


def test_a_history_as_json_is_refused_with_a_hint() -> None:
    history: Any = Agent('test').run_sync('Hello').all_messages_json()
    for stored in (history, history.decode()):
        with pytest.raises(UserError, match=r'JSON is read by ModelMessagesTypeAdapter\.validate_json$'):
            Agent('test').run_sync('Hello', message_history=stored)
