"""Tests of the history rules of families and services: the order of roles, system prompts, names, and documents."""

from __future__ import annotations

from typing import Any

import pytest

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.bedrock import BedrockConverseModel
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_llm.profiles.history import HistoryRules
from pydantic_llm.providers.bedrock import BedrockProvider
from pydantic_llm.tools.definition import ToolDefinition
from pydantic_llm.wire.model import WireModel

LOOK = ToolDefinition('look', {'type': 'object', 'properties': {}})


def chat(name: str, provider: str) -> OpenAIChatModel:
    return OpenAIChatModel(name, provider=provider, api_key='k')


def bedrock(name: str = 'anthropic.claude-sonnet-4-5-20250929-v1:0') -> BedrockConverseModel:
    provider = BedrockProvider(region_name='us-east-1', aws_access_key_id='a', aws_secret_access_key='b')
    return BedrockConverseModel(name, provider=provider)


def ask(*parts: Any, instructions: str | None = None) -> ModelRequest:
    prompts = [UserPromptPart(part) if isinstance(part, str) else part for part in parts]
    return ModelRequest(prompts, instructions=instructions)


def say(*parts: Any) -> ModelResponse:
    return ModelResponse([TextPart(part) if isinstance(part, str) else part for part in parts])


def encode(model: WireModel[Any], history: list[ModelMessage], *tools: ToolDefinition) -> tuple[Any, list[str]]:
    request = model.prepare(history, None, ModelRequestParameters(tools))
    return model.encode(request), request.warnings


def roles(model: WireModel[Any], history: list[ModelMessage], *tools: ToolDefinition) -> list[str]:
    return [message['role'] for message in encode(model, history, *tools)[0]['messages']]


@pytest.mark.parametrize(
    ('name', 'provider'),
    [
        ('mistralai/Mistral-Small-3.2', 'vllm-server'),
        ('mistralai/mistral-large', 'openrouter'),
        ('devstral', 'ollama'),
        ('ministral-3b', 'llamacpp'),
    ],
)
def test_models_by_mistral_have_the_rules_of_its_template_at_any_server(name: str, provider: str) -> None:
    history: list[ModelMessage] = [
        ask('Hi.'),
        say(ToolCallPart('look', '{}', 'call_a.1')),
        ask(ToolReturnPart('look', 'rain', 'call_a.1')),
        ask('And?', SystemPromptPart('Be brief.'), 'Really?'),
    ]
    body, _ = encode(chat(name, provider), history, LOOK)
    assert [message['role'] for message in body['messages']] == [
        *('system', 'user', 'assistant', 'tool', 'assistant', 'user'),
    ]
    assert body['messages'][3]['tool_call_id'] == body['messages'][2]['tool_calls'][0]['id'] == '000000000'
    assert body['messages'][4]['content'] == 'OK'
    assert body['messages'][5]['content'] == 'And?\n\nReally?'


@pytest.mark.parametrize(
    ('name', 'provider'),
    [('sonar', 'perplexity'), ('deepseek-reasoner', 'deepseek'), ('google/gemma-3-12b-it', 'vllm-server')],
)
def test_roles_alternate_if_the_model_demands_it(name: str, provider: str) -> None:
    thinking = ThinkingPart('Hm.')
    history: list[ModelMessage] = [say('Hi.'), say('Well?'), ask('A', 'B'), say(thinking), ask('C'), ask('D')]
    model = chat(name, provider)
    assert roles(model, history) == ['user', 'assistant', 'user']
    assert encode(model, history)[0]['messages'][2]['content'] == 'A\n\nB\n\nC\n\nD'
    assert roles(chat('gpt-4o', 'openai'), history)[:2] == ['assistant', 'assistant']


@pytest.mark.parametrize('model', [chat('gemma2:9b', 'ollama'), bedrock('amazon.titan-text-express-v1')])
def test_a_model_without_system_prompts_gets_them_as_the_text_of_the_user(model: WireModel[Any]) -> None:
    history: list[ModelMessage] = [ask(SystemPromptPart('S'), 'U'), say('A'), ask('B', instructions='I')]
    body, warnings = encode(model, history)
    assert [message['role'] for message in body['messages']] == ['user', 'assistant', 'user']
    first = body['messages'][0]['content']
    assert 'system' not in body
    assert (first if isinstance(first, str) else '\n\n'.join(block['text'] for block in first)) == 'S\n\nI\n\nU'
    assert any('has no system prompts' in warning for warning in warnings)


def test_a_model_without_tools_gets_past_calls_as_text() -> None:
    history: list[ModelMessage] = [
        ask('Hi.'),
        say(ToolCallPart('look', {'city': 'Oslo'}, 'a')),
        ask(ToolReturnPart('look', 'rain', 'a')),
    ]
    body, _ = encode(chat('sonar', 'perplexity'), history)
    assert [(message['role'], message['content']) for message in body['messages']] == [
        ('user', 'Hi.'),
        ('assistant', 'Calling the tool look with {"city":"Oslo"}'),
        ('user', 'The tool look answered: rain'),
    ]


@pytest.mark.parametrize(
    'model',
    [
        AnthropicModel('claude-opus-4-6', api_key='k'),
        bedrock('us.anthropic.claude-opus-4-6-v1'),
        chat('anthropic/claude-sonnet-4.6', 'openrouter'),
    ],
)
def test_a_model_that_does_not_continue_a_response_is_asked_to(model: WireModel[Any]) -> None:
    history: list[ModelMessage] = [ask('Hi.'), say('The answer is ')]
    assert roles(model, history) == ['user', 'assistant', 'user']
    assert any('does not continue' in warning for warning in encode(model, history)[1])


def test_a_paused_turn_stays_the_last_one() -> None:
    paused = NativeToolCallPart('web_search', {'query': 'q'}, 'srvtoolu_1', provider_name='anthropic')
    assert (
        roles(AnthropicModel('claude-opus-4-6', api_key='k'), [ask('Hi.'), say('I search.', paused)])[-1] == 'assistant'
    )


def test_an_older_claude_continues_a_response_without_the_whitespace_at_its_end() -> None:
    history: list[ModelMessage] = [ask('Hi.'), say('The answer is \n')]
    body, warnings = encode(AnthropicModel('claude-sonnet-4-5', api_key='k'), history)
    assert body['messages'][-1] == {'role': 'assistant', 'content': [{'type': 'text', 'text': 'The answer is'}]}
    assert warnings == ['whitespace at the end of the last response was not sent']
    assert history[1].parts == [TextPart('The answer is \n')]


@pytest.mark.parametrize('provider', ['vllm-server', 'llamacpp', 'lmstudio'])
def test_system_prompts_inside_a_conversation_are_joined_with_the_first(provider: str) -> None:
    history: list[ModelMessage] = [
        ask(SystemPromptPart('A'), 'Hi.'),
        say('Hi.'),
        ask(SystemPromptPart('C'), '?', instructions='B'),
    ]
    body, _ = encode(chat('qwen3', provider), history)
    assert [(message['role'], message['content']) for message in body['messages']] == [
        ('system', 'A\n\nB\n\nC'),
        *(('user', 'Hi.'), ('assistant', 'Hi.'), ('user', '?')),
    ]


@pytest.mark.parametrize(
    'model',
    [
        chat('gpt-4o', 'openai'),
        OpenAIResponsesModel('gpt-5-mini', api_key='k'),
        AnthropicModel('claude-sonnet-4-5', api_key='k'),
        GeminiModel('gemini-2.5-flash', api_key='k'),
        bedrock(),
    ],
)
def test_a_tool_with_a_name_that_the_vendor_refuses_is_an_error_of_the_user(model: WireModel[Any]) -> None:
    tool = ToolDefinition('look up', {'type': 'object', 'properties': {}})
    with pytest.raises(UserError, match="does not accept the name of the tool 'look up'"):
        encode(model, [ask('Hi.')], tool)


def test_a_server_without_such_a_rule_gets_the_name_of_its_tool_unchanged() -> None:
    tool = ToolDefinition('look.up', {'type': 'object', 'properties': {}})
    history: list[ModelMessage] = [
        ask('Hi.'),
        say(ToolCallPart('look.up', '{}', 'a')),
        ask(ToolReturnPart('look.up', 'x', 'a')),
    ]
    body, warnings = encode(chat('qwen3', 'ollama'), history, tool)
    assert body['messages'][1]['tool_calls'][0]['function']['name'] == 'look.up'
    assert warnings == []


def test_a_profile_overrides_single_rules() -> None:
    model = OpenAIChatModel('m', provider='ollama', api_key='k', profile={'history_rules': {'alternates': True}})
    assert roles(model, [ask('A', 'B')]) == ['user']
    with pytest.raises(UserError, match="history_rules has no rule 'alternate'"):
        HistoryRules().merge({'alternate': True})


def pdf(data: bytes, name: str | None = None) -> BinaryContent:
    return BinaryContent(data, media_type='application/pdf', vendor_metadata={'name': name} if name else None)


@pytest.mark.parametrize(
    ('names', 'sent'),
    [
        (('report.pdf', 'report.pdf', 'report pdf'), ['report pdf', 'report pdf 2', 'report pdf 3']),
        (('Document 2', None), ['Document 2', 'Document 3']),
        ((None, 'document 1', None), ['Document 1', 'document 1 2', 'Document 3']),
        (('x' * 200, 'x' * 200), ['x' * 200, f'{"x" * 194} 2']),
        (('report 2', 'report', 'report'), ['report 2', 'report', 'report 3']),
    ],
)
def test_documents_have_different_names_in_the_whole_request(names: tuple[str | None, ...], sent: list[str]) -> None:
    history: list[ModelMessage] = [ask(UserPromptPart(['Read.', pdf(b'%PDF', name)])) for name in names]
    body, _ = encode(bedrock(), history)
    blocks = [block for message in body['messages'] for block in message['content']]
    assert [block['document']['name'] for block in blocks if 'document' in block] == sent
