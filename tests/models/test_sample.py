"""Schema-valid values: every sample is checked by `jsonschema`, and by pydantic if it generated the schema."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable
from copy import deepcopy
from datetime import date, datetime, time, timedelta
from enum import Enum
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import annotated_types as at
import pytest
from hypothesis import given, settings, strategies as st
from jsonschema import Draft202012Validator
from pydantic import (
    UUID4,
    AnyUrl,
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    Json,
    JsonValue,
    NegativeInt,
    PositiveFloat,
    StringConstraints,
    TypeAdapter,
)
from typing_extensions import TypedDict

from pydantic_llm.exceptions import UserError
from pydantic_llm.models.test.sampler import sample

SEEDS = (0, 1, 2, 3, 7, 30)


def is_valid(schema: Any, value: Any) -> bool:
    return Draft202012Validator(schema).is_valid(value)


# ------------------------------------------------------------------------------------------------- generated schemas

BOUNDS = st.integers(-50, 50)
NAMES = st.sampled_from(['a', 'b', 'c', 'd'])
PATTERNS = [
    r'^[a-z]+$',
    r'^\d{3}-\d{4}$',
    r'^(foo|bar)\w*$',
    r'[A-Z]{2,}',
    r'^#(?:[0-9a-fA-F]{3}){1,2}$',
    r'^[^a-z\s]+$',
    'x',
]


@st.composite
def numbers(draw: st.DrawFn) -> dict[str, Any]:
    schema: dict[str, Any] = {'type': draw(st.sampled_from(['integer', 'number']))}
    low = draw(BOUNDS)
    high = low + draw(st.integers(2, 40))
    if draw(st.booleans()):
        schema[draw(st.sampled_from(['minimum', 'exclusiveMinimum']))] = low
    if draw(st.booleans()):
        schema[draw(st.sampled_from(['maximum', 'exclusiveMaximum']))] = high
    if draw(st.booleans()):
        schema['multipleOf'] = draw(st.sampled_from([1, 0.5, 0.25] if len(schema) == 3 else [1, 3, 7, 0.5, 1.5]))
    return schema


@st.composite
def texts(draw: st.DrawFn) -> dict[str, Any]:
    schema: dict[str, Any] = {'type': 'string'}
    if draw(st.booleans()):
        schema['minLength'] = draw(st.integers(0, 12))
    match draw(st.sampled_from(['pattern', 'maxLength', '', ''])):
        case 'pattern':
            schema['pattern'] = draw(
                st.sampled_from([p for p in PATTERNS if 'minLength' not in schema or p[-2:] in ('+$', '*$', ',}', 'x')])
            )
        case 'maxLength':
            schema['maxLength'] = schema.get('minLength', 0) + draw(st.integers(0, 5))
    return schema


PLAIN = st.one_of(
    st.just({}),
    st.booleans().filter(bool),
    st.just({'type': 'null'}),
    st.just({'type': 'boolean'}),
    st.just({'type': ['string', 'null']}),
    st.just({'type': ['integer', 'boolean', 'array']}),
    st.lists(st.one_of(st.integers(), st.text(max_size=3), st.none(), st.booleans()), min_size=1).map(
        lambda v: {'enum': v}
    ),
    st.one_of(st.integers(), st.text(max_size=3), st.none(), st.just([1, {'a': 2}])).map(
        lambda value: {'const': value}
    ),
    numbers(),
    texts(),
)


@st.composite
def arrays(draw: st.DrawFn, children: st.SearchStrategy[Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {'type': 'array'}
    least = draw(st.integers(0, 3))
    if draw(st.booleans()):
        schema['items'] = draw(children)
    if draw(st.booleans()):
        schema['prefixItems'] = draw(st.lists(children, max_size=3))
    if draw(st.booleans()):
        schema['minItems'] = least
    if draw(st.booleans()):
        schema['maxItems'] = least + draw(st.integers(0, 3))
    if draw(st.booleans()):
        schema |= {
            'uniqueItems': True,
            'items': draw(st.sampled_from([{'type': 'integer'}, {'type': 'string'}, {'enum': [1, 2, 3, 4, 5, 6]}, {}])),
        }
        schema.pop('prefixItems', None)
    return schema


@st.composite
def objects(draw: st.DrawFn, children: st.SearchStrategy[Any]) -> dict[str, Any]:
    properties = draw(st.dictionaries(NAMES, children, max_size=4))
    schema: dict[str, Any] = {'type': 'object', 'properties': properties}
    schema['required'] = [name for name in sorted(properties) if draw(st.booleans())]
    if draw(st.booleans()):
        schema['additionalProperties'] = draw(st.one_of(children, st.booleans().filter(lambda value: not value)))
    room = len(properties) if schema.get('additionalProperties') is False else 6
    least = draw(st.integers(0, room))
    if draw(st.booleans()):
        schema['minProperties'] = least
    if draw(st.booleans()):
        schema['maxProperties'] = max(least, len(schema['required'])) + draw(st.integers(0, 2))
    if draw(st.booleans()):
        schema['patternProperties'] = {'^x_': draw(children)}
    return schema


@st.composite
def combinations(draw: st.DrawFn, children: st.SearchStrategy[Any]) -> dict[str, Any]:
    match draw(st.sampled_from(['anyOf', 'allOf', 'oneOf'])):
        case 'anyOf':
            return {'anyOf': draw(st.lists(children, min_size=1, max_size=3))}
        case 'allOf':
            return {
                'allOf': [
                    draw(objects(children)) | {'type': 'object'},
                    {'title': 'T'},
                    {'required': [], 'minProperties': 0},
                ]
            }
        case _:
            names = draw(st.lists(NAMES, min_size=1, unique=True))
            return {
                'oneOf': [
                    {
                        'type': 'object',
                        'properties': {'kind': {'const': n}, 'v': draw(children)},
                        'required': ['kind', 'v'],
                    }
                    for n in names
                ]
            }
    raise AssertionError


SCHEMAS = st.recursive(
    PLAIN, lambda inner: st.one_of(arrays(inner), objects(inner), combinations(inner)), max_leaves=12
)


@settings(max_examples=500, deadline=None)
@given(SCHEMAS, st.integers(0, 40))
def test_a_sample_of_a_generated_schema_is_valid(schema: Any, seed: int) -> None:
    schema = {'allOf': [schema]} if isinstance(schema, bool) else schema
    value = sample(schema, seed=seed)
    assert is_valid(schema, value), value


# ------------------------------------------------------------------------------------------------- schemas of models


class Colour(Enum):
    RED = 'red'
    BLUE = 'blue'


class Cat(BaseModel):
    kind: Literal['cat']
    lives: Annotated[int, Field(ge=1, le=9)]


class Dog(BaseModel):
    kind: Literal['dog']
    tricks: Annotated[list[str], Field(min_length=1)]


class Node(BaseModel):
    value: int
    next: Node | None
    children: list[Node]


class Tree(BaseModel):
    left: Tree | Leaf
    right: Tree | Leaf


class Leaf(BaseModel):
    leaf: float


class Strict(BaseModel):
    model_config = ConfigDict(extra='forbid')
    pet: Annotated[Cat | Dog, Field(discriminator='kind')]
    colour: Colour
    optional: int = 3


class Point(NamedTuple):
    x: int
    y: str = 'z'


class Movie(TypedDict):
    title: str
    year: int


TYPES: list[Any] = [
    Cat, Dog, Node, Tree, Strict, Point, Movie, Colour, Cat | Dog | None, list[Node], dict[str, Node],
    int, float, bool, str, None, Any, JsonValue, bytes, Literal['a', 1, None],
    date, datetime, AwareDatetime, time, timedelta, UUID, UUID4, AnyUrl, HttpUrl,
    IPv4Address, IPv6Address, IPv4Network, IPv6Interface, Base64Bytes, Json[list[int]], Json,
    PositiveFloat, NegativeInt, Annotated[int, at.Interval(gt=3, lt=5)], Annotated[float, at.Interval(gt=0, lt=1)],
    Annotated[float, at.Interval(ge=0.3, le=0.3)], Annotated[int, at.MultipleOf(7), at.Gt(100)],
    Annotated[float, Field(multiple_of=0.01, gt=0.05)],
    Annotated[str, StringConstraints(pattern=r'^\+?[1-9]\d{1,14}$')], Annotated[str, at.Len(5, 5)],
    Annotated[str, StringConstraints(pattern=r'^[a-z]+(-[a-z]+)*$', min_length=9, max_length=9)],
    set[int], set[bool], frozenset[Colour], Annotated[set[int], at.Len(5)], tuple[int, str], tuple[int, ...], tuple[()],
    Annotated[set[Literal['a', 'b', 'c']], at.Len(3)], Annotated[list[Cat], at.Len(2, 3)], list[list[int]],
    dict[str, int], dict[Colour, int], dict[Literal['a', 'b'], int], Annotated[dict[str, date], at.Len(3)],
    dict[Annotated[str, StringConstraints(pattern=r'^[A-Z]{3}$')], int],
    Annotated[dict[Annotated[str, StringConstraints(pattern=r'^[A-Z]{3}$')], int], at.Len(4)],
]  # fmt: skip


@pytest.mark.parametrize('seed', SEEDS)
@pytest.mark.parametrize('kind', TYPES, ids=str)
def test_a_sample_of_a_types_schema_is_valid_for_the_type(kind: Any, seed: int) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    schema = adapter.json_schema()
    value = sample(schema, seed=seed)
    assert is_valid(schema, value), value
    adapter.validate_json(json.dumps(value))


# ------------------------------------------------------------------------------------------------- keywords, one by one


def ref(name: str) -> dict[str, str]:
    return {'$ref': f'#/$defs/{name}'}


def required(**properties: Any) -> dict[str, Any]:
    return {'type': 'object', 'properties': properties, 'required': list(properties)}


INTEGER, STRING, NULL = {'type': 'integer'}, {'type': 'string'}, {'type': 'null'}

VALUES: list[tuple[Any, list[Any]]] = [
    ({}, ['a', 'b', 'c']),
    (STRING, ['a', 'b', 'c']),
    (INTEGER, [0, 1, 2]),
    ({'type': 'number'}, [0.0, 1.0, 2.0]),
    ({'type': 'boolean'}, [False, True, False]),
    (NULL, [None, None, None]),
    ({'enum': ['x', {'y': 1}]}, ['x', {'y': 1}, 'x']),
    ({'const': None}, [None, None, None]),
    ({'type': 'string', 'examples': ['Paris', 'Rome']}, ['Paris', 'Rome', 'Paris']),
    ({'type': 'string', 'examples': [1, 'Rome']}, ['Rome', 'Rome', 'Rome']),
    ({'type': ['string', 'null']}, ['a', None, 'c']),
    ({'anyOf': [STRING, NULL]}, ['a', None, 'c']),
    ({'type': 'string', 'minLength': 3}, ['aaa', 'bbb', 'ccc']),
    ({'type': 'string', 'maxLength': 0}, ['', '', '']),
    ({'type': 'string', 'pattern': r'^\d{2}$'}, ['00', '10', '20']),
    ({'type': 'string', 'format': 'date'}, ['2024-01-01', '2024-01-02', '2024-01-03']),
    ({'type': 'string', 'format': 'email', 'minLength': 15}, ['aaa@example.com', 'bbb@example.com', 'ccc@example.com']),
    ({'type': 'string', 'format': 'of my own'}, ['a', 'b', 'c']),
    ({'type': 'string', 'contentMediaType': 'application/json', 'contentSchema': INTEGER}, ['0', '1', '2']),
    ({'type': 'integer', 'minimum': 5}, [5, 6, 7]),
    ({'type': 'integer', 'maximum': -5}, [-5, -6, -7]),
    ({'type': 'integer', 'exclusiveMinimum': 2, 'exclusiveMaximum': 5}, [3, 4, 3]),
    ({'type': 'integer', 'multipleOf': 2.5, 'minimum': 1}, [5, 10, 15]),
    ({'type': 'number', 'exclusiveMinimum': 0, 'exclusiveMaximum': 1}, [0.5, 0.5, 0.5]),
    ({'type': 'number', 'exclusiveMinimum': 0.1, 'exclusiveMaximum': 0.2}, [0.125, 0.15, 0.175]),
    ({'type': 'number', 'minimum': 0.3, 'maximum': 0.3}, [0.3, 0.3, 0.3]),
    ({'type': 'array'}, [[], [], []]),
    ({'type': 'array', 'items': INTEGER}, [[0], [1], [2]]),
    ({'type': 'array', 'items': INTEGER, 'maxItems': 0}, [[], [], []]),
    ({'type': 'array', 'items': INTEGER, 'minItems': 2}, [[0, 0], [1, 1], [2, 2]]),
    ({'type': 'array', 'items': INTEGER, 'minItems': 3, 'uniqueItems': True}, [[0, 1, 2], [1, 2, 3], [2, 3, 4]]),
    ({'type': 'array', 'prefixItems': [STRING, INTEGER], 'items': False}, [['a', 0], ['b', 1], ['c', 2]]),
    ({'type': 'array', 'items': False}, [[], [], []]),
    (required(x=INTEGER) | {'properties': {'x': INTEGER, 'y': STRING}}, [{'x': 0}, {'x': 1}, {'x': 2}]),
    ({'type': 'object', 'required': ['x']}, [{'x': 'a'}, {'x': 'b'}, {'x': 'c'}]),
    ({'type': 'object', 'additionalProperties': INTEGER}, [{'additionalProperty': n} for n in range(3)]),
    ({'type': 'object', 'additionalProperties': INTEGER, 'maxProperties': 0}, [{}, {}, {}]),
    ({'type': 'object', 'properties': {'x': INTEGER, 'y': STRING}, 'minProperties': 1}, [{'x': 0}, {'x': 1}, {'x': 2}]),
    (
        {'type': 'object', 'minProperties': 2},
        [{'additionalProperty': c, 'additionalProperty2': c} for c in 'abc'],
    ),
    (
        {'type': 'object', 'propertyNames': {'enum': ['k', 'l']}, 'minProperties': 2},
        [{'k': 'a', 'l': 'a'}, {'l': 'b', 'k': 'b'}, {'k': 'c', 'l': 'c'}],
    ),
    ({'type': 'object', 'patternProperties': {'^x': INTEGER}}, [{'x': 0}, {'x': 1}, {'x': 2}]),
    ({'properties': {'x': INTEGER}, 'required': ['x']}, [{'x': 0}, {'x': 1}, {'x': 2}]),
]


@pytest.mark.parametrize(('schema', 'values'), VALUES, ids=[json.dumps(schema) for schema, _ in VALUES])
def test_the_seed_determines_the_value(schema: Any, values: list[Any]) -> None:
    assert [sample(schema, seed=seed) for seed in (0, 1, 2)] == values
    assert all(is_valid(schema, value) for value in values)


HARD: list[Any] = [
    {'$defs': {'A': INTEGER}, '$ref': '#/$defs/A', 'minimum': 3},
    {'definitions': {'a/b~c': INTEGER}, '$ref': '#/definitions/a~1b~0c'},
    {'properties': {'x': INTEGER, 'y': {'$ref': '#/properties/x'}}, 'required': ['y', 'x'], 'type': 'object'},
    {'allOf': [INTEGER, {'minimum': 2}, {'maximum': 3}, {'multipleOf': 3}]},
    {'allOf': [{'multipleOf': 2}, {'multipleOf': 3}, {'type': 'integer', 'minimum': 1}]},
    {'allOf': [required(x=STRING), required(x={'minLength': 3}, y=INTEGER)], 'minProperties': 3},
    {'allOf': [{'anyOf': [{'type': 'string'}, INTEGER]}, {'anyOf': [NULL, INTEGER]}]},
    {'allOf': [{'enum': [1, 2, 3]}, {'enum': [3, 4]}]},
    {'allOf': [{'type': 'array', 'prefixItems': [INTEGER]}, {'prefixItems': [{'minimum': 4}, NULL], 'minItems': 2}]},
    {'allOf': [{'pattern': '^a'}, {'pattern': 'b$'}, {'type': 'string'}, {'const': 'ab'}]},
    {'type': 'integer', 'enum': ['a', 2, None, 3], 'maximum': 2},
    {'oneOf': [INTEGER, {'type': 'number'}]},
    {'oneOf': [{'type': 'string', 'maxLength': 5}, {'type': 'string', 'minLength': 1}]},
    {'oneOf': [required(k={'const': 'a'}), required(k={'const': 'b'}, v=INTEGER)]},
    {'type': 'object', 'properties': {'a': INTEGER, 'b': STRING}, 'anyOf': [{'required': ['b']}, {'required': ['a']}]},
    {'not': {'const': 'a'}},
    {'not': STRING},
    {'type': 'integer', 'not': {'minimum': 0}},
    {'type': 'string', 'not': {'minLength': 1}},
    {'type': 'string', 'not': {'maxLength': 9}},
    {'type': 'array', 'not': {'maxItems': 2}},
    {'type': 'object', 'not': {'maxProperties': 2}},
    {'type': 'array', 'items': {'type': 'boolean'}, 'minItems': 2, 'uniqueItems': True},
    {'type': 'array', 'items': required(x=INTEGER), 'minItems': 40, 'uniqueItems': True},
    {'type': 'array', 'uniqueItems': True, 'minItems': 3, 'items': {'enum': [1, True, 0]}},
    {'type': 'object', 'additionalProperties': False, 'properties': {'a': STRING, 'b': STRING}, 'minProperties': 2},
    {
        'type': 'object',
        'patternProperties': {'^a$': STRING, 'b$': INTEGER},
        'additionalProperties': False,
        'minProperties': 3,
    },
    {'type': 'object', 'properties': {'a': False, 'b': INTEGER}, 'minProperties': 1},
    {'type': 'string', 'pattern': r'^(?=.*\d)(?=.*[A-Z]).{4,8}$'},
    {'type': 'string', 'pattern': '[A-Z]$', 'minLength': 4, 'maxLength': 6},
    {'type': 'string', 'pattern': '[A-Z]', 'minLength': 9},
    {'type': 'string', 'format': 'uuid', 'pattern': '^[0-9a-f-]{36}$'},
    {'type': 'string', 'format': 'uri', 'pattern': '^ftp://[a-z]+$'},
    required(**{f'p{n}': STRING for n in range(200)}),
]


@pytest.mark.parametrize('schema', HARD, ids=json.dumps)
@pytest.mark.parametrize('seed', SEEDS)
def test_keywords_work_together(schema: Any, seed: int) -> None:
    value = sample(schema, seed=seed)
    assert is_valid(schema, value), value


RECURSIVE: list[Any] = [
    {'allOf': [ref('A')], '$defs': {'A': required(next={'anyOf': [{'allOf': [ref('A')]}, NULL]})}},
    {'$ref': '#/$defs/A', '$defs': {'A': required(next={'anyOf': [ref('A'), NULL]})}},
    {'$ref': '#/$defs/A', '$defs': {'A': required(all={'type': 'array', 'items': ref('A')})}},
    {'$ref': '#/$defs/A', '$defs': {'A': {'type': 'object', 'additionalProperties': ref('A')}}},
    {'$ref': '#/$defs/A', '$defs': {'A': {'anyOf': [required(x=ref('B')), INTEGER]}, 'B': required(y=ref('A'))}},
    {'$ref': '#/$defs/A', '$defs': {'A': {'oneOf': [required(l=ref('A'), r=ref('A')), required(leaf=STRING)]}}},
    {'type': 'object', 'properties': {'self': {'$ref': '#'}, 'x': INTEGER}, 'required': ['x'], 'minProperties': 2},
    {'type': ['object', 'array'], 'items': {'$ref': '#'}, 'additionalProperties': {'$ref': '#'}},
    {
        '$ref': '#/$defs/A',
        'properties': {'all': {'minItems': 1}},
        '$defs': {'A': required(all={'type': 'array', 'items': ref('A')})},
    },
    {
        '$ref': '#/$defs/N0',
        '$defs': {f'N{n}': required(a=ref(f'N{n + 1}'), b=ref('T')) for n in range(30)}
        | {'N30': INTEGER, 'T': required(l={'anyOf': [ref('T'), NULL]}, r={'anyOf': [ref('T'), NULL]})},
    },
]


@pytest.mark.parametrize('schema', RECURSIVE, ids=[*map(str, range(len(RECURSIVE)))])
@pytest.mark.parametrize('seed', SEEDS)
def test_a_schema_that_contains_itself_has_a_small_value(schema: Any, seed: int) -> None:
    value = sample(schema, seed=seed)
    assert is_valid(schema, value), value
    assert len(json.dumps(value)) < 2500


def test_a_value_may_need_a_second_level_of_recursion() -> None:
    assert sample(RECURSIVE[8]) == {'all': [{'all': []}]}


FORMATS: dict[str, Callable[[str], object]] = {
    'date': date.fromisoformat,
    'date-time': lambda text: datetime.fromisoformat(text).tzinfo or 1 / 0,
    'time': lambda text: time.fromisoformat(text).tzinfo or 1 / 0,
    'duration': TypeAdapter(timedelta).validate_python,
    'email': re.compile(r'\w+@\w+\.com').fullmatch,
    'hostname': re.compile(r'[a-z]+(\.[a-z]+)+').fullmatch,
    'ipv4': lambda text: isinstance(ip_address(text), IPv4Address),
    'ipv4interface': lambda text: isinstance(ip_interface(text), IPv4Interface),
    'ipv4network': lambda text: isinstance(ip_network(text), IPv4Network),
    'ipv6': lambda text: isinstance(ip_address(text), IPv6Address),
    'ipv6interface': lambda text: isinstance(ip_interface(text), IPv6Interface),
    'ipv6network': lambda text: isinstance(ip_network(text), IPv6Network),
    'uri': TypeAdapter(HttpUrl).validate_python,
    'uuid': lambda text: UUID(text).version == 4,
    'uuid1': lambda text: UUID(text).version == 1,
    'uuid7': lambda text: UUID(text).version == 7,
    'regex': re.compile,
    'base64': b64decode,
    'json-string': json.loads,
    'json-pointer': re.compile(r'/\w+').fullmatch,
}


@pytest.mark.parametrize('name', FORMATS)
def test_a_text_has_its_format(name: str) -> None:
    texts = [sample({'type': 'string', 'format': name}, seed=seed) for seed in (*SEEDS, 300, 10**6)]
    assert all(FORMATS[name](text) for text in texts), texts
    assert len(set(texts)) > 4


@pytest.mark.parametrize(
    'schema',
    [
        {'not': {}},
        {'type': 'integer', 'minimum': 2, 'maximum': 1},
        {'type': 'array', 'items': {'enum': [1]}, 'uniqueItems': True, 'minItems': 2},
        {'allOf': [STRING, INTEGER]},
        {'$ref': '#/$defs/A', '$defs': {'A': required(next=ref('A'))}},
        {'$ref': '#'},
        {'$ref': '#/$defs/A', '$defs': {'A': {'not': ref('A')}}},
        required(x={'type': 'string', 'format': 'date', 'maxLength': 4}),
    ],
    ids=json.dumps,
)
def test_a_schema_that_nothing_satisfies_is_an_error(schema: Any) -> None:
    with pytest.raises(UserError, match='TestModel found no value for the schema'):
        sample(schema)


def test_the_error_names_the_part_that_has_no_value() -> None:
    never = {'type': 'string', 'minLength': 2, 'maxLength': 1}
    with pytest.raises(UserError, match=re.escape(f'for the schema {never!r}.')):
        sample(required(a=INTEGER, b={'type': 'array', 'minItems': 1, 'items': never}))


@pytest.mark.parametrize('reference', ['#/$defs/Missing', 'https://example.com/schema', '#/type/deeper'])
def test_a_reference_to_nothing_is_an_error(reference: str) -> None:
    with pytest.raises(UserError, match=re.escape(f'The schema refers to {reference!r}, which is not in it')):
        sample({'type': 'object', 'required': ['x'], 'properties': {'x': {'$ref': reference}}})


def test_an_endless_search_is_stopped() -> None:
    names = {'propertyNames': {'pattern': '^[a-c]'}}
    several = {'anyOf': [{'minProperties': 2}, {'minProperties': 3}, {'minimum': 5}]}
    exclusive = {'oneOf': [{'additionalProperties': INTEGER}, names, {'pattern': '^[a-c]+$'}]}
    inner = {'type': 'object', 'properties': {'a': {'not': {'uniqueItems': True}}, 'b': ref('B'), 'c': {'$ref': '#'}}}
    with pytest.raises(UserError, match='TestModel found no value'):
        sample({'allOf': [names, ref('B'), several, exclusive, {**exclusive, 'maximum': 4}], '$defs': {'B': inner}})


@pytest.mark.parametrize(
    ('pattern', 'texts'),
    [
        (r'^\p{L}\z', ['a', 'b', 'c']),
        (r'^[\d-x]\Z', ['x', '0', '1', '9', '-']),
        (r'^(?<year>\d)/\1$', ['0/', '1/', '2/']),
    ],
)
def test_a_pattern_that_python_cannot_compile_is_supported_in_part(pattern: str, texts: list[str]) -> None:
    seeds = (0, 1, 2, 10, 11)[: len(texts)]
    assert [sample({'type': 'string', 'pattern': pattern}, seed=seed) for seed in seeds] == texts


def test_an_unknown_type_is_an_error() -> None:
    with pytest.raises(UserError, match="'money' is not a type of JSON schemas"):
        sample({'type': 'money'})


def test_the_schema_is_not_changed_and_no_value_is_shared_with_it() -> None:
    schema = required(x={'enum': [{'y': [1]}]}, z={'allOf': [{'enum': [[2]]}, {'title': 'Z'}]})
    before = deepcopy(schema)
    value = sample(schema)
    value['x']['y'].append(2)
    value['z'].append(3)
    assert schema == before
