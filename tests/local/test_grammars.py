"""Constraints without a model: every text that they allow is valid, and every schema of a common type compiles."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import ipaddress
import json
import pathlib
import random
import uuid
from collections import Counter, deque
from collections.abc import Callable
from copy import deepcopy
from typing import Annotated, Any, Literal, NamedTuple

import jsonschema
import numpy as np
import pytest
from pydantic import BaseModel, Field, Json, JsonValue, SecretStr, WithJsonSchema, create_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from typing_extensions import TypedDict

from pydantic_llm.constraints import Choice, Constraint, Grammar, JsonSchema
from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import ModelRequest
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition
from pydantic_llm.models.local import SHARED_SETTINGS, Tokenizer as LocalTokenizer
from pydantic_llm.models.local.encode import RequestEncoder
from pydantic_llm.models.local.grammars import Grammars
from pydantic_llm.models.local.schemas import fit_schema
from pydantic_llm.models.local.tools import make_calls_schema
from pydantic_llm.profiles.local import local_profile
from pydantic_llm.streaming.text_calls.harmony import HarmonyReader
from pydantic_llm.streaming.text_calls.reader import PartialCall, ToolCall
from pydantic_llm.tools.definition import ToolDefinition
from pydantic_llm.wire.prepare import prepare

END = '<eos>'
CLOSERS = '"]}'
"""Characters that a walk prefers, so that it ends soon."""


@pytest.fixture(scope='module')
def tokenizer() -> Any:
    """Return a tokenizer with a token for each byte."""
    alphabet = {character: id for id, character in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    bytewise = Tokenizer(models.BPE({**alphabet, END: len(alphabet)}, []))
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=bytewise, eos_token=END)


@pytest.fixture(scope='module')
def grammars(tokenizer: Any) -> Grammars:
    return Grammars(
        tokenizer, vocabulary_size=len(tokenizer), eos=frozenset([tokenizer.eos_token_id]), extra='transformers'
    )


@pytest.fixture(scope='module')
def write(tokenizer: Any, grammars: Grammars) -> Callable[..., str]:
    """Return a function that writes a random text of a constraint."""

    def walk(constraint: Constraint, seed: int, *, strict: bool = False) -> str:
        numbers, matcher = random.Random(seed), grammars.matcher(constraint, strict=strict)
        tokens: list[int] = []
        while not (allowed := matcher.compute_mask())[tokenizer.eos_token_id]:
            choices = [int(token) for token in np.flatnonzero(allowed)]
            closing = [token for token in choices if tokenizer.decode([token]) in CLOSERS]
            token = numbers.choice(closing or choices) if numbers.random() < 0.8 else numbers.choice(choices)
            tokens.append(token)
            if not matcher.consume(token):
                break
        return f'{tokenizer.decode(tokens)}'

    return walk


CHOICES = {
    '10,000 texts': tuple(f'wörd {number}' for number in range(10_000)),
    'prefixes of each other': ('a', 'ab', 'abc', 'abcd', 'a '),
    'marks of expressions': ('a.b', 'a|b', '/a/', '\\', '"a"', '[a]', '#&~-', '(a)', '{a}', '^a$', '%json {}'),
    'blanks and controls': ('', ' ', '\n', 'a\r\n', '\t', '\x00\x7f', '\u2028', 'e\u0301', 'é', '😀'),
    'one text twice': ('a', 'a'),
}


@pytest.mark.parametrize('choices', CHOICES.values(), ids=CHOICES)
def test_each_choice_can_be_written_and_nothing_else(
    tokenizer: Any, grammars: Grammars, write: Callable[..., str], choices: tuple[str, ...]
) -> None:
    constraint = Choice(choices)
    for choice in (*choices[:20], choices[-1]):
        matcher = grammars.matcher(constraint)
        for token in tokenizer(choice)['input_ids']:
            assert matcher.compute_mask()[token], choice
            matcher.consume(token)
        assert matcher.compute_mask()[tokenizer.eos_token_id], choice
    assert {write(constraint, seed, strict=True) for seed in range(10)} <= {*choices}


@pytest.mark.parametrize('spare', [0, 3])
def test_a_tokenizer_in_rust_needs_no_end_token(tokenizer: Any, spare: int) -> None:
    size = len(tokenizer) + spare
    grammars = Grammars(tokenizer, vocabulary_size=size, eos=frozenset(), extra='transformers')
    matcher = grammars.matcher(Choice(('a', 'bc')))
    [a, b, c] = tokenizer('abc')['input_ids']
    assert [int(token) for token in np.flatnonzero(matcher.compute_mask())] == [a, b]
    assert matcher.consume(b)
    assert [int(token) for token in np.flatnonzero(matcher.compute_mask())] == [c]
    assert not matcher.consume(c)
    assert len(tokenizer) == size - spare


class Color(enum.Enum):
    RED = 'r"ed'
    NONE = None
    THREE = 3


class Cat(BaseModel):
    kind: Literal['cat']
    kittens: list[Cat] = []


class Dog(BaseModel):
    kind: Literal['dog']
    names: dict[Literal['first', 'last'], str]


class Named(BaseModel):
    quoted: int = Field(alias='a"b\\')
    blank: int = Field(alias='é\n☃ /~')
    control: int = Field(alias='\x01😀')


class Pair(NamedTuple):
    left: int
    right: str


class Options(TypedDict, total=False):
    depth: int


def text(**schema: object) -> Any:
    return Annotated[str, WithJsonSchema({'type': 'string', **schema})]


TYPES: dict[str, Any] = {
    'sets': tuple[set[int], frozenset[str]],
    'paths': tuple[pathlib.Path, uuid.UUID, ipaddress.IPv4Network, bytes, SecretStr],
    'times': tuple[dt.datetime, dt.date, dt.timedelta, decimal.Decimal],
    'unions': list[Annotated[Cat | Dog, Field(discriminator='kind')]],
    'enums': tuple[Color, Literal['a', 1, None, True, '"\\'], enum.Enum('Many', {f'n{n}': n for n in range(3000)})],  # type: ignore[misc]
    'maps': tuple[dict[int, str], dict[str, Any], Counter[str], Options],
    'lists': tuple[
        tuple[int, ...], tuple[()], Pair, deque[int], Annotated[list[int], Field(min_length=2, max_length=3)]
    ],
    'numbers': tuple[
        Annotated[int, Field(gt=3, lt=6)], Annotated[int, Field(multiple_of=7)], Annotated[float, Field(ge=0.1, le=0.2)]
    ],
    'big numbers': tuple[Annotated[int, Field(ge=10**30)], Annotated[float, Field(le=1e300)]],
    'anything': tuple[Any, JsonValue, Json[list[int]], None],
    'names': Named,
    'patterns': tuple[
        text(pattern=r'^(?=.*\d).{4,8}$'),
        text(pattern=r'^(?!foo)[a-z]+$'),
        text(pattern=r'^(a|b)\1$'),
        text(pattern=r'\bfoo\b'),
        text(pattern=r'\Aab\Z'),
        text(pattern='([a'),
        text(pattern=r'^\d{3}-[A-Z]+$'),
        text(format='color'),
    ],
}


@pytest.mark.parametrize('kind', TYPES.values(), ids=TYPES)
def test_a_schema_of_common_types_compiles_and_its_texts_are_json(write: Callable[..., str], kind: Any) -> None:
    notes: list[str] = []
    schema = fit_schema(create_model('Holder', x=(kind, ...)).model_json_schema(), notes.append)
    for seed in range(2):
        json.loads(write(JsonSchema(schema), seed))
    json.loads(write(JsonSchema(make_calls_schema([ToolDefinition('f', schema)], ('name', 'args'))), 0))


def test_a_constrained_message_of_gpt_oss_is_a_call_or_the_output(tokenizer: Any) -> None:
    hub = deepcopy(tokenizer)
    hub.add_tokens(['<|channel|>', '<|message|>', '<|constrain|>', '<|call|>'], special_tokens=True)
    hub.chat_template = '{{ messages }}{{ tools }}'
    parameters = ModelRequestParameters(
        [ToolDefinition('look', {'type': 'object', 'properties': {'a': {'enum': [1, 2]}}, 'required': ['a']})],
        output_mode='native',
        output_object=OutputObjectDefinition({'type': 'object', 'properties': {'b': {'const': 3}}, 'required': ['b']}),
    )
    request = prepare(
        [ModelRequest.user_text_prompt('Hi')],
        {},
        parameters,
        model_name='tiny',
        system='transformers',
        profile=local_profile('tiny'),
        supported=SHARED_SETTINGS,
        prefix='transformers',
        stream=False,
    )
    encoded = RequestEncoder(LocalTokenizer(hub), takes_images=False, options={}).encode(request)
    assert not encoded.text.endswith('<|message|>')
    grammars = Grammars(hub, vocabulary_size=len(hub), eos=frozenset([hub.eos_token_id]), extra='transformers')
    assert encoded.constraint is not None
    found: set[str] = set()
    for seed in range(12):
        numbers, matcher, tokens = random.Random(seed), grammars.matcher(encoded.constraint), list[int]()
        while not (allowed := matcher.compute_mask())[hub.eos_token_id]:
            tokens.append(numbers.choice([int(token) for token in np.flatnonzero(allowed)]))
            matcher.consume(tokens[-1])
        reader = HarmonyReader()
        items = [*reader.feed(hub.decode(tokens)), *reader.close(truncated=False)]
        found.update(str(item) for item in items if not isinstance(item, PartialCall))
    calls = {str(ToolCall('look', f'{{"a":{blank}{number}}}')) for blank in ('', ' ') for number in (1, 2)}
    assert found & calls
    assert found <= calls | {str(('text', f'{{"b":{blank}3}}')) for blank in ('', ' ')}


SCHEMAS: dict[str, Any] = {
    'several objects in one': {
        'allOf': [
            {'type': 'object', 'properties': {'a': {'type': 'integer'}}, 'required': ['a']},
            {'type': 'object', 'properties': {'b': {'type': 'boolean'}}, 'required': ['b']},
        ]
    },
    'a required name without a schema': {'type': 'object', 'properties': {}, 'required': ['a']},
    'names by a pattern that is not enforced': {
        'type': 'object',
        'patternProperties': {'^(?=x)': {'type': 'integer'}},
        'additionalProperties': False,
        'minProperties': 1,
    },
    'a reference with properties beside it': {
        '$defs': {'A': {'type': 'object', 'properties': {'a': {'type': 'null'}}, 'required': ['a']}},
        '$ref': '#/$defs/A',
        'properties': {'b': {'type': 'null'}},
        'required': ['b'],
    },
    'a document with an id': {
        '$id': 'https://example.com/a',
        '$schema': 'https://json-schema.org/draft/2020-12/schema',
        '$defs': {'A': {'type': 'integer'}},
        'type': 'object',
        'properties': {'a': {'$ref': '#/$defs/A'}},
        'required': ['a'],
    },
}


@pytest.mark.parametrize('schema', SCHEMAS.values(), ids=SCHEMAS)
def test_a_schema_that_combines_schemas_has_texts(write: Callable[..., str], schema: Any) -> None:
    fitted = fit_schema(schema, lambda sentence: None)
    written = json.loads(write(JsonSchema(fitted), 1))
    if 'patternProperties' not in schema:
        jsonschema.validate(written, schema)
    several = make_calls_schema([ToolDefinition(name, fitted) for name in ('f', 'g')], ('name', 'args'))
    assert isinstance(json.loads(write(JsonSchema(several), 1))['args'], dict)


def test_a_limit_that_cannot_be_compiled_is_dropped_with_a_sentence() -> None:
    notes: list[str] = []
    schema = {'type': 'object', 'properties': {'pattern': {'type': 'string', 'pattern': '(?=a)', 'maxLength': 3}}}
    assert fit_schema(schema, notes.append)['properties'] == {'pattern': {'type': 'string', 'maxLength': 3}}
    [note] = notes
    assert note.startswith("the constraint does not enforce pattern '(?=a)': look-around")


@pytest.mark.parametrize(
    'constraint',
    [
        JsonSchema({'$ref': '#'}),
        JsonSchema({'$defs': {'a': {'$ref': '#/$defs/a'}}, '$ref': '#/$defs/a'}),
        Grammar('start: start'),
    ],
    ids=['schema', 'definition', 'rule'],
)
def test_a_constraint_that_only_names_itself_is_a_user_error(grammars: Grammars, constraint: Constraint) -> None:
    with pytest.raises(UserError, match='it allows no text'):
        grammars.matcher(constraint)
