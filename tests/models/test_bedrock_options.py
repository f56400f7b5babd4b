"""The options of Bedrock's room, family by family: tools, output types, settings, thinking."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import CachePoint, RetryPromptPart, TextPart, ThinkingPart, ToolCallPart, ToolReturnPart
from pydantic_llm.models import OutputObjectDefinition
from pydantic_llm.native_tools import CodeExecutionTool, ImageGenerationTool, WebSearchTool
from pydantic_llm.profiles.bedrock import bedrock_model_profile
from pydantic_llm.providers.bedrock import BedrockProvider
from tests.models.bedrock_converse import (
    CITY,
    CLAUDE,
    FINAL,
    GPT_OSS,
    LLAMA,
    MISTRAL,
    NOVA,
    PAGE,
    QWEN,
    TIME,
    WEATHER,
    Json,
    Sent,
    ask,
    say,
)

ADAPTIVE = 'global.anthropic.claude-opus-4-6-v1'
NOVA_1 = 'us.amazon.nova-pro-v1:0'
R1 = 'us.deepseek.r1-v1:0'
OLD = 'anthropic.claude-3-haiku-20240307-v1:0'
HI = [ask('hi')]
CALLED = [ask('hi'), say(ToolCallPart('weather', '{}', 'a')), ask(ToolReturnPart('weather', 'sunny', 'a'))]

# ---------------------------------------------------------------------- tools


def test_a_tool_definition_is_encoded() -> None:
    sent = Sent(HI, function_tools=[WEATHER, TIME])
    assert sent.body['toolConfig'] == {
        'tools': [
            {'toolSpec': {'name': 'weather', 'description': 'Tells the weather.', 'inputSchema': {'json': CITY}}},
            {'toolSpec': {'name': 'time', 'inputSchema': {'json': CITY}}},
        ]
    }


@pytest.mark.parametrize(('name', 'is_strict'), [(CLAUDE, True), (QWEN, True), (OLD, False), (LLAMA, False)])
def test_a_strict_tool_is_strict_if_the_model_supports_it(name: str, is_strict: bool) -> None:
    sent = Sent(HI, name=name, function_tools=[replace(WEATHER, strict=True)])
    assert sent.body['toolConfig']['tools'][0]['toolSpec'].get('strict', False) is is_strict


@pytest.mark.parametrize(
    ('name', 'choice', 'wire', 'tools'),
    [
        (CLAUDE, 'auto', None, ['weather', 'time']),
        (CLAUDE, 'required', {'any': {}}, ['weather', 'time']),
        (CLAUDE, ['time'], {'tool': {'name': 'time'}}, ['weather', 'time']),
        (CLAUDE, ['weather', 'time'], {'any': {}}, ['weather', 'time']),
        (NOVA, ['time'], {'tool': {'name': 'time'}}, ['weather', 'time']),
        (MISTRAL, ['time'], {'any': {}}, ['time']),
        (MISTRAL, 'required', {'any': {}}, ['weather', 'time']),
    ],
)
def test_the_tool_choice_is_encoded(name: str, choice: Any, wire: Json | None, tools: list[str]) -> None:
    config = Sent(HI, {'tool_choice': choice}, name=name, function_tools=[WEATHER, TIME]).body['toolConfig']
    assert config.get('toolChoice') == wire
    assert [tool['toolSpec']['name'] for tool in config['tools']] == tools


@pytest.mark.parametrize('name', [LLAMA, 'cohere.command-r-v1:0'])
def test_a_required_tool_call_is_rejected_for_a_model_without_it(name: str) -> None:
    with pytest.raises(UserError, match='cannot be made to call a tool'):
        Sent(HI, {'tool_choice': 'required'}, name=name, function_tools=[WEATHER])
    output_only = Sent(HI, name=name, output_tools=[FINAL], allow_text_output=False)
    assert 'toolChoice' not in output_only.body['toolConfig']
    assert Sent(HI, output_tools=[FINAL], allow_text_output=False).body['toolConfig']['toolChoice'] == {'any': {}}


def test_no_tools_are_sent_if_none_may_be_called_and_none_was_called() -> None:
    sent = Sent(HI, {'tool_choice': 'none', 'parallel_tool_calls': False}, function_tools=[WEATHER])
    assert sent.body.keys() == {'messages'}
    assert 'parallel_tool_calls' in sent.warnings[0]


def test_tools_are_defined_if_the_conversation_has_tool_calls() -> None:
    sent = Sent(CALLED, {'tool_choice': 'none'}, function_tools=[WEATHER])
    assert sent.fields == {'tool_choice': {'type': 'none'}}
    assert sent.body['toolConfig']['tools'][0]['toolSpec']['inputSchema'] == {'json': CITY}
    bare = Sent(CALLED)
    assert bare.fields == {'tool_choice': {'type': 'none'}}
    assert bare.body['toolConfig'] == {
        'tools': [{'toolSpec': {'name': 'weather', 'inputSchema': {'json': {'type': 'object'}}}}]
    }
    nova = Sent(CALLED, name=NOVA)
    assert (nova.fields, len(nova.warnings)) == ({}, 2)
    assert 'nothing forbids' in nova.warnings[1]


def test_parallel_tool_calls_can_be_switched_off_for_claude() -> None:
    alone: Any = {'parallel_tool_calls': False}
    assert Sent(HI, alone, function_tools=[WEATHER]).fields == {'tool_choice': {'disable_parallel_tool_use': True}}
    assert Sent(HI, {'parallel_tool_calls': True}, function_tools=[WEATHER]).fields == {}
    for name in (NOVA, OLD):
        sent = Sent(HI, alone, name=name, function_tools=[WEATHER])
        assert (sent.fields, 'bedrock_parallel_switch' in sent.warnings[0]) == ({}, True)


def test_nova_has_native_tools() -> None:
    sent = Sent(HI, name=NOVA, function_tools=[WEATHER], native_tools=[WebSearchTool(), CodeExecutionTool()])
    assert sent.body['toolConfig']['tools'][1:] == [
        {'systemTool': {'name': 'nova_grounding'}},
        {'systemTool': {'name': 'nova_code_interpreter'}},
    ]


@pytest.mark.parametrize(('name', 'tool'), [(CLAUDE, WebSearchTool()), (NOVA_1, CodeExecutionTool())])
def test_other_models_have_no_native_tools(name: str, tool: Any) -> None:
    with pytest.raises(UserError, match=r'bedrock_system_tools|cannot use'):
        Sent(HI, name=name, native_tools=[tool])


def test_a_native_tool_that_the_api_does_not_have_is_rejected() -> None:
    with pytest.raises(UserError, match='image_generation'):
        Sent(HI, name=NOVA, native_tools=[ImageGenerationTool()])


# ---------------------------------------------------------------------- output

OBJECT = OutputObjectDefinition({**CITY, 'title': 'Place'}, 'place', 'A place.')


def test_the_schema_of_an_output_is_sent_as_text() -> None:
    format = Sent(HI, output_mode='native', output_object=OBJECT).body['outputConfig']['textFormat']
    schema = format['structure']['jsonSchema']
    assert (format['type'], schema['name'], schema['description']) == ('json_schema', 'place', 'A place.')
    assert json.loads(schema['schema']) == {**CITY, 'additionalProperties': False}


def test_lost_constraints_of_a_schema_are_listed() -> None:
    schema = {'type': 'object', 'properties': {'age': {'type': 'integer', 'minimum': 3}}, 'required': ['age']}
    sent = Sent(HI, output_mode='native', output_object=OutputObjectDefinition(schema, 'age'))
    assert 'minimum' in sent.warnings[0]
    assert 'minimum' in json.loads(sent.body['outputConfig']['textFormat']['structure']['jsonSchema']['schema'])[
        'properties'
    ]['age'].get('description', '')


@pytest.mark.parametrize('name', [NOVA, LLAMA, OLD, GPT_OSS])
def test_the_native_mode_is_rejected_for_a_model_without_schemas(name: str) -> None:
    with pytest.raises(UserError, match='native'):
        Sent(HI, name=name, output_mode='native', output_object=OBJECT)


# ---------------------------------------------------------------------- settings


def test_settings_are_encoded() -> None:
    sent = Sent(
        HI,
        {
            'max_tokens': 10,
            'temperature': 0.5,
            'stop_sequences': ['END'],
            'service_tier': 'flex',
            'bedrock_guardrail_config': {
                'guardrailIdentifier': 'g',
                'guardrailVersion': '1',
                'trace': 'enabled_full',
                'streamProcessingMode': 'async',
            },
            'bedrock_performance_configuration': {'latency': 'optimized'},
            'bedrock_request_metadata': {'a': 'b'},
            'bedrock_additional_model_response_fields_paths': ['/stop_sequence'],
            'bedrock_prompt_variables': {'a': {'text': 'b'}},
        },
    )
    assert {name: value for name, value in sent.body.items() if name != 'messages'} == {
        'inferenceConfig': {'maxTokens': 10, 'temperature': 0.5, 'stopSequences': ['END']},
        'serviceTier': {'type': 'flex'},
        'guardrailConfig': {'guardrailIdentifier': 'g', 'guardrailVersion': '1', 'trace': 'enabled_full'},
        'performanceConfig': {'latency': 'optimized'},
        'requestMetadata': {'a': 'b'},
        'additionalModelResponseFieldPaths': ['/stop_sequence'],
        'promptVariables': {'a': {'text': 'b'}},
    }


def test_the_stream_mode_of_a_guardrail_is_sent_for_streams_only() -> None:
    guardrail = {'guardrailIdentifier': 'g', 'guardrailVersion': '1', 'streamProcessingMode': 'async'}
    sent = Sent(HI, {'bedrock_guardrail_config': guardrail}, stream=True)
    assert sent.body['guardrailConfig'] == guardrail


@pytest.mark.parametrize(
    ('settings', 'tier'),
    [
        ({'service_tier': 'auto'}, None),
        ({'service_tier': 'default'}, {'type': 'default'}),
        ({'service_tier': 'priority'}, {'type': 'priority'}),
        ({'service_tier': 'flex', 'bedrock_service_tier': {'type': 'reserved'}}, {'type': 'reserved'}),
    ],
)
def test_a_service_tier_can_be_chosen(settings: Any, tier: Json | None) -> None:
    assert Sent(HI, settings).body.get('serviceTier') == tier


@pytest.mark.parametrize(
    ('name', 'fields'),
    [(CLAUDE, {'top_k': 5}), (NOVA_1, {'inferenceConfig': {'topK': 5}}), (LLAMA, {}), (GPT_OSS, {})],
)
def test_top_k_is_one_of_the_models_own_fields(name: str, fields: Json) -> None:
    sent = Sent(HI, {'top_k': 5}, name=name)
    assert sent.fields == fields
    assert ['bedrock_top_k' in warning for warning in sent.warnings] == ([] if fields else [True])


def test_the_models_own_fields_override_settings() -> None:
    own: Any = {'bedrock_additional_model_requests_fields': {'inferenceConfig': {'a': 1}, 'b': 2}, 'top_k': 5}
    assert Sent(HI, own, name=NOVA_1).fields == {'inferenceConfig': {'a': 1, 'topK': 5}, 'b': 2}
    own = {'bedrock_additional_model_requests_fields': {'top_k': 7, 'anthropic_beta': ['x']}, 'top_k': 5}
    assert Sent(HI, own).fields == {'top_k': 7, 'anthropic_beta': ['x']}


# ---------------------------------------------------------------------- thinking


@pytest.mark.parametrize(
    ('name', 'level', 'fields', 'config'),
    [
        (
            CLAUDE,
            'low',
            {'thinking': {'type': 'enabled', 'budget_tokens': 2048}},
            {'inferenceConfig': {'maxTokens': 6144}},
        ),
        (CLAUDE, False, {}, {}),
        ('global.anthropic.claude-sonnet-5', False, {'thinking': {'type': 'disabled'}}, {}),
        ('global.anthropic.claude-fable-5', False, {}, {'outputConfig': {'effort': 'low'}}),
        (ADAPTIVE, True, {'thinking': {'type': 'adaptive'}}, {}),
        (ADAPTIVE, 'high', {'thinking': {'type': 'adaptive'}}, {'outputConfig': {'effort': 'high'}}),
        (NOVA, 'minimal', {'reasoningConfig': {'type': 'enabled', 'maxReasoningEffort': 'low'}}, {}),
        (NOVA, 'xhigh', {'reasoningConfig': {'type': 'enabled', 'maxReasoningEffort': 'high'}}, {}),
        (NOVA, False, {}, {}),
        (GPT_OSS, 'medium', {'reasoning_effort': 'medium'}, {}),
        (GPT_OSS, False, {'reasoning_effort': 'low'}, {}),
        ('deepseek.v3-v1:0', 'high', {'reasoning_effort': 'high'}, {}),
        ('deepseek.v3-v1:0', False, {}, {}),
        (QWEN, 'medium', {'reasoning_config': 'high'}, {}),
        (QWEN, 'high', {'reasoning_config': 'high'}, {}),
        ('us.openai.gpt-6-sol', 'minimal', {'reasoning': {'effort': 'low'}}, {}),
        ('us.openai.gpt-6-sol', 'xhigh', {'reasoning': {'effort': 'xhigh'}}, {}),
        ('us.openai.gpt-6-sol', False, {'reasoning': {'effort': 'none'}}, {}),
        ('us.openai.gpt-6-astra', False, {'reasoning': {'effort': 'low'}}, {}),
        ('us.xai.grok-4.7', 'high', {}, {}),
        (R1, 'high', {}, {}),
        (LLAMA, 'high', {}, {}),
    ],
)
def test_each_family_has_its_own_fields_for_thinking(name: str, level: Any, fields: Json, config: Json) -> None:
    sent = Sent(HI, {'thinking': level}, name=name)
    assert sent.fields == fields
    assert {name: value for name, value in sent.body.items() if name.endswith('Config')} == config


@pytest.mark.parametrize(
    ('name', 'level', 'reason'),
    [
        (R1, 'high', 'has no setting for thinking'),
        (R1, False, 'has no setting for thinking'),
        ('us.openai.gpt-6-astra', False, 'cannot stop'),
        ('us.xai.grok-4.7', 'high', 'has no setting for thinking'),
        (GPT_OSS, False, 'cannot stop'),
        (LLAMA, True, 'has no setting for thinking'),
        (OLD, True, 'has no setting for thinking'),
    ],
)
def test_an_unsupported_level_of_thinking_is_listed(name: str, level: Any, reason: str) -> None:
    assert [reason in warning for warning in Sent(HI, {'thinking': level}, name=name).warnings] == [True]


def test_a_budget_is_part_of_the_max_tokens() -> None:
    assert Sent(HI, {'thinking': 'high', 'max_tokens': 4000}).fields['thinking']['budget_tokens'] == 2000
    assert Sent(HI, {'thinking': 'high', 'max_tokens': 1500}).fields['thinking']['budget_tokens'] == 1024
    with pytest.raises(UserError, match='leaves no room to think'):
        Sent(HI, {'thinking': 'high', 'max_tokens': 1024})


def test_settings_that_claude_rejects_while_it_thinks_are_dropped() -> None:
    sent = Sent(HI, {'thinking': 'low', 'temperature': 0.5, 'top_p': 0.5, 'top_k': 3})
    assert sent.body['inferenceConfig'] == {'maxTokens': 6144}
    assert sent.fields.keys() == {'thinking'}
    assert len(sent.warnings) == 3
    kept = Sent(HI, {'thinking': 'low', 'top_p': 0.96})
    assert (kept.body['inferenceConfig']['topP'], kept.warnings) == (0.96, [])


def test_settings_that_gpt_rejects_are_dropped() -> None:
    settings: Any = {'temperature': 0.5, 'top_p': 0.5, 'stop_sequences': ['x'], 'max_tokens': 90}
    sent = Sent(HI, settings, name='global.openai.gpt-6-sol')
    assert (sent.body['inferenceConfig'], len(sent.warnings)) == ({'maxTokens': 90}, 3)
    assert 'stopSequences' in Sent(HI, settings, name='openai.gpt-5.5').body['inferenceConfig']


def test_settings_that_nova_rejects_with_its_highest_effort_are_dropped() -> None:
    settings: Any = {'thinking': 'high', 'max_tokens': 9, 'temperature': 0.5, 'top_p': 0.5}
    sent = Sent(HI, settings, name=NOVA)
    assert ('inferenceConfig' in sent.body, len(sent.warnings)) == (False, 3)
    assert Sent(HI, {**settings, 'thinking': 'low'}, name=NOVA).body['inferenceConfig']['maxTokens'] == 9


def test_the_models_own_fields_override_thinking() -> None:
    own: Any = {'bedrock_additional_model_requests_fields': {'thinking': {'type': 'enabled', 'budget_tokens': 1024}}}
    sent = Sent(HI, {**own, 'thinking': 'xhigh', 'temperature': 0.5})
    assert sent.fields == own['bedrock_additional_model_requests_fields']
    assert sent.body['inferenceConfig'] == {'maxTokens': 5120}
    assert Sent(HI, {'thinking': 'low', 'bedrock_effort': 'max'}, name=ADAPTIVE).body['outputConfig'] == {
        'effort': 'max'
    }


def test_a_required_tool_call_is_rejected_while_the_model_thinks_with_a_budget() -> None:
    with pytest.raises(UserError, match='while it thinks with a budget'):
        Sent(HI, {'thinking': 'low', 'tool_choice': 'required'}, function_tools=[WEATHER])
    output_only = Sent(HI, {'thinking': 'low'}, output_tools=[FINAL], allow_text_output=False)
    assert 'toolChoice' not in output_only.body['toolConfig']
    adaptive = Sent(HI, {'thinking': 'low', 'tool_choice': 'required'}, name=ADAPTIVE, function_tools=[WEATHER])
    assert adaptive.body['toolConfig']['toolChoice'] == {'any': {}}


def test_a_turn_that_began_without_thinking_is_continued_without_thinking() -> None:
    sent = Sent(CALLED, {'thinking': 'low'}, function_tools=[WEATHER])
    assert (sent.fields, 'did not begin with signed thinking' in sent.warnings[0]) == ({}, True)
    signed = ThinkingPart('Hm.', signature='s', provider_name='bedrock')
    history = [ask('hi'), say(signed, ToolCallPart('weather', '{}', 'a')), CALLED[2]]
    assert 'thinking' in Sent(history, {'thinking': 'low'}, function_tools=[WEATHER]).fields


# ---------------------------------------------------------------------- profiles


@pytest.mark.parametrize(
    'name',
    [
        'anthropic.claude-sonnet-4-5-20250929-v1:0',
        'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
        'us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0',
        'global.anthropic.claude-sonnet-4-5',
        'arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0',
        'arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0',
    ],
)
def test_a_name_is_recognized_after_its_region_and_in_an_arn(name: str) -> None:
    assert bedrock_model_profile(name) == bedrock_model_profile(CLAUDE)
    assert bedrock_model_profile(name).bedrock_thinking == 'claude'


@pytest.mark.parametrize(
    'name', ['', 'arn:aws:bedrock:us-east-1:1:application-inference-profile/abc', 'mycustom.model']
)
def test_an_unknown_name_has_the_default_profile(name: str) -> None:
    profile = bedrock_model_profile(name)
    assert (profile.bedrock_thinking, profile.supports_tools, profile.bedrock_cache) == ('none', True, frozenset())


@pytest.mark.parametrize(
    ('name', 'facts'),
    [
        ('us.anthropic.claude-opus-4-6-v1', {'supports_json_schema_output': True, 'bedrock_adaptive_thinking': True}),
        ('anthropic.claude-opus-4-1-20250805-v1:0', {'supports_json_schema_output': False, 'supports_thinking': True}),
        ('anthropic.claude-v2:1', {'supports_thinking': False, 'bedrock_parallel_switch': False}),
        ('us.amazon.nova-micro-v1:0', {'bedrock_content': frozenset({'text'}), 'bedrock_top_k': 'topK'}),
        ('eu.amazon.nova-premier-v1:0', {'bedrock_system_tools': frozenset({'nova_grounding'})}),
        ('amazon.titan-text-express-v1', {'supports_tools': False, 'default_structured_output_mode': 'prompted'}),
        ('mistral.ministral-3-8b-instruct', {'supports_json_schema_output': True}),
        ('mistral.mistral-7b-instruct-v0:2', {'supports_json_schema_output': False}),
        ('qwen.qwen3-coder-30b-a3b-v1:0', {'bedrock_thinking': 'none', 'bedrock_strict_tools': True}),
        ('zai.glm-4.7', {'bedrock_answers_first': True}),
        ('openai.gpt-5.5', {'unsupported_settings': frozenset({'temperature', 'top_p'})}),
        ('openai.gpt-6.1-sol', {'thinking_always_enabled': True, 'bedrock_thinking_off': 'never'}),
        ('anthropic.claude-sonnet-5-5', {'supports_json_schema_output': False}),
        ('anthropic.claude-mythos-5-1', {'supports_json_schema_output': True}),
        ('us.deepseek.r1-v1:0', {'supports_tools': False, 'thinking_always_enabled': True}),
    ],
)
def test_a_family_has_its_features(name: str, facts: Json) -> None:
    profile = bedrock_model_profile(name)
    assert {fact: getattr(profile, fact) for fact in facts} == facts


def test_a_profile_can_be_given_for_an_unknown_name() -> None:
    arn = 'arn:aws:bedrock:us-east-1:1:application-inference-profile/abc'
    sent = Sent(HI, {'thinking': 'low', 'top_k': 3}, name=arn, profile=bedrock_model_profile(CLAUDE))
    assert 'thinking' in sent.fields
    assert BedrockProvider(api_key='k', region_name='eu-west-1').model_profile(arn) == bedrock_model_profile(arn)


def test_a_whole_conversation_is_sent_to_every_family() -> None:
    """`Sent` checks with boto3 that each request is valid."""
    retry = RetryPromptPart('Again.', tool_name='time', tool_call_id='b')
    calls = (ToolCallPart('weather', {'city': 'Rome'}, 'a'), ToolCallPart('time', None, 'b'))
    messages = [
        ask('Look', ['at', CachePoint()], instructions='Be brief.'),
        say(ThinkingPart('Hm.', signature='s', provider_name='bedrock'), TextPart('I look.'), *calls),
        ask(ToolReturnPart('weather', {'sky': 'blue'}, 'a'), retry, 'And?', instructions='Be brief.'),
    ]
    for name in (
        CLAUDE,
        ADAPTIVE,
        OLD,
        NOVA,
        NOVA_1,
        LLAMA,
        MISTRAL,
        QWEN,
        GPT_OSS,
        'zai.glm-4.7',
        'ai21.jamba-1-5-mini',
    ):
        for settings in ({}, {'thinking': 'low', 'max_tokens': 5000, 'top_k': 3, 'parallel_tool_calls': False}):
            sent = Sent(messages, settings, name=name, function_tools=[WEATHER, TIME])
            roles = [turn[0] for turn in sent.turns]
            assert roles == [('user', 'assistant')[n % 2] for n in range(len(roles))]
    assert Sent([*messages, say(TextPart('b')), ask([PAGE])], function_tools=[WEATHER, TIME]).turns[-1][-1] == '.'
