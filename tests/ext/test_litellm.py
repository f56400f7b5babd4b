"""Models of this library as a provider of LiteLLM."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

os.environ['LITELLM_LOCAL_MODEL_COST_MAP'] = 'True'  # otherwise LiteLLM downloads its prices when it is imported
litellm = pytest.importorskip('litellm', reason='needs litellm: `make test-bridges` installs it')

from pydantic_llm.exceptions import (  # noqa: E402 -- they need LiteLLM
    ContentFilterError,
    ContextLengthError,
    LLMError,
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelTimeoutError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_llm.ext.litellm import register  # noqa: E402
from pydantic_llm.messages import (  # noqa: E402
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models.function import AgentInfo, FunctionModel  # noqa: E402
from pydantic_llm.usage import RequestUsage  # noqa: E402
from tests.ext.conftest import ModelMaker  # noqa: E402

pytestmark = pytest.mark.filterwarnings(
    'ignore:Items? .* on TypedDict class:UserWarning',
    'ignore:Pydantic serializer warnings:UserWarning',
    "ignore:Accessing the 'model_:DeprecationWarning",
)
"""The warnings of pydantic about LiteLLM's own code."""

HELLO = [{'role': 'user', 'content': 'Hello'}]
WEATHER = {
    'type': 'function',
    'function': {
        'name': 'get_weather',
        'description': 'Return the weather.',
        'parameters': {'type': 'object', 'properties': {'city': {'type': 'string'}}, 'required': ['city']},
    },
}
USAGE = RequestUsage(input_tokens=7, output_tokens=3, cache_read_tokens=2)


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(litellm, 'suppress_debug_info', True)
    before = litellm.custom_provider_map
    yield
    litellm.custom_provider_map = before


def reply(*parts: Any, **fields: Any) -> FunctionModel:
    return FunctionModel(lambda messages, info: ModelResponse([*parts], usage=USAGE, **fields))


def call_weather(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Think, call the tool, then answer with its result."""
    last = messages[-1].parts[-1]
    if isinstance(last, ToolReturnPart):
        return ModelResponse([TextPart(f'It is {last.content}.')], usage=USAGE, finish_reason='stop')
    assert [tool.name for tool in info.function_tools] == ['get_weather']
    thinking = ThinkingPart('Hm', signature='sig', provider_name='anthropic')
    call = ToolCallPart('get_weather', '{"city": "Paris"}', 'id_1')
    return ModelResponse([thinking, TextPart('I look it up.'), call], usage=USAGE, finish_reason='tool_call')


def test_a_model_answers_a_completion(make_model: ModelMaker) -> None:
    register({'weather': make_model(call_weather)})
    messages: list[Any] = [*HELLO]
    response = litellm.completion('pydantic_llm/weather', messages=messages, tools=[WEATHER])
    [choice] = response.choices
    assert (choice.finish_reason, choice.message.content) == ('tool_calls', 'I look it up.')
    assert json.loads(choice.message.tool_calls[0].function.arguments) == {'city': 'Paris'}
    assert (response.usage.prompt_tokens, response.usage.completion_tokens) == (7, 3)
    assert response.usage.prompt_tokens_details.cached_tokens == 2
    messages += [choice.message, {'role': 'tool', 'tool_call_id': 'id_1', 'content': 'sunny'}]
    response = litellm.completion('pydantic_llm/weather', messages=messages, tools=[WEATHER])
    assert (response.choices[0].finish_reason, response.choices[0].message.content) == ('stop', 'It is sunny.')


def test_a_model_streams_a_completion(make_model: ModelMaker) -> None:
    register({'weather': make_model(call_weather)})
    options = {'include_usage': True}
    chunks = [
        *litellm.completion(
            'pydantic_llm/weather', messages=HELLO, tools=[WEATHER], stream=True, stream_options=options
        )
    ]
    whole = litellm.stream_chunk_builder(chunks, messages=HELLO)
    [choice] = whole.choices
    assert (choice.finish_reason, choice.message.content) == ('tool_calls', 'I look it up.')
    assert json.loads(choice.message.tool_calls[0].function.arguments) == {'city': 'Paris'}
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (7, 3)


async def test_a_model_answers_a_completion_that_is_awaited(make_model: ModelMaker) -> None:
    register({'weather': make_model(call_weather)})
    response = await litellm.acompletion('pydantic_llm/weather', messages=HELLO, tools=[WEATHER])
    assert response.choices[0].message.content == 'I look it up.'
    stream = await litellm.acompletion('pydantic_llm/weather', messages=HELLO, tools=[WEATHER], stream=True)
    chunks = [chunk async for chunk in stream]
    assert litellm.stream_chunk_builder(chunks).choices[0].message.content == 'I look it up.'


@pytest.mark.parametrize('stream', [False, True])
def test_signed_thinking_comes_back_to_the_model(stream: bool) -> None:
    received: list[ModelMessage] = []

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        received[:] = messages
        return call_weather(messages, info)

    register({'weather': FunctionModel(respond)})
    response = litellm.completion('pydantic_llm/weather', messages=HELLO, tools=[WEATHER], stream=stream)
    if stream:
        response = litellm.stream_chunk_builder([*response])
    message = response.choices[0].message
    assert stream or message.reasoning_content == 'Hm'
    result = {'role': 'tool', 'tool_call_id': 'id_1', 'content': 'sunny'}
    litellm.completion('pydantic_llm/weather', messages=[*HELLO, message.model_dump(), result], tools=[WEATHER])
    assert isinstance(received[1], ModelResponse)
    assert received[1].parts[0] == ThinkingPart('Hm', signature='sig', provider_name='anthropic')
    edited = {**message.model_dump(), 'content': 'I guess.'}
    litellm.completion('pydantic_llm/weather', messages=[*HELLO, edited, result], tools=[WEATHER])
    assert isinstance(received[1], ModelResponse)
    assert received[1].text == 'I guess.'


def test_parameters_reach_the_model() -> None:
    received: list[Any] = []

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        received.append((messages, info.model_settings))
        return ModelResponse([TextPart('{}')])

    register({'gpt': FunctionModel(respond)}, settings={'top_p': 0.5, 'temperature': 1})
    image = {'type': 'image_url', 'image_url': {'url': 'https://example.com/cat.png'}}
    litellm.completion(
        'pydantic_llm/gpt',
        messages=[{'role': 'system', 'content': 'Be brief.'}, {'role': 'user', 'content': [image]}],
        temperature=0,
        stop=['x'],
        max_tokens=5,
        timeout=30,
        max_retries=0,
        top_k=4,
        extra_headers={'x-team': 'a'},
        anthropic_thinking={'type': 'disabled'},
        response_format={'type': 'json_object'},
    )
    [(messages, settings)] = received
    assert isinstance(messages[0], ModelRequest)
    assert isinstance(messages[0].parts[1], UserPromptPart)
    assert settings == {
        'top_p': 0.5,
        'temperature': 0,
        'stop_sequences': ['x'],
        'max_tokens': 5,
        'timeout': 30,
        'retries': 0,
        'top_k': 4,
        'extra_headers': {'x-team': 'a'},
        'anthropic_thinking': {'type': 'disabled'},
    }


TIMEOUT = ModelTimeoutError('m', deadline='timeout', seconds=1)

ERRORS = [
    (RateLimitError(429, 'm', {}, message='No.'), 'RateLimitError'),
    (QuotaExceededError(429, 'm', {}, message='No.'), 'RateLimitError'),
    (OverloadedError(503, 'm', {}, message='No.'), 'ServiceUnavailableError'),
    (ContextLengthError(400, 'm', {}, message='No.'), 'ContextWindowExceededError'),
    (ModelHTTPError(400, 'm', {}, message='No.'), 'BadRequestError'),
    (ModelHTTPError(500, 'm', {}, message='No.'), 'InternalServerError'),
    (ModelHTTPError(418, 'm', {}, message='No.'), 'APIError'),
    (ContentFilterError('No.'), 'ContentPolicyViolationError'),
    (TIMEOUT, 'Timeout'),
    (ModelConnectionError('m', 'No.'), 'APIConnectionError'),
    (ModelAPIError('m', 'No.'), 'APIError'),
    (UnexpectedModelBehavior('No.'), 'APIError'),
    (UserError('No.'), 'BadRequestError'),
]


@pytest.mark.parametrize(('error', 'name'), ERRORS, ids=lambda value: value if isinstance(value, str) else '')
def test_an_error_is_one_of_litellm(error: LLMError, name: str) -> None:
    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        raise error

    register({'broken': FunctionModel(respond)})
    with pytest.raises(getattr(litellm, name), match=r'No\.|did not answer') as caught:
        litellm.completion('pydantic_llm/broken', messages=HELLO, max_retries=0)
    assert type(caught.value).__name__ == name
    with pytest.raises(Exception, match=r'No\.|did not answer') as streamed:
        [*litellm.completion('pydantic_llm/broken', messages=HELLO, stream=True, max_retries=0)]
    # LiteLLM wraps the errors of streams for which its router tries the next model.
    assert type(getattr(streamed.value, 'original_exception', None) or streamed.value).__name__ == name


def test_an_unknown_model_or_a_key_is_a_bad_request() -> None:
    register()
    with pytest.raises(litellm.BadRequestError, match='opnai'):
        litellm.completion('pydantic_llm/opnai:gpt-4o', messages=HELLO)
    with pytest.raises(litellm.BadRequestError, match='api_key= is not read'):
        litellm.completion('pydantic_llm/test', messages=HELLO, api_key='key')


def test_the_router_falls_back_from_one_model_to_another() -> None:
    def fail(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        raise RateLimitError(429, 'm', {}, message='Slow down.')

    register({'slow': FunctionModel(fail), 'fast': reply(TextPart('Hi'))})
    deployments = [
        {'model_name': name, 'litellm_params': {'model': f'pydantic_llm/{name}'}} for name in ('slow', 'fast')
    ]
    router = litellm.Router(model_list=deployments, fallbacks=[{'slow': ['fast']}], num_retries=0)
    assert router.completion('slow', messages=HELLO).choices[0].message.content == 'Hi'


def test_a_later_registration_replaces_an_earlier_one() -> None:
    register({'a': reply(TextPart('one'))})
    register({'a': reply(TextPart('two'))})
    register({'a': reply(TextPart('three'))}, provider='other')
    answers = [litellm.completion(name, messages=HELLO) for name in ('pydantic_llm/a', 'other/a')]
    assert [answer.choices[0].message.content for answer in answers] == ['two', 'three']
