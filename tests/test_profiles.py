"""The facts of models by their names, the merging of profiles, and the rewriting of schemas."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from pydantic_llm.profiles import DEFAULT_PROFILE, ModelProfile, compatible
from pydantic_llm.profiles.compatible import bare_name, inline_strictly, make_profile
from pydantic_llm.profiles.gemini import gemini_model_profile
from pydantic_llm.profiles.openai import (
    SAMPLING,
    GeminiByOpenRouterSchema,
    OpenAIModelProfile,
    OpenAISchema,
    openai_model_profile,
)
from pydantic_llm.profiles.schema import SchemaTransformer, TransformedSchema, inline_transformer
from pydantic_llm.providers.registry import SERVICES

Json = dict[str, Any]

openai_schema = OpenAISchema.transformer()
gemini_schema = GeminiByOpenRouterSchema.transformer()

STOP = frozenset({'stop_sequences'})
PENALTIES = frozenset({'presence_penalty', 'frequency_penalty'})
NOTHING = frozenset[str]()


# --------------------------------------------------------------------------------------------------------------- layers


def test_a_mapping_overrides_the_fields_that_it_names() -> None:
    profile = ModelProfile(supports_tools=False, supports_thinking=True)
    assert profile.merge({'supports_tools': True, 'no_such_field': 1}) == ModelProfile(supports_thinking=True)


def test_a_default_of_another_profile_overrides_nothing() -> None:
    profile = ModelProfile(supports_tools=False)
    assert profile.merge(ModelProfile(supports_thinking=True)) == ModelProfile(
        supports_tools=False, supports_thinking=True
    )
    assert profile.merge(None) == profile
    assert profile.merge(DEFAULT_PROFILE) == profile


def test_a_profile_of_a_family_keeps_its_class_over_a_plain_one() -> None:
    merged = ModelProfile(supports_tools=False).merge(OpenAIModelProfile(openai_flatten_content=True))
    assert merged == OpenAIModelProfile(supports_tools=False, openai_flatten_content=True)


# ---------------------------------------------------------------------------------------------------- OpenAI's models

OPENAI_MODELS: list[tuple[str, str, tuple[str, ...], frozenset[str]]] = [
    ('gpt-4o', 'never', (), NOTHING),
    ('gpt-4.1-nano-2025-04-14', 'never', (), NOTHING),
    ('gpt-5-chat-latest', 'never', (), NOTHING),
    ('gpt-5', 'always', ('minimal', 'low', 'medium', 'high'), SAMPLING | STOP),
    ('gpt-5-mini-2025-08-07', 'always', ('minimal', 'low', 'medium', 'high'), SAMPLING | STOP),
    ('gpt-5-pro', 'always', ('high',), SAMPLING | STOP),
    ('gpt-5-codex', 'always', ('minimal', 'low', 'medium', 'high'), SAMPLING | STOP),
    ('gpt-5.1', 'on_request', ('low', 'medium', 'high'), STOP),
    ('gpt-5.1-chat-latest', 'always', ('medium',), SAMPLING | STOP),
    ('gpt-5.1-codex-max', 'always', ('low', 'medium', 'high', 'xhigh'), SAMPLING | STOP),
    ('gpt-5.2', 'on_request', ('low', 'medium', 'high', 'xhigh'), STOP),
    ('gpt-5.2-pro', 'always', ('medium', 'high', 'xhigh'), SAMPLING | STOP),
    ('gpt-5.4-mini', 'on_request', ('low', 'medium', 'high', 'xhigh'), STOP),
    ('gpt-5.5', 'by_default', ('low', 'medium', 'high', 'xhigh'), NOTHING),
    ('gpt-5.6-luna', 'by_default', ('low', 'medium', 'high', 'xhigh', 'max'), NOTHING),
    ('gpt-6-astra', 'always', ('low', 'medium', 'high', 'xhigh', 'max'), SAMPLING),
    ('gpt-6-sol', 'by_default', ('low', 'medium', 'high', 'xhigh', 'max'), NOTHING),
    ('gpt-6.1-sol', 'always', ('low', 'medium', 'high', 'xhigh', 'max'), SAMPLING),
    ('o1', 'always', ('low', 'medium', 'high'), SAMPLING),
    ('o3', 'always', ('low', 'medium', 'high'), SAMPLING | STOP),
    ('o3-2025-04-16', 'always', ('low', 'medium', 'high'), SAMPLING | STOP),
    ('o3-mini', 'always', ('low', 'medium', 'high'), SAMPLING),
    ('o4-mini', 'always', ('low', 'medium', 'high'), SAMPLING | STOP),
]
"""The condition under which a model reasons, its efforts, and the settings that it refuses."""


@pytest.mark.parametrize(('name', 'reasoning', 'efforts', 'refused'), OPENAI_MODELS)
def test_the_facts_of_openais_models_follow_from_their_names(
    name: str, reasoning: str, efforts: tuple[str, ...], refused: frozenset[str]
) -> None:
    profile = openai_model_profile(name)
    assert (profile.openai_reasoning, profile.openai_thinking_efforts) == (reasoning, efforts)
    assert profile.unsupported_settings == refused
    assert profile.supports_thinking == (reasoning != 'never')
    assert profile.thinking_always_enabled == (reasoning == 'always')
    assert profile.openai_thinking_off == ('none' if reasoning in ('on_request', 'by_default') else None)


# ------------------------------------------------------------------------------------------- families behind services


@pytest.mark.parametrize(
    ('name', 'bare'),
    [
        ('gpt-4o', 'gpt-4o'),
        ('Qwen/Qwen3-8B', 'qwen3-8b'),
        ('qwen3:8b', 'qwen3'),
        ('accounts/fireworks/models/llama-v3p1-8b', 'llama-v3p1-8b'),
        ('anthropic/claude-3.7-sonnet:thinking', 'claude-3.7-sonnet'),
    ],
)
def test_a_bare_name_has_no_vendor_and_no_tag(name: str, bare: str) -> None:
    assert bare_name(name) == bare


INLINED: Json = {'json_schema_transformer': inline_strictly}
PLAIN: Json = {'json_schema_transformer': inline_transformer}
"""For servers that enforce no tool."""
NATIVE: Json = {'supports_json_schema_output': True}

FACTS: list[tuple[str, str, Json]] = [
    ('together', 'meta-llama/Llama-3.3-70B-Instruct', {**INLINED, **NATIVE}),
    ('together', 'Qwen/Qwen3-235B', {**INLINED, 'ignore_streamed_leading_whitespace': True}),
    ('together', 'deepseek-ai/DeepSeek-V4-Pro', {'openai_forces_tools': False}),
    ('together', 'openai/gpt-oss-120b', {'openai_forces_tools': False, 'thinking_always_enabled': True}),
    ('nebius', 'deepseek-ai/DeepSeek-R1-0528', {'thinking_always_enabled': True, 'openai_thinking_efforts': ()}),
    ('nebius', 'google/gemma-3-27b-it', INLINED),
    ('fireworks', 'accounts/fireworks/models/glm-5p3', NATIVE),
    ('vercel', 'openai/gpt-5', {'unsupported_settings': SAMPLING | STOP, 'openai_allowed_tools': False}),
    ('ovhcloud', 'Mistral-Small-3.2-24B-Instruct-2506', {'ignore_streamed_leading_whitespace': False}),
    ('sambanova', 'Meta-Llama-3.3-70B-Instruct', INLINED),
    ('heroku', 'kimi-k2-5', {'supports_thinking': True}),
    ('heroku', 'claude-3-7-sonnet', NATIVE),
    ('crusoe', 'zai/GLM-5.2', {**NATIVE, 'supports_json_object_output': True}),
    ('grok', 'grok-4', {'unsupported_settings': STOP | PENALTIES, 'supports_thinking': False}),
    ('grok', 'grok-4-fast-non-reasoning', {'unsupported_settings': PENALTIES}),
    ('grok', 'grok-2-vision', {'unsupported_settings': NOTHING}),
    ('grok', 'grok-3', {'unsupported_settings': PENALTIES}),
    ('grok', 'grok-3-mini', {'unsupported_settings': STOP | PENALTIES, 'supports_thinking': True}),
    ('grok', 'grok-4.6', {'thinking_always_enabled': True, 'openai_thinking_efforts': ('low', 'medium', 'high')}),
    ('openrouter', 'x-ai/grok-4', {'unsupported_settings': STOP | PENALTIES, 'openai_max_tokens_field': 'max_tokens'}),
    ('openrouter', 'anthropic/claude-sonnet-4.5', {**NATIVE, 'supports_json_object_output': False}),
    ('openrouter', 'openai/gpt-4o', {**NATIVE, 'supports_json_object_output': True}),
    ('openrouter', '~google/gemini-flash-latest', {'supports_json_object_output': True, 'openai_video_url': True}),
    ('perplexity', 'sonar-pro', {'supports_tools': False, 'default_structured_output_mode': 'native'}),
    ('perplexity', 'sonar', {'openai_thinking_back': 'drop', 'openai_joins_system_messages': True}),
    ('moonshotai', 'kimi-k2.5', {'openai_thinking_back': 'field', 'openai_thinking_setting': 'thinking'}),
    ('openrouter', 'openai/gpt-5.1', {'openai_thinking_back': 'details', 'openai_document_url': True}),
    ('vllm-server', 'some/model', {'openai_documents': False, 'openai_joins_system_messages': True}),
    ('lmstudio', 'some-model', {'openai_documents': False, 'openai_joins_system_messages': True}),
    ('llamacpp', 'some-model', {'openai_documents': False, 'openai_joins_system_messages': True}),
    ('deepseek', 'deepseek-chat', {'supports_thinking': False, 'openai_forces_tools': True}),
    ('deepseek', 'deepseek-reasoner', {'openai_forces_tools': False, 'openai_thinking_with_calls': True}),
    ('deepseek', 'deepseek-v4-flash', {'openai_forces_tools': 'without_thinking', 'openai_thinking_with_calls': True}),
    ('moonshotai', 'kimi-k2.6', {'unsupported_settings': PENALTIES | {'temperature', 'top_p'}}),
    ('moonshotai', 'moonshot-v1-8k', {'unsupported_settings': NOTHING, 'supports_thinking': False}),
    ('moonshotai', 'kimi-k3', {'thinking_always_enabled': True, 'openai_thinking_efforts': ('low', 'high', 'max')}),
    ('zai', 'glm-4.7', {'openai_always_sends': {'thinking': {'clear_thinking': False}}, 'supports_thinking': True}),
    ('zai', 'glm-4-plus', {'openai_always_sends': None, 'supports_thinking': False}),
    ('alibaba', 'qwen3-coder-plus', {'supports_thinking': False, 'openai_documents': False}),
    ('cerebras', 'llama-3.3-70b', {'supports_json_object_output': False, 'openai_strict_tools': True}),
    ('cerebras', 'qwen-3-coder-480b', {'openai_strict_tools': False, 'openai_forces_tools': False}),
    ('cerebras', 'zai-glm-5.3', {'openai_thinking_off': None, 'openai_thinking_efforts': ('low', 'high', 'max')}),
    ('snowflake', 'llama3.1-8b', {'supports_tools': False, 'default_structured_output_mode': 'prompted'}),
    ('snowflake', 'openai-gpt-5', {'supports_tools': True, 'unsupported_settings': SAMPLING | STOP}),
    ('bedrock-mantle', 'openai.gpt-oss-120b', {'openai_forces_tools': True, 'supports_thinking': True}),
    ('ollama', 'qwen3:8b', {**PLAIN, **NATIVE, 'openai_strict_tools': False}),
    ('ollama', 'gpt-oss:120b-cloud', {'supports_json_schema_output': False}),
    ('lmstudio', 'qwen3-8b', {**PLAIN, **NATIVE, 'supports_json_object_output': False}),
    ('llamacpp', 'any', {**PLAIN, 'openai_constraints': 'llamacpp'}),
    ('vllm-server', 'Qwen/Qwen3-8B', {'supports_thinking': True, 'openai_constraints': 'vllm'}),
    ('vllm-server', 'Qwen/Qwen3-Coder-30B-A3B-Instruct', {'supports_thinking': False}),
    ('vllm-server', 'Qwen/Qwen3-235B-A22B-Thinking-2507', {'thinking_always_enabled': True}),
]
"""A service, a model, and some facts of it."""


@pytest.mark.parametrize(('service', 'name', 'facts'), FACTS)
def test_a_model_is_known_behind_a_service(service: str, name: str, facts: Json) -> None:
    profile = SERVICES[service].profile(name)
    assert {field: getattr(profile, field) for field in facts} == facts


def test_every_profile_belongs_to_a_service() -> None:
    made = {name for name in compatible.__all__ if name.endswith('_profile')} - {'make_profile'}
    services = {service.profile for service in SERVICES.values()} | {compatible.azure_profile}  # a provider of its own
    assert services == {getattr(compatible, name) for name in made}


def test_every_service_with_a_profile_of_its_own_has_a_row_of_facts() -> None:
    own = {name for name, service in SERVICES.items() if service.profile is not compatible.plain_profile}
    assert own - {service for service, _, _ in FACTS} == set()


@pytest.mark.parametrize('service', SERVICES.values(), ids=SERVICES.keys())
def test_no_service_gets_what_only_openai_supports(service: Any) -> None:
    for name in ('gpt-4o', 'openai/gpt-5', 'some/model'):
        profile = service.profile(name)
        assert isinstance(profile, OpenAIModelProfile)
        assert not profile.openai_allowed_tools


def test_an_unknown_model_gets_the_plain_profile() -> None:
    profile = make_profile('vendor/some-model')
    assert profile.what_is_set().keys() == {'json_schema_transformer'}


# ------------------------------------------------------------------------------------------------------------- schemas

TEXT: Json = {'type': 'string'}


def an_object(*required: str, **properties: Json) -> Json:
    return {'type': 'object', 'properties': properties, 'required': list(required)}


def choice(count: int, suffix: str) -> Json:
    return an_object('a', a={**TEXT, 'enum': [f'{n}{suffix}'[:60] for n in range(count)]})


def many(count: int) -> Json:
    return an_object(*(f'p{n}' for n in range(count)), **{f'p{n}': TEXT for n in range(count)})


LONG = 'x' * (120_000 - 1)


def closed(schema: Json) -> Json:
    return {**schema, 'additionalProperties': False}


def nested(depth: int) -> Json:
    return an_object('a', a=nested(depth - 1)) if depth > 1 else an_object('a', a=TEXT)


NODE = an_object('children', children={'type': 'array', 'items': {'$ref': '#/$defs/Node'}})
NODE_AT_ROOT = an_object('children', children={'type': 'array', 'items': {'$ref': '#'}})

KEPT: list[tuple[Json, bool]] = [
    (TEXT, True),
    ({**TEXT, 'format': 'uuid'}, True),
    ({**TEXT, 'pattern': r'a\(?=b'}, True),
    ({'type': 'array', 'prefixItems': [TEXT], 'items': {}}, False),
    ({'type': 'integer', 'minimum': 0}, True),
    ({'anyOf': [TEXT, {'type': 'null'}]}, True),
    ({**TEXT, 'default': 'x'}, False),
    ({**TEXT, 'minLength': 1}, False),
    ({**TEXT, 'format': 'uri'}, False),
    ({**TEXT, 'pattern': 'a(?=b)'}, False),
    ({**TEXT, 'pattern': '(?<!a)b'}, False),
    ({'oneOf': [{**TEXT, 'pattern': 'a'}, {**TEXT, 'pattern': 'b'}]}, False),
    ({'type': 'array', 'items': {}}, False),
    ({}, False),
    ({'anyOf': [TEXT, {}]}, False),
    ({'allOf': [TEXT, {'pattern': 'a'}]}, False),
    ({**TEXT, 'not': {'const': 'a'}}, False),
    ({'type': 'date'}, False),
    ({'type': 'object', 'properties': {}, 'additionalProperties': TEXT}, False),
    ({'$ref': '#/properties/b'}, False),
]
"""The schema of a field, and whether an object with it is strict; it is sent unchanged."""


@pytest.mark.parametrize(('field', 'strict'), KEPT, ids=[str(row[0]) for row in KEPT])
def test_a_field_decides_whether_a_schema_is_strict(field: Json, strict: bool) -> None:
    done = openai_schema(an_object('a', a=field), None)
    assert (done.json_schema, done.strict, done.losses) == (closed(an_object('a', a=field)), strict, ())


NULL: Json = {'type': 'null'}
EXAMPLE: Json = {**TEXT, 'description': "examples=['x']"}
PAIR: Json = {'type': 'array', 'prefixItems': [TEXT, TEXT], 'minItems': 2, 'maxItems': 2}
LIST_OF_TWO: Json = {'type': 'array', 'items': TEXT, 'minItems': 2, 'maxItems': 2}
NAMED_TYPES: Json = {'type': ['string', 'integer'], 'enum': ['x', 1]}

INFERRED: list[tuple[str, Json, Json, bool]] = [
    (
        'no parameters',
        {'type': 'object', 'properties': {}},
        {'type': 'object', 'properties': {}, 'additionalProperties': False},
        False,
    ),
    ('no properties', {'type': 'object'}, closed({'type': 'object', 'properties': {}}), False),
    ('one optional', an_object('a', a=TEXT, b=TEXT), closed(an_object('a', a=TEXT, b=TEXT)), False),
    ('titles', {**an_object('a', a={**TEXT, 'title': 'A'}), 'title': 'T'}, closed(an_object('a', a=TEXT)), True),
    ('examples', an_object('a', a={**TEXT, 'examples': ['x']}), closed(an_object('a', a=EXAMPLE)), True),
    (
        'a union of types',
        an_object('a', a={'oneOf': [TEXT, NULL]}),
        closed(an_object('a', a={'anyOf': [TEXT, NULL]})),
        True,
    ),
    ('a tuple', an_object('a', a=PAIR), closed(an_object('a', a=LIST_OF_TWO)), True),
    ('values without a type', an_object('a', a={'enum': ['x', 1]}), closed(an_object('a', a=NAMED_TYPES)), True),
    (
        'a constant without a type',
        an_object('a', a={'const': None}),
        closed(an_object('a', a={**NULL, 'const': None})),
        True,
    ),
    (
        'a described reference',
        {**an_object('a', a={'$ref': '#/$defs/B', 'description': 'b'}), '$defs': {'B': TEXT}},
        closed({**an_object('a', a={'anyOf': [{'$ref': '#/$defs/B'}], 'description': 'b'}), '$defs': {'B': TEXT}}),
        True,
    ),
    (
        'a recursive root',
        {'$ref': '#/$defs/Node', '$defs': {'Node': NODE}},
        closed({**NODE_AT_ROOT, '$defs': {'Node': closed(NODE_AT_ROOT)}}),
        True,
    ),
]
"""A topic, a schema, the schema that is sent if no strictness is requested, and whether it is strict."""


@pytest.mark.parametrize(('schema', 'expected', 'strict'), [row[1:] for row in INFERRED], ids=[r[0] for r in INFERRED])
def test_a_schema_is_sent_as_strict_if_it_can_be(schema: Json, expected: Json, strict: bool) -> None:
    before = deepcopy(schema)
    done = openai_schema(schema, None)
    assert (done.json_schema, done.strict, done.losses) == (expected, strict, ())
    assert schema == before


@pytest.mark.parametrize(
    ('schema', 'strict'),
    [
        (nested(10), True),
        (nested(11), False),
        ({**an_object('a', a={'$ref': '#/$defs/B'}), '$defs': {'B': nested(9)}}, True),
        ({**an_object('a', a={'$ref': '#/$defs/B'}), '$defs': {'B': nested(10)}}, False),
        (many(5000), True),
        (many(5001), False),
        (choice(1000, ''), True),
        (choice(1001, ''), False),
        (choice(250, 'x' * 100), True),
        (choice(251, 'x' * 100), False),
        (an_object(LONG, 'a', a=TEXT, **{LONG: TEXT}), True),
        (an_object(LONG, 'ab', ab=TEXT, **{LONG: TEXT}), False),
    ],
    ids=[
        '10 deep',
        '11 deep',
        'definition 9 deep',
        'definition 10 deep',
        '5000 properties',
        '5001 properties',
        '1000 values',
        '1001 values',
        '250 long values',
        '251 long values',
        'a long name',
        'a longer name',
    ],
)
def test_a_schema_that_is_too_large_is_not_strict(schema: Json, strict: bool) -> None:
    assert openai_schema(schema, None).strict is strict


def forced(schema: Json) -> TransformedSchema:
    strict = True
    return openai_schema(schema, strict)


REQUIRED = 'required of $'

FORCED: list[tuple[str, Json, Json, tuple[str, ...]]] = [
    ('an optional', an_object(a=TEXT), closed(an_object('a', a=TEXT)), (REQUIRED,)),
    ('a default', an_object(a={**TEXT, 'default': 'x'}), closed(an_object('a', a=TEXT)), ('default of $.a',)),
    (
        'lengths',
        an_object('a', a={**TEXT, 'minLength': 1, 'maxLength': 9}),
        closed(an_object('a', a={**TEXT, 'description': 'minLength=1, maxLength=9'})),
        ('minLength of $.a', 'maxLength of $.a'),
    ),
    (
        'a described set',
        an_object('a', a={'type': 'array', 'items': TEXT, 'uniqueItems': True, 'description': 'Some.'}),
        closed(an_object('a', a={'type': 'array', 'items': TEXT, 'description': 'Some. (uniqueItems=True)'})),
        ('uniqueItems of $.a',),
    ),
    ('oneOf', an_object('a', a={'oneOf': [TEXT]}), closed(an_object('a', a={'anyOf': [TEXT]})), ()),
    (
        'a mixed tuple',
        an_object('a', a={**PAIR, 'prefixItems': [TEXT, NULL]}),
        closed(an_object('a', a={**LIST_OF_TWO, 'items': {'anyOf': [TEXT, NULL]}})),
        ('prefixItems of $.a',),
    ),
    (
        'an object with more properties',
        {**an_object('a', a=TEXT), 'additionalProperties': TEXT},
        closed(an_object('a', a=TEXT)),
        ('additionalProperties of $',),
    ),
    (
        'a condition between properties',
        {**an_object('a', a=TEXT), 'anyOf': [{'required': ['a']}]},
        closed({**an_object('a', a=TEXT), 'description': "anyOf=[{'required': ['a']}]"}),
        ('anyOf of $',),
    ),
]  # fmt: skip


@pytest.mark.parametrize(('schema', 'expected', 'losses'), [row[1:] for row in FORCED], ids=[row[0] for row in FORCED])
def test_the_losses_of_a_strict_schema_are_reported(schema: Json, expected: Json, losses: tuple[str, ...]) -> None:
    done = forced(schema)
    assert (done.json_schema, done.strict, done.losses) == (expected, True, losses)


OBSTACLES: list[tuple[Json, str]] = [
    (an_object('a', a={'type': 'array', 'items': {}}), '$.a.items may be any value'),
    (an_object('a', a={'description': 'Any.'}), '$.a may be any value'),
    (an_object('a', a={'type': 'object', 'additionalProperties': TEXT}), '$.a is an object whose keys are not known'),
    (an_object('a', a={'type': 'object'}), '$.a is an object whose keys are not known'),
    (
        an_object('a', a={'anyOf': [{'type': 'object', 'patternProperties': {'x': TEXT}}]}),
        '$.a.0 is an object whose keys',
    ),
    (an_object('a', a={'$ref': 'https://example.com/a'}), "$.a refers to 'https://example.com/a'"),
    ({'type': 'object', 'anyOf': [an_object('a', a=TEXT), an_object('b', b=TEXT)]}, '$ is not an object, but a union'),
    (nested(11), 'it has 11 levels of objects, and 10 are the maximum'),
]


@pytest.mark.parametrize(('schema', 'obstacle'), OBSTACLES, ids=[row[1] for row in OBSTACLES])
def test_a_schema_that_strict_mode_would_make_useless_is_not_strict(schema: Json, obstacle: str) -> None:
    done = forced(schema)
    assert (done.strict, done.losses) == (False, ())
    assert done.obstacles[0].startswith(obstacle)


@pytest.mark.parametrize('field', [{'type': 'array'}, {'type': 'array', 'prefixItems': [TEXT, NULL]}])
@pytest.mark.parametrize('strict', [None, True, False])
def test_a_list_has_items_even_if_the_schema_is_not_strict(field: Json, strict: bool | None) -> None:
    sent = openai_schema(an_object('a', a=field), strict).json_schema['properties']['a']
    assert isinstance(sent['items'], dict)


def test_a_schema_that_is_not_strict_loses_only_its_titles() -> None:
    schema = {**an_object(a={**TEXT, 'default': 'x', 'minLength': 1}), 'title': 'T'}
    strict = False
    done = openai_schema(schema, strict)
    assert (done.json_schema, done.strict) == (an_object(a={**TEXT, 'default': 'x', 'minLength': 1}), False)


@pytest.mark.parametrize(('strict', 'told'), [(None, True), (True, True), (False, False)])
def test_references_are_inlined_for_servers_that_do_not_follow_them(strict: bool | None, told: bool) -> None:
    schema = {
        **an_object('a', a={'$ref': '#/$defs/B', 'title': 'A'}, b={'type': 'array', 'items': {'$ref': '#/$defs/C'}}),
        '$defs': {'B': an_object('c', c={'$ref': '#/$defs/C'}), 'C': {**TEXT, 'title': 'C'}},
    }
    done = inline_transformer(schema, strict)
    c = {**TEXT, 'title': 'C'}
    expected = an_object('a', a={**an_object('c', c=c), 'title': 'A'}, b={'type': 'array', 'items': c})
    assert (done.json_schema, done.strict, done.losses) == (expected, told, ())


def test_a_definition_that_refers_to_itself_stays() -> None:
    schema = {**an_object('a', a={'$ref': '#/$defs/Node'}), '$defs': {'Node': NODE, 'Other': TEXT}}
    kept = {**an_object('a', a={'$ref': '#/$defs/Node'}), '$defs': {'Node': NODE}}
    assert inline_transformer(schema, None).json_schema == kept


def laughs(levels: int) -> Json:
    """Return a schema whose size doubles with each level, if its references are inlined."""
    pairs = {
        f'A{n}': an_object(l={'$ref': f'#/$defs/A{n + 1}'}, r={'$ref': f'#/$defs/A{n + 1}'}) for n in range(levels)
    }
    return {**an_object('a', a={'$ref': '#/$defs/A0'}), '$defs': {**pairs, f'A{levels}': TEXT}}


@pytest.mark.parametrize('levels', [16, 60])
def test_references_stay_if_the_schema_would_become_too_large_without_them(levels: int) -> None:
    done = inline_transformer(laughs(levels), None)
    assert (done.json_schema, done.strict) == (laughs(levels), False)
    assert 'and 10000 are the maximum' in done.obstacles[0]
    assert openai_schema(laughs(levels), None).strict is False


def test_definitions_that_refer_to_each_other_are_not_inlined_into_each_other() -> None:
    names = [f'N{n}' for n in range(12)]
    node = an_object(**{name: {'$ref': f'#/$defs/{name}'} for name in names})
    schema = {**an_object('a', a={'$ref': '#/$defs/N0'}), '$defs': dict.fromkeys(names, node)}
    assert inline_transformer(schema, None).json_schema == schema


def test_gemini_behind_openrouter_gets_no_references_and_no_null() -> None:
    schema = {
        **an_object(
            'a',
            a={'anyOf': [{'$ref': '#/$defs/B'}, {'type': 'null'}], 'title': 'A', 'description': 'a'},
            b={'const': 1},
            c={**TEXT, 'format': 'uri', 'description': 'c'},
            d={'oneOf': [TEXT, {'type': 'integer', 'exclusiveMinimum': 0}]},
        ),
        '$defs': {'B': TEXT},
    }
    done = gemini_schema(schema, None)
    assert done.json_schema == an_object(
        'a',
        a={**TEXT, 'description': 'a', 'nullable': True},
        b={**TEXT, 'enum': ['1']},
        c={**TEXT, 'description': 'c (format: uri)'},
        d={'anyOf': [TEXT, {'type': 'integer'}]},
    )
    assert done.strict


TITLED: Json = {**TEXT, 'title': 'A'}


@pytest.mark.parametrize(
    ('keyword', 'titled', 'bare'),
    [
        *((key, {'x': TITLED}, {'x': TEXT}) for key in ('properties', '$defs', 'definitions')),
        *((key, {'x': TITLED}, {'x': TEXT}) for key in ('patternProperties', 'dependentSchemas')),
        *((key, TITLED, TEXT) for key in ('items', 'additionalProperties', 'not', 'if', 'then', 'else')),
        *((key, TITLED, TEXT) for key in ('contains', 'propertyNames')),
        *((key, [TEXT, TITLED], [TEXT, TEXT]) for key in ('anyOf', 'oneOf', 'allOf', 'prefixItems')),
    ],
)
def test_a_schema_is_rewritten_down_to_its_last_corner(keyword: str, titled: Any, bare: Any) -> None:
    strict = False
    done = openai_schema(an_object('a', a={'description': 'a', keyword: titled}), strict)
    assert done.json_schema == an_object('a', a={'description': 'a', keyword: bare})


@pytest.mark.parametrize('transform', [openai_schema, gemini_schema, inline_transformer])
def test_the_same_schema_is_rewritten_once(transform: SchemaTransformer) -> None:
    assert transform(an_object('a', a=TEXT), None) is transform(an_object('a', a=dict(TEXT)), None)


@pytest.mark.parametrize('name', ['title', 'default', '$ref', 'properties', 'const', '$defs'])
@pytest.mark.parametrize('transform', [openai_schema, gemini_schema, inline_transformer])
def test_a_property_may_be_called_like_a_keyword(transform: SchemaTransformer, name: str) -> None:
    done = transform(an_object(name, **{name: TEXT}), None)
    assert done.json_schema['properties'] == {name: TEXT}
    assert done.strict


@pytest.mark.parametrize('vertex', [False, True])
def test_gemini_before_3_combines_no_output_with_native_tools(vertex: bool) -> None:
    """https://ai.google.dev/gemini-api/docs/tool-combination"""
    for name, modes in (('gemini-2.5-flash', {'tool', 'native'}), ('gemini-2.0-flash', {'tool', 'native'})):
        profile = gemini_model_profile(name, vertex=vertex)
        assert profile.native_tools_refuse == modes
        assert profile.choose_output_mode(has_native_tools=True) == 'prompted'
        assert profile.choose_output_mode(has_native_tools=False) == 'tool'
    assert gemini_model_profile('gemini-3-pro', vertex=vertex).choose_output_mode(has_native_tools=True) == 'tool'
