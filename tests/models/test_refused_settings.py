"""Settings that one model of a family refuses are not sent, at every host of the model, and are listed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from pydantic_llm.messages import ModelRequest
from pydantic_llm.models import ModelRequestParameters, infer_model
from pydantic_llm.models.bedrock import BedrockConverseModel
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.models.litellm import LiteLLMModel
from pydantic_llm.providers.bedrock import BedrockProvider
from pydantic_llm.providers.google_vertex import GoogleVertexProvider
from pydantic_llm.settings import ModelSettings
from pydantic_llm.tools.definition import ToolDefinition
from pydantic_llm.wire.model import WireModel

HELLO = [ModelRequest.user_text_prompt('Hello.')]
TOOLS = ModelRequestParameters(function_tools=[ToolDefinition('look')])

SAMPLING = {'temperature': 0.5, 'top_p': 0.9}
PENALTIES = {'presence_penalty': 0.1, 'frequency_penalty': 0.2}
LOGPROBS = {'logprobs': True, 'top_logprobs': 2}
EVERYTHING = {**SAMPLING, **PENALTIES, **LOGPROBS}
STOP = {'stop_sequences': ['END']}
SINGLE = {'parallel_tool_calls': False}

WIRE_NAMES = {
    'top_p': ('top_p', 'topP'),
    'top_k': ('top_k', 'topK'),
    'stop_sequences': ('stop', 'stop_sequences', 'stopSequences'),
    'presence_penalty': ('presence_penalty', 'presencePenalty'),
    'frequency_penalty': ('frequency_penalty', 'frequencyPenalty'),
    'logprobs': ('logprobs', 'responseLogprobs'),
    'top_logprobs': ('top_logprobs', 'logprobs'),
}
"""The fields of each setting in the rooms; the others have their own name everywhere."""


def bedrock(name: str) -> WireModel:
    keys = {'region_name': 'us-east-1', 'aws_access_key_id': 'a', 'aws_secret_access_key': 'b'}
    return BedrockConverseModel(name, provider=BedrockProvider(**keys))


def vertex(name: str) -> WireModel:
    return GeminiModel(name, provider=GoogleVertexProvider(api_key='k' * 20))


def named(name: str) -> WireModel:
    return cast('WireModel', infer_model(name, api_key='k'))


def litellm(name: str) -> WireModel:
    return LiteLLMModel(name, api_key='k')


Row = tuple[Callable[[str], WireModel], str, dict[str, Any], tuple[str, ...]]

CLAUDES = ('opus-4-1', 'sonnet-4-5', 'haiku-4-5', 'opus-4-5', 'sonnet-4-6', 'opus-4-6')

REFUSED: list[Row] = [
    # one of both, the first: every host of Claude
    *((named, f'anthropic:claude-{name}', SAMPLING, ('top_p',)) for name in CLAUDES),
    (named, 'anthropic:claude-sonnet-4-5-20250929', SAMPLING, ('top_p',)),
    (bedrock, 'us.anthropic.claude-sonnet-4-5-20250929-v1:0', SAMPLING, ('top_p',)),
    (bedrock, 'anthropic.claude-opus-4-1-20250805-v1:0', SAMPLING, ('top_p',)),
    (named, 'openrouter:anthropic/claude-sonnet-4.5', SAMPLING, ('top_p',)),
    (named, 'heroku:claude-4-5-sonnet', SAMPLING, ('top_p',)),
    (litellm, 'anthropic/claude-haiku-4-5', SAMPLING, ('top_p',)),
    (litellm, 'bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0', SAMPLING, ('top_p',)),
    # none of them: Claude from Opus 4.7 on
    (named, 'anthropic:claude-opus-4-7', {**SAMPLING, 'top_k': 5}, ('temperature', 'top_p', 'top_k')),
    (named, 'openrouter:anthropic/claude-opus-4.7', SAMPLING, ('temperature', 'top_p')),
    (bedrock, 'anthropic.claude-opus-4-7', SAMPLING, ('temperature', 'top_p')),
    # while Claude thinks
    (
        named,
        'anthropic:claude-sonnet-4-5',
        {'thinking': 'low', 'temperature': 0.5, 'top_k': 5},
        ('temperature', 'top_k'),
    ),
    (bedrock, 'anthropic.claude-sonnet-4-5-20250929-v1:0', {'thinking': 'low', 'temperature': 0.5}, ('temperature',)),
    # OpenAI's reasoning models, at their hosts
    *((named, f'openai:{name}', SINGLE, ('parallel_tool_calls',)) for name in ('o1', 'o3', 'o3-mini', 'o4-mini')),
    (named, 'openrouter:openai/o4-mini', SINGLE, ('parallel_tool_calls',)),
    *((named, f'openai:{name}', EVERYTHING, (*EVERYTHING,)) for name in ('o1', 'o3', 'o4-mini', 'gpt-5', 'gpt-5-mini')),
    *((named, f'openai:{name}', STOP, ('stop_sequences',)) for name in ('o3', 'o4-mini', 'gpt-5')),
    (named, 'openrouter:openai/gpt-5', SAMPLING, ('temperature', 'top_p')),
    *(
        (named, f'openai:{name}', {**SAMPLING, **PENALTIES}, (*SAMPLING, *PENALTIES))
        for name in ('gpt-4o-search-preview', 'gpt-4o-mini-search-preview-2025-03-11')
    ),
    # Gemini, at its hosts
    *(
        (named, f'google-gla:{name}', {**PENALTIES, **LOGPROBS}, (*PENALTIES, *LOGPROBS))
        for name in ('gemini-2.5-flash', 'gemini-2.5-pro', 'gemini-3-pro-preview', 'gemini-3.8-flash')
    ),
    (vertex, 'gemini-2.5-flash', PENALTIES, tuple(PENALTIES)),
    (vertex, 'gemini-3.5-flash', LOGPROBS, tuple(LOGPROBS)),
    (named, 'openrouter:google/gemini-2.5-flash', PENALTIES, tuple(PENALTIES)),
    (litellm, 'gemini/gemini-2.5-flash', PENALTIES, tuple(PENALTIES)),
    # xAI
    *(
        (named, f'grok:{name}', {**PENALTIES, **STOP}, (*PENALTIES, *STOP))
        for name in ('grok-4', 'grok-4-1-fast-reasoning', 'grok-3-mini', 'grok-4.6')
    ),
    *(
        (named, f'grok:{name}', PENALTIES, tuple(PENALTIES))
        for name in ('grok-3', 'grok-3-beta', 'grok-4.20-0309-non-reasoning')
    ),
    # DeepSeek, Groq, Cerebras, Moonshot, Perplexity
    (named, 'deepseek:deepseek-reasoner', {**SAMPLING, **PENALTIES, **LOGPROBS}, (*SAMPLING, *PENALTIES, *LOGPROBS)),
    (
        named,
        'groq:llama-3.3-70b-versatile',
        {**PENALTIES, **LOGPROBS, 'logit_bias': {'1': 2}},
        (*PENALTIES, *LOGPROBS, 'logit_bias'),
    ),
    (named, 'cerebras:gpt-oss-120b', {'logit_bias': {'1': 2}}, ('logit_bias',)),
    (named, 'moonshotai:kimi-k2.6', {**SAMPLING, **PENALTIES}, (*SAMPLING, *PENALTIES)),
    (named, 'perplexity:sonar', {**LOGPROBS, **STOP, 'seed': 3}, (*LOGPROBS, *STOP, 'seed')),
]

ACCEPTED: list[Row] = [
    (named, 'anthropic:claude-sonnet-4-0', SAMPLING, ()),
    (named, 'anthropic:claude-sonnet-4-5', {'top_p': 0.9}, ()),
    (bedrock, 'anthropic.claude-3-7-sonnet-20250219-v1:0', SAMPLING, ()),
    (named, 'heroku:claude-4-sonnet', SAMPLING, ()),
    (named, 'openai:gpt-4o', {**SAMPLING, **PENALTIES, **LOGPROBS, **STOP, **SINGLE}, ()),
    (named, 'openai:gpt-5', SINGLE, ()),
    (named, 'google-gla:gemini-2.0-flash', {**SAMPLING, **PENALTIES, **LOGPROBS}, ()),
    (vertex, 'gemini-2.5-flash', LOGPROBS, ()),
    (named, 'grok:grok-2-vision', {**PENALTIES, **STOP}, ()),
    (named, 'grok:grok-3', STOP, ()),
    (named, 'deepseek:deepseek-chat', {**SAMPLING, **PENALTIES, **LOGPROBS}, ()),
]


def keys_of(value: Any) -> set[str]:
    """Return the keys of an object and of all objects in it, without those of the tools."""
    if isinstance(value, dict):
        fields = cast('dict[str, Any]', value)
        return {*fields, *(key for name, item in fields.items() if name != 'tools' for key in keys_of(item))}
    return set()


@pytest.mark.parametrize('row', [*REFUSED, *ACCEPTED], ids=lambda row: f'{row[1]} {",".join(row[3])}')
def test_what_a_model_refuses_is_not_sent_and_is_listed(row: Row) -> None:
    make, name, settings, refused = row
    model = make(name)
    request = model.prepare(HELLO, cast('ModelSettings', settings), TOOLS if model.profile.supports_tools else None)
    keys = keys_of(model.encode(request))
    sent = {each for each in settings if keys.intersection(WIRE_NAMES.get(each, (each,)))}
    assert sent - {'thinking'} == {*settings} - {*refused} - {'thinking'}
    assert [each for each in refused if not any(repr(each) in warning for warning in request.warnings)] == []


@pytest.mark.parametrize(
    'name', ['ollama:qwen3', 'groq:qwen3', 'mistral:mistral-large-latest', 'deepseek:deepseek-chat', 'openrouter:x/y']
)
def test_the_limit_of_tokens_has_the_name_that_the_service_reads(name: str) -> None:
    model = named(name)
    body = model.encode(model.prepare(HELLO, {'max_tokens': 9}))
    assert (body.get('max_tokens'), 'max_completion_tokens' in body) == (9, False)
