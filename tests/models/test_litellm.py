"""LiteLLM's dialect: settings, roles and texts, and signed thinking."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_core import from_json, to_json

from pydantic_llm.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition, ResponseDraft
from pydantic_llm.models.litellm import LiteLLMModel, LiteLLMModelSettings, LiteLLMRouterModel
from pydantic_llm.settings import ModelSettings
from pydantic_llm.tools.definition import ToolDefinition

Json = dict[str, Any]

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('Hello?')]
CLAUDE, GPT = 'anthropic/claude-sonnet-4-5', 'openai/gpt-4o'
WEATHER = ToolDefinition('weather', {'type': 'object', 'properties': {'city': {'type': 'string'}}}, 'The weather.')


def encode_body(model: LiteLLMModel, messages: Any = HELLO, settings: Any = None, parameters: Any = None) -> Json:
    """Return the arguments of LiteLLM's function."""
    sent: Json = from_json(to_json(model.encode(model.prepare(messages, settings, parameters))))
    return sent


def decode(model: LiteLLMModel, *events: Json, whole: bool = False) -> ModelResponse:
    """Return the response that is decoded from a body or from chunks."""
    draft = ResponseDraft(model.model_name, model.system)
    decoder = model.new_decoder(draft)
    for event in events:
        (decoder.decode if whole else decoder.decode_event)(event)
    if not whole:
        decoder.decode_end()
        draft.parts.end()
    return draft.get()


# ------------------------------------------------------------------------------------------------------------- settings

SETTING_BODIES: dict[str, tuple[Any, Json]] = {
    'max_tokens': (10, {'max_tokens': 10}),
    'temperature': (0.0, {'temperature': 0.0}),
    'top_k': (3, {'top_k': 3}),
    'stop_sequences': (['END'], {'stop': ['END']}),
    'service_tier': ('flex', {'service_tier': 'flex'}),
    'litellm_reasoning_effort': ('low', {'reasoning_effort': 'low'}),
    'litellm_thinking': ({'type': 'adaptive'}, {'thinking': {'type': 'adaptive'}}),
    'litellm_drop_params': (True, {'drop_params': True}),
    'litellm_user': ('me', {'user': 'me'}),
    'litellm_metadata': ({'a': 'b'}, {'metadata': {'a': 'b'}}),
    'litellm_modalities': (['text'], {'modalities': ['text']}),
    'litellm_audio': ({'voice': 'alloy'}, {'audio': {'voice': 'alloy'}}),
    'litellm_verbosity': ('low', {'verbosity': 'low'}),
    'litellm_web_search_options': ({}, {'web_search_options': {}}),
    'litellm_prompt_cache_key': ('key', {'prompt_cache_key': 'key'}),
}
"""Each setting: a value, and the arguments that it becomes."""


def test_every_setting_of_its_own_is_in_the_table() -> None:
    own = LiteLLMModelSettings.__annotations__.keys() - ModelSettings.__annotations__.keys()
    assert own == {name for name in SETTING_BODIES if name.startswith('litellm_')}


@pytest.mark.parametrize('name', SETTING_BODIES)
def test_a_setting_becomes_an_argument(name: str) -> None:
    value, expected = SETTING_BODIES[name]
    sent = encode_body(LiteLLMModel(GPT), settings={name: value})
    assert sent == {'model': GPT, 'messages': [{'role': 'user', 'content': 'Hello?'}], **expected}


@pytest.mark.parametrize(
    ('name', 'level', 'effort'),
    [
        (CLAUDE, 'minimal', 'low'),
        (CLAUDE, 'xhigh', 'high'),
        (CLAUDE, False, 'none'),
        ('gemini/gemini-2.5-pro', True, 'medium'),
        ('gemini/gemini-2.5-pro', False, 'none'),
        ('openai/gpt-5', 'minimal', 'minimal'),
    ],
)
def test_thinking_becomes_an_effort(name: str, level: Any, effort: str) -> None:
    assert encode_body(LiteLLMModel(name), settings={'thinking': level})['reasoning_effort'] == effort


def test_settings_that_claude_refuses_are_dropped_with_a_warning() -> None:
    model = LiteLLMModel(CLAUDE)
    request = model.prepare(HELLO, {'seed': 3, 'logprobs': True, 'temperature': 0.5})
    assert model.encode(request).keys() == {'model', 'messages', 'temperature'}
    assert request.warnings == [f'{name!r} was not sent: {CLAUDE!r} does not take it' for name in ('seed', 'logprobs')]


def test_tools_are_strict_only_for_openai() -> None:
    parameters = ModelRequestParameters([WEATHER])
    of_openai, of_claude = (encode_body(LiteLLMModel(name), parameters=parameters)['tools'] for name in (GPT, CLAUDE))
    assert [tool['function'].get('strict') for tool in (*of_openai, *of_claude)] == [None, None]
    strict = ModelRequestParameters([ToolDefinition('weather', {'type': 'object', 'properties': {}}, strict=True)])
    of_openai, of_claude = (encode_body(LiteLLMModel(name), parameters=strict)['tools'] for name in (GPT, CLAUDE))
    assert [tool['function'].get('strict') for tool in (*of_openai, *of_claude)] == [True, None]


def test_an_output_is_constrained_by_its_schema() -> None:
    schema: Json = {'type': 'object', 'properties': {'a': {'type': 'string'}}, 'required': ['a']}
    native = ModelRequestParameters(output_mode='native', output_object=OutputObjectDefinition(schema, 'found'))
    sent = encode_body(LiteLLMModel(CLAUDE), parameters=native)['response_format']
    assert (sent['type'], sent['json_schema']['name']) == ('json_schema', 'found')
    assert sent['json_schema']['schema']['properties'] == {'a': {'type': 'string'}}


# ------------------------------------------------------------------------------------------------------ roles and texts

MIXED: list[ModelMessage] = [
    ModelRequest([SystemPromptPart('Be kind.'), UserPromptPart(['First.', 'Second.'])]),
    ModelResponse([ToolCallPart('weather', '{"city":"Rome"}', 'c1')]),
    ModelRequest([ToolReturnPart('weather', 'sunny', 'c1')]),
]
PICTURE: list[ModelMessage] = [ModelRequest([UserPromptPart(['Look.', BinaryContent(b'x', media_type='image/png')])])]
PARTS = [{'type': 'text', 'text': 'First.'}, {'type': 'text', 'text': 'Second.'}]


@pytest.mark.parametrize(
    ('name', 'flatten', 'content'),
    [
        (GPT, None, PARTS),
        (GPT, True, 'First.\nSecond.'),
        ('ollama_chat/qwen3', None, 'First.\nSecond.'),
        ('ollama/qwen3', None, 'First.\nSecond.'),
        ('groq/llama-3.3-70b-versatile', None, 'First.\nSecond.'),
        ('cerebras/qwen-3-32b', None, 'First.\nSecond.'),
        ('groq/llama-3.3-70b-versatile', False, PARTS),
    ],
)
def test_texts_are_one_string_if_requested_or_needed(name: str, flatten: bool | None, content: Any) -> None:
    model = LiteLLMModel(name, flatten_messages_as_text=flatten)
    assert encode_body(model, MIXED)['messages'][1] == {'role': 'user', 'content': content}


def test_content_with_an_image_is_not_flattened() -> None:
    [message] = encode_body(LiteLLMModel('ollama_chat/gemma3'), PICTURE)['messages']
    assert [part['type'] for part in message['content']] == ['text', 'image_url']


def test_a_router_has_the_same_parameters_for_messages() -> None:
    listed = [{'model_name': 'group', 'litellm_params': {'model': GPT}}]
    model = LiteLLMRouterModel(
        'group', listed, flatten_messages_as_text=True, custom_role_conversions={'system': 'user'}
    )
    assert encode_body(model, MIXED)['messages'][:2] == [
        {'role': 'user', 'content': 'Be kind.'},
        {'role': 'user', 'content': 'First.\nSecond.'},
    ]


def test_roles_are_replaced_also_by_smolagents_names() -> None:
    model = LiteLLMModel(GPT, custom_role_conversions={'system': 'developer', 'tool-response': 'user'})
    messages = encode_body(model, MIXED)['messages']
    assert [message['role'] for message in messages] == ['developer', 'user', 'assistant', 'user']
    assert messages[-1] == {'role': 'user', 'content': 'sunny'}
    assert 'tool_calls' not in messages[2]


def test_the_users_profile_wins() -> None:
    model = LiteLLMModel(CLAUDE, profile={'openai_thinking_back': 'drop'}, flatten_messages_as_text=True)
    profile = model.profile
    assert (profile.openai_thinking_back, profile.openai_flatten_content) == ('drop', True)


# ------------------------------------------------------------------------------------------------------------- thinking

BLOCKS: list[Json] = [
    {'type': 'thinking', 'thinking': 'Hm.', 'signature': 's1'},
    {'type': 'redacted_thinking', 'data': 'd1'},
]
BODY: Json = {
    'model': 'claude-sonnet-4-5-20250929',
    'choices': [
        {
            'finish_reason': 'stop',
            'message': {'content': 'Hi', 'reasoning_content': 'Hm.', 'thinking_blocks': BLOCKS, 'role': 'assistant'},
        }
    ],
}
OWN: Json = {'provider_name': 'litellm'}
THINKING = [
    ThinkingPart('Hm.', signature='s1', **OWN, provider_details={'index': 0, 'type': 'reasoning.text'}),
    ThinkingPart('', signature='d1', **OWN, provider_details={'index': 1, 'type': 'reasoning.encrypted'}),
]


def delta(**fields: Any) -> Json:
    return {'choices': [{'index': 0, 'delta': fields}]}


CHUNKS = [
    delta(reasoning_content='H', thinking_blocks=[{'type': 'thinking', 'thinking': 'H', 'index': 0}], content=''),
    delta(reasoning_content='m.', thinking_blocks=[{'type': 'thinking', 'thinking': 'm.', 'index': 0}], content=''),
    delta(thinking_blocks=[{'type': 'thinking', 'thinking': '', 'signature': 's1', 'index': 0}], content=''),
    delta(thinking_blocks=[{'type': 'redacted_thinking', 'data': 'd1', 'index': 1}], content=''),
    delta(content='Hi'),
    {'choices': [{'index': 0, 'delta': {}, 'finish_reason': 'stop'}]},
]


@pytest.mark.parametrize('whole', [True, False])
def test_signed_thinking_keeps_its_signatures(whole: bool) -> None:
    response = decode(LiteLLMModel(CLAUDE), *([BODY] if whole else CHUNKS), whole=whole)
    assert (response.parts, response.finish_reason) == ([*THINKING, TextPart('Hi')], 'stop')


@pytest.mark.parametrize('whole', [True, False])
def test_signed_thinking_is_sent_back_unchanged(whole: bool) -> None:
    model = LiteLLMModel(CLAUDE)
    response = decode(model, *([BODY] if whole else CHUNKS), whole=whole)
    assert encode_body(model, [*HELLO, response, *HELLO])['messages'][1] == {
        'role': 'assistant',
        'content': 'Hi',
        'thinking_blocks': BLOCKS,
    }


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        (GPT, {'content': '<think>\nHm.\n</think>\n\nHi'}),
        ('deepseek/deepseek-reasoner', {'reasoning_content': 'Hm.', 'content': 'Hi'}),
        ('gemini/gemini-2.5-pro', {'reasoning_content': 'Hm.', 'content': 'Hi'}),
    ],
)
def test_signatures_are_not_sent_to_other_vendors(name: str, message: Json) -> None:
    response = decode(LiteLLMModel(CLAUDE), BODY, whole=True)
    assert encode_body(LiteLLMModel(name), [*HELLO, response, *HELLO])['messages'][1] == {
        'role': 'assistant',
        **message,
    }


def test_thinking_without_a_signature_has_no_details() -> None:
    blocks = [{'type': 'thinking', 'thinking': 'Hm.'}]
    message = {'content': 'Hi', 'reasoning_content': 'Hm.', 'thinking_blocks': blocks}
    model = LiteLLMModel('gemini/gemini-2.5-pro')
    response = decode(model, {'choices': [{'finish_reason': 'stop', 'message': message}]}, whole=True)
    assert response.parts[0] == ThinkingPart('Hm.', id='reasoning_content', provider_name='litellm')
    assert encode_body(model, [*HELLO, response, *HELLO])['messages'][1]['reasoning_content'] == 'Hm.'


def test_thinking_of_other_vendors_is_dropped_for_claude_with_a_warning() -> None:
    model = LiteLLMModel(CLAUDE)
    response = ModelResponse([ThinkingPart('Hm.', provider_name='openai', signature='x'), TextPart('Hi')])
    request = model.prepare([*HELLO, response, *HELLO])
    assert model.encode(request)['messages'][1] == {'role': 'assistant', 'content': 'Hi'}
    assert request.warnings == [
        "dropped, since the API of 'litellm' cannot represent it in a past response: thinking of 'openai'"
    ]


@pytest.mark.parametrize('blocks', [None, [], 'x', [{}], [{'type': 'thinking', 'index': 0}]])
def test_invalid_blocks_are_skipped(blocks: Any) -> None:
    model = LiteLLMModel(CLAUDE)
    message = {'content': 'Hi', 'thinking_blocks': blocks}
    response = decode(model, {'choices': [{'finish_reason': 'stop', 'message': message}]}, whole=True)
    assert response.parts[-1] == TextPart('Hi')
