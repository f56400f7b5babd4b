"""Schemas of random pydantic models: what is sent as strict is in the vendor's subset, and loses nothing in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st
from pydantic import BaseModel

from pydantic_llm import NativeOutput
from pydantic_llm.agent.build_output_reader import build_output_reader
from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import ModelRequest
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.bedrock import BedrockConverseModel
from pydantic_llm.models.cohere import CohereModel
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.models.groq import GroqModel
from pydantic_llm.models.mistral import MistralModel
from pydantic_llm.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.providers.bedrock import BedrockProvider
from pydantic_llm.providers.cohere import CohereProvider
from pydantic_llm.providers.google_gla import GoogleGLAProvider
from pydantic_llm.providers.groq import GroqProvider
from pydantic_llm.providers.mistral import MistralProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.providers.registry import provider_class
from pydantic_llm.tools import ToolDefinition
from pydantic_llm.tools.shape import Shape
from pydantic_llm.wire.model import WireModel
from tests.conformance.pydantic_types import Chain, Drawn, Even, Link, Point, Tree, models
from tests.conformance.validators.rules import Json
from tests.conformance.validators.schemas import SCHEMA_VALIDATORS, nodes

HELLO = [ModelRequest.user_text_prompt('Hello.')]
CLAUDE = 'anthropic.claude-sonnet-4-5-20250929-v1:0'
Sent = tuple[bool, Json]
"""Whether a schema is strict, and the schema."""


def read_chat(body: Json) -> Sent:
    if 'response_format' in body:
        output = body['response_format']['json_schema']
        return output.get('strict', False), output['schema']
    function = body['tools'][0]['function']
    return function.get('strict', False), function['parameters']


def read_mistral(body: Json) -> Sent:
    if 'response_format' in body:
        return read_chat(body)
    return False, body['tools'][0]['function']['parameters']  # no rules are known for the schemas of tools


def read_responses(body: Json) -> Sent:
    tool = body['text']['format'] if 'text' in body else body['tools'][0]
    return tool['strict'], tool['schema' if 'text' in body else 'parameters']


def read_anthropic(body: Json) -> Sent:
    if 'output_config' in body:
        return True, body['output_config']['format']['schema']
    return body['tools'][0].get('strict', False), body['tools'][0]['input_schema']


def read_gemini(body: Json) -> Sent:
    if 'tools' in body:
        return True, body['tools'][0]['functionDeclarations'][0]['parametersJsonSchema']
    return True, body['generationConfig']['responseJsonSchema']


def read_bedrock(body: Json) -> Sent:
    if 'outputConfig' in body:
        return True, json.loads(body['outputConfig']['textFormat']['structure']['jsonSchema']['schema'])
    tool = body['toolConfig']['tools'][0]['toolSpec']
    return tool.get('strict', False), tool['inputSchema']['json']


def read_cohere(body: Json) -> Sent:
    if 'response_format' in body:
        return True, body['response_format']['json_schema']
    return body.get('strict_tools', False), body['tools'][0]['function']['parameters']


def make_compatible(service: str, name: str) -> WireModel:
    return OpenAIChatModel(name, provider=provider_class(service)(api_key='k'))


@dataclass(frozen=True)
class Service:
    """A model of a vendor, the reading of its bodies, and the vendor's rules."""

    make: Callable[[], WireModel]
    read: Callable[[Json], Sent]
    rules: str
    always: tuple[str, ...] = ()
    """Where every schema is enforced, if it can be: for tools or outputs."""


AWS = {'region_name': 'us-east-1', 'aws_access_key_id': 'a', 'aws_secret_access_key': 'b'}

SERVICES: dict[str, Service] = {
    'openai': Service(lambda: OpenAIChatModel('gpt-4o', provider=OpenAIProvider(api_key='k')), read_chat, 'openai'),
    'responses': Service(
        lambda: OpenAIResponsesModel('gpt-5-mini', provider=OpenAIProvider(api_key='k')), read_responses, 'openai'
    ),
    'anthropic': Service(
        lambda: AnthropicModel('claude-sonnet-4-5', provider=AnthropicProvider(api_key='k')),
        read_anthropic,
        'anthropic',
        ('output',),
    ),
    'bedrock': Service(
        lambda: BedrockConverseModel(CLAUDE, provider=BedrockProvider(**AWS)), read_bedrock, 'anthropic', ('output',)
    ),
    'gemini': Service(
        lambda: GeminiModel('gemini-2.5-flash', provider=GoogleGLAProvider(api_key='k')), read_gemini, 'gemini'
    ),
    'cohere': Service(
        lambda: CohereModel('command-a-03-2025', provider=CohereProvider(api_key='k')),
        read_cohere,
        'cohere',
        ('output',),
    ),
    'groq': Service(lambda: GroqModel('openai/gpt-oss-120b', provider=GroqProvider(api_key='k')), read_chat, 'groq'),
    'mistral': Service(
        lambda: MistralModel('mistral-large-latest', provider=MistralProvider(api_key='k')), read_mistral, 'mistral'
    ),
    'cerebras': Service(lambda: make_compatible('cerebras', 'gpt-oss-120b'), read_chat, 'cerebras'),
    'cerebras llama': Service(lambda: make_compatible('cerebras', 'llama-3.3-70b'), read_chat, 'cerebras'),
    'deepseek': Service(lambda: make_compatible('deepseek', 'deepseek-v4-flash'), read_chat, 'deepseek'),
    'fireworks': Service(
        lambda: make_compatible('fireworks', 'accounts/fireworks/models/glm-4p6'), read_chat, 'fireworks'
    ),
    'grok': Service(lambda: make_compatible('grok', 'grok-4'), read_chat, 'grok'),
    'openrouter': Service(lambda: make_compatible('openrouter', 'openai/gpt-4o'), read_chat, 'openai'),
    'together': Service(lambda: make_compatible('together', 'Qwen/Qwen3-235B'), read_chat, 'openai'),
}

services = pytest.mark.parametrize('name', SERVICES)
PLACES = ('tool', 'output')


@cache
def build(name: str) -> WireModel:
    return SERVICES[name].make()


def send(name: str, schema: Json, place: str, strict: bool | None) -> tuple[bool, Json, list[str]]:
    """Return whether the schema of a tool or an output is sent as strict, what is sent, and the warnings."""
    model = build(name)
    if place == 'tool':
        parameters = ModelRequestParameters([ToolDefinition('f', schema, 'A tool.', strict=strict)])
    else:
        output = OutputObjectDefinition(schema, name='out', strict=strict)
        parameters = ModelRequestParameters(output_mode='native', output_object=output)
    request = model.prepare(HELLO, None, parameters)
    body = json.loads(json.dumps(model.encode(request)))
    sent, found = SERVICES[name].read(body)
    return bool(sent), found, request.warnings


def supports(name: str, place: str) -> bool:
    return place == 'tool' or build(name).profile.supports_json_schema_output


def try_to_send(name: str, schema: Json, place: str, strict: bool | None) -> tuple[bool, Json, list[str]] | None:
    """Send a schema, unless the vendor enforces all of them and cannot enforce this one."""
    if place not in SERVICES[name].always:
        return send(name, schema, place, strict)
    try:
        return send(name, schema, place, strict)
    except UserError as error:
        if 'cannot be enforced by' in str(error):
            return None
        raise


def check(name: str, schema: Json, values: list[Any], place: str, strict: bool | None) -> None:
    """Fail unless the sent schema keeps the vendor's rules, and the values are valid under it if nothing is lost."""
    if not supports(name, place):
        return
    sent = try_to_send(name, schema, place, strict)
    if sent is None:
        return
    is_strict, found, warnings = sent
    lost = [warning for warning in warnings if 'no longer enforce' in warning]
    if is_strict:
        assert list(SCHEMA_VALIDATORS[SERVICES[name].rules](found)) == []
    assert strict or not lost or SERVICES[name].rules == 'gemini' or place in SERVICES[name].always
    if not lost:
        for value in values:
            jsonschema.validate(value, found)


@services
@hypothesis_settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(drawn=models(), data=st.data(), strict=st.sampled_from([None, True]), place=st.sampled_from(PLACES))
def test_the_schema_of_a_model_is_strict_only_within_the_vendors_subset(
    name: str, drawn: Drawn, data: st.DataObject, strict: bool | None, place: str
) -> None:
    shape = Shape.of('Model', drawn.type)
    values = data.draw(st.lists(drawn.values, max_size=2))
    for value in values:
        shape.adapter.validate_json(json.dumps(value))
    check(name, shape.json_schema, values, place, strict)


# ---------------------------------------------------------------------- examples


class Prices(BaseModel):
    prices: dict[str, int]


class Shop(BaseModel):
    shelves: list[Prices]


@services
@pytest.mark.parametrize('place', PLACES)
@pytest.mark.parametrize('strict', [None, True])
@pytest.mark.parametrize(
    ('type_', 'value'), [(Prices, {'prices': {'a': 1}}), (Shop, {'shelves': [{'prices': {'a': 1}}]})]
)
def test_a_dict_is_never_an_object_that_can_only_be_empty(
    name: str, place: str, strict: bool | None, type_: Any, value: Json
) -> None:
    if not supports(name, place):
        return
    schema = Shape.of('Prices', type_).json_schema
    if place in SERVICES[name].always:
        with pytest.raises(UserError, match=r'cannot be enforced by .*prices is an object whose keys are not known'):
            send(name, schema, place, strict)
        return
    _, sent, warnings = send(name, schema, place, strict)
    jsonschema.validate(value, sent)
    # Gemini enforces dicts, and no rules are known for the tools of Mistral
    expected = bool(strict) and name != 'gemini' and (name, place) != ('mistral', 'tool')
    assert any('is not enforced' in warning for warning in warnings) is expected


class Cat(BaseModel):
    lives: int


class Dog(BaseModel):
    barks: bool


@services
def test_a_native_union_is_enforced(name: str) -> None:
    if not supports(name, 'output'):
        return
    output = build_output_reader(NativeOutput([Cat, Dog])).build_parameters('native').output_object
    assert output is not None
    is_strict, sent, warnings = send(name, output.json_schema, 'output', None)
    assert (is_strict, warnings) == (True, [])
    assert list(SCHEMA_VALIDATORS[SERVICES[name].rules](sent)) == []
    jsonschema.validate({'result': {'kind': 'Cat', 'data': {'lives': 9}}}, sent)
    assert 'pydantic_llm' not in json.dumps(sent)


@services
@pytest.mark.parametrize('place', PLACES)
@pytest.mark.parametrize('strict', [None, True])
@pytest.mark.parametrize('type_', [Tree, Link, Chain, Even, Point])
def test_a_class_that_contains_itself_keeps_the_rules(name: str, place: str, strict: bool | None, type_: Any) -> None:
    check(name, Shape.of('Tree', type_).json_schema, [], place, strict)


# ---------------------------------------------------------------------- schemas of callers


def deep(levels: int) -> Json:
    schema: Json = {'type': 'string'}
    for _ in range(levels):
        schema = {'type': 'object', 'properties': {'a': schema}}
    return schema


def laughs(levels: int) -> Json:
    both = {
        f'A{n}': {'type': 'object', 'properties': {key: {'$ref': f'#/$defs/A{n + 1}'} for key in 'lr'}}
        for n in range(levels)
    }
    definitions = {**both, f'A{levels}': {'type': 'string'}}
    return {'type': 'object', 'properties': {'a': {'$ref': '#/$defs/A0'}}, '$defs': definitions}


def with_property(schema: Any) -> Json:
    return {'type': 'object', 'properties': {'a': schema}}


MALFORMED: list[Any] = [
    deep(100),
    deep(480),
    deep(5000),
    3,
    [],
    'object',
    {'type': 'array', 'items': {}},
    {'type': 'object', '$defs': 3},
    {'type': 'object', 'properties': ['a']},
    {'type': 'object', 'properties': {'a': 3}},
    {'type': 'object', 'required': 'a'},
    {'type': 'object', 'required': [1]},
    {'$ref': '#/$defs/A'},
    {'$ref': '#'},
    {'$ref': '#/$defs/A', '$defs': {'A': {'$ref': '#/$defs/A'}}},
    with_property({'type': 3}),
    with_property({'anyOf': {}}),
    with_property({'anyOf': [3]}),
    with_property({'enum': 'a'}),
    with_property({'items': 'string'}),
    with_property({'$ref': 3}),
    with_property({'$ref': '#/$defs/A'}),
    with_property({'description': 3}),
    with_property({'required': True}),
    with_property({'maximum': float('inf')}),
    with_property({'default': object()}),
    with_property(object()),
]


@services
@pytest.mark.parametrize('schema', MALFORMED, ids=range(len(MALFORMED)))
@pytest.mark.parametrize('place', PLACES)
def test_a_malformed_schema_is_a_user_error_that_names_its_owner(name: str, place: str, schema: Any) -> None:
    if supports(name, place):
        with pytest.raises(UserError, match=REFUSED):
            send(name, schema, place, None)


DRAFT = 'http://json-schema.org/draft-07/schema#'
REFUSED = r"^The schema of (tool 'f'|output 'out') (is not a valid|cannot be written)"

SLOPPY: list[tuple[Json, Json]] = [
    ({}, {}),
    ({'type': 'object'}, {}),
    ({'type': 'object', 'properties': None, 'required': None}, {}),
    ({'type': ['object', 'null'], 'properties': {'a': {'type': 'string'}}}, {'a': 'x'}),
    ({'properties': {'a': {'type': 'string', 'enum': None}}, 'required': ['a']}, {'a': 'x'}),
    ({'definitions': {'A': {'type': 'integer'}}, **with_property({'$ref': '#/definitions/A'})}, {'a': 1}),
    ({'$ref': '#/definitions/A', 'definitions': {'A': with_property({'type': 'integer'})}}, {'a': 1}),
    ({**with_property({'type': 'string'}), 'required': ['a', 'gone']}, {'a': 'x', 'gone': 1}),
    (
        {**with_property({'type': 'string'}), '$schema': 'http://json-schema.org/draft-07/schema#', '$id': 'a'},
        {'a': 'x'},
    ),
    (with_property({'allOf': [{'$ref': '#/$defs/A'}]}) | {'$defs': {'A': {'type': 'string'}}}, {'a': 'x'}),
    (with_property({'type': 'array', 'items': [{'type': 'string'}, {'type': 'integer'}]}), {'a': ['x', 1]}),
    (with_property(schema=True), {'a': 3}),
    (with_property({'const': 3}), {'a': 3}),
    (with_property({'type': 'string', 'x-note': 1, 'nullable': False}), {'a': 'x'}),
    ({'anyOf': [with_property({'type': 'string'}), with_property({'type': 'integer'})]}, {'a': 1}),
    ({**with_property({'type': 'string'}), 'oneOf': [{'required': ['a']}, {'required': []}]}, {'a': 'x'}),
    ({'allOf': [with_property({'type': 'string'}), {'properties': {'b': {'type': 'integer'}}}]}, {'a': 'x', 'b': 1}),
    (laughs(16), {}),
    (laughs(40), {}),
]
"""Schemas as MCP servers and other generators write them, each with a valid value."""


@services
@pytest.mark.parametrize(('schema', 'value'), SLOPPY, ids=range(len(SLOPPY)))
@pytest.mark.parametrize('strict', [None, True])
def test_a_sloppy_schema_is_sent_in_the_form_that_vendors_accept(
    name: str, schema: Json, value: Json, strict: bool | None
) -> None:
    is_strict, sent, warnings = send(name, schema, 'tool', strict)
    assert sent['type'] == 'object'
    assert {'$ref', 'anyOf', 'oneOf', 'allOf'}.isdisjoint(sent)
    assert len(json.dumps(sent)) < 20_000
    if is_strict:
        assert list(SCHEMA_VALIDATORS[SERVICES[name].rules](sent)) == []
    if not any('no longer enforce' in warning for warning in warnings):
        jsonschema.validate(value, sent)


BROKEN: list[tuple[str, Any, str]] = [
    ('openai', {'prefixItems': [{'type': 'string'}]}, 'not permitted'),
    ('openai', {'type': 'array'}, 'missing items'),
    ('openai', {}, "must have a 'type' key"),
    ('openai', {'type': 'string', 'default': 'a'}, "'default' is not permitted"),
    ('openai', {'type': 'object', 'properties': {}}, 'to be false'),
    ('openai', {'type': 'string', 'format': 'uri'}, 'not a valid format'),
    ('openai', {'$ref': '#/$defs/A', 'description': 'a'}, 'cannot have keywords'),
    ('anthropic', {'type': 'integer', 'minimum': 1}, 'not permitted'),
    ('anthropic', {'$ref': '#'}, 'recursive'),
    ('anthropic', {'type': 'array', 'minItems': 2, 'items': {'type': 'string'}}, '0 or 1'),
    ('gemini', {'type': 'string', 'contentEncoding': 'a'}, 'not permitted'),
    ('gemini', {'$ref': '#'}, 'recursive by required'),
    ('gemini', {'enum': [True]}, 'texts and numbers'),
    ('cohere', {'type': 'object', 'properties': {}}, 'at least one required'),
    ('mistral', {'type': 'object', 'properties': {}}, 'to be false'),
    ('groq', {'oneOf': []}, 'not permitted'),
    ('cerebras', {'type': 'array', 'items': {'type': 'string'}, 'minItems': 1}, 'not permitted'),
    ('deepseek', {'type': 'string', 'format': 'date'}, 'not a valid format'),
    ('fireworks', {'type': 'string', 'pattern': 'a'}, 'not permitted'),
    ('grok', {'type': 'array', 'items': {'type': 'string'}, 'maxItems': 1}, 'not permitted'),
]


@pytest.mark.parametrize(('rules', 'field', 'problem'), BROKEN, ids=[f'{row[0]} {row[1]}' for row in BROKEN])
def test_a_validator_of_schemas_reports_what_breaks_a_rule(rules: str, field: Any, problem: str) -> None:
    schema = {
        'type': 'object',
        'properties': {'a': {'type': 'string'}},
        'required': ['a'],
        'additionalProperties': False,
    }
    assert list(SCHEMA_VALIDATORS[rules](schema)) == []
    schema = {**schema, 'properties': {'a': field}}
    assert any(problem in found for found in SCHEMA_VALIDATORS[rules](schema))


def test_the_depth_of_a_schema_follows_references() -> None:
    assert nodes.measure_depth({**with_property({'$ref': '#/$defs/A'}), '$defs': {'A': deep(3)}}) == 4
