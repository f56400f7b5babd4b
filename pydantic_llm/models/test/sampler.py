"""Values for JSON schemas: `sample(schema)` makes one that the schema accepts.

Candidates are drawn from a node that says everything in one piece, and checked against the schema as it was written,
so that nothing leaves here which `Schemas.accepts` does not take.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import date, timedelta
from itertools import chain
from typing import TypeVar

from ...exceptions import UserError
from .numbers import numbers
from .pattern import texts_for
from .schemas import JsonValue, Node, NoValueError, Path, Schema, Schemas, frozen, types_of

Item = TypeVar('Item')


def _day(seed: int) -> str:
    return str(date(2024, 1, 1) + timedelta(days=seed % 10_000))


def _uuid(version: int) -> Callable[[str, int], str]:
    return lambda word, seed: f'{seed % 2**32:08x}-0000-{version}000-8000-000000000000'


FORMATS: dict[str, Callable[[str, int], str]] = {
    'date': lambda word, seed: _day(seed),
    'date-time': lambda word, seed: f'{_day(seed)}T00:00:00Z',
    'time': lambda word, seed: f'00:00:{seed % 60:02}Z',
    'duration': lambda word, seed: f'P{seed % 10_000 + 1}D',
    'email': lambda word, seed: f'{word}@example.com',
    'idn-email': lambda word, seed: f'{word}@example.com',
    'name-email': lambda word, seed: f'{word} <{word}@example.com>',
    'hostname': lambda word, seed: f'{word}.example.com',
    'idn-hostname': lambda word, seed: f'{word}.example.com',
    'ipv4': lambda word, seed: f'192.0.2.{seed % 254 + 1}',
    'ipv4interface': lambda word, seed: f'192.0.2.{seed % 254 + 1}/24',
    'ipv4network': lambda word, seed: f'192.0.{seed % 256}.0/24',
    'ipv6': lambda word, seed: f'2001:db8::{seed % 65535 + 1:x}',
    'ipv6interface': lambda word, seed: f'2001:db8::{seed % 65535 + 1:x}/64',
    'ipv6network': lambda word, seed: f'2001:db8:{seed % 65536:x}::/48',
    'ipvanyaddress': lambda word, seed: f'192.0.2.{seed % 254 + 1}',
    'ipvanyinterface': lambda word, seed: f'192.0.2.{seed % 254 + 1}/24',
    'ipvanynetwork': lambda word, seed: f'192.0.{seed % 256}.0/24',
    'uri': lambda word, seed: f'https://example.com/{word}',
    'url': lambda word, seed: f'https://example.com/{word}',
    'iri': lambda word, seed: f'https://example.com/{word}',
    'uri-reference': lambda word, seed: f'/{word}',
    'iri-reference': lambda word, seed: f'/{word}',
    'uri-template': lambda word, seed: f'https://example.com/{{{word}}}',
    'json-pointer': lambda word, seed: f'/{word}',
    'relative-json-pointer': lambda word, seed: f'0/{word}',
    'regex': lambda word, seed: f'^{word}$',
    'uuid': _uuid(4),
    **{f'uuid{version}': _uuid(version) for version in (1, 3, 4, 5, 6, 7, 8)},
    'base64': lambda word, seed: base64.b64encode(word.encode()).decode(),
    'base64url': lambda word, seed: base64.urlsafe_b64encode(word.encode()).decode(),
    'json-string': lambda word, seed: json.dumps(word),
}
"""Texts by format, from a word and a seed. A format that is not here asks for nothing."""

TYPES = ('string', 'integer', 'number', 'object', 'array', 'boolean', 'null')
"""What is tried where a schema names no type, and what its keywords are about does not do."""
TRIES = 8
"""How many values of one type are tried before another type or branch."""
MIXED = 3**400
"""Added to the seed, it makes a pattern's text out of many different characters."""
REJECTIONS = 2_000
"""How many values may turn out wrong before the search is given up, for it may be endless."""
RECURSIONS = (1, 2, 3)
"""How often a reference may be followed inside itself: as rarely as possible."""


def sample(schema: Mapping[str, JsonValue], *, seed: int = 0) -> JsonValue:
    """A value that the schema accepts, always the same for the same seed. Raises `UserError` where none is found."""
    failed: object = None
    for recursions in RECURSIONS:
        try:
            return deepcopy(_Sampler(Schemas(schema, recursions)).draw(schema, abs(seed), ()))
        except NoValueError as error:
            failed = error.args[0]
        except RecursionError:  # a reference that leads to itself and nowhere else
            failed = schema
    raise _no_value(failed)


def _no_value(schema: object) -> UserError:
    return UserError(
        f"TestModel found no value for the schema {schema!r}. Put one into its 'examples', name other tools in "
        'call_tools, or say with custom_output_args what the output shall be'
    )


class _Sampler:
    """Draws values. The seed chooses among branches, listed values, numbers and letters."""

    def __init__(self, schemas: Schemas) -> None:
        self.schemas = schemas
        self.rejections = 0

    def draw(self, schema: Schema, seed: int, path: Path) -> JsonValue:
        node, path = self.schemas.flatten(schema, path)
        for value in self._candidates(node, seed, path):
            if self.schemas.accepts(schema, value):
                return value
            self.rejections += 1
            if self.rejections > REJECTIONS:
                raise _no_value(self.schemas.root)
        raise NoValueError(schema)

    def _candidates(self, node: Node, seed: int, path: Path) -> Iterator[JsonValue]:
        match node:
            case {'const': value}:
                yield value
            case {'enum': [*values]}:
                yield from _rotated(values, seed)
            case {'examples': [*values]}:
                yield from _rotated(values, seed)
                yield from self._candidates(_without(node, 'examples'), seed, path)
            case {'anyOf': [*branches]}:
                yield from self._branches(_without(node, 'anyOf'), _rotated(branches, seed), seed, path)
            case {'oneOf': [*branches]}:
                yield from self._branches(_without(node, 'oneOf'), _rotated(branches, seed), seed, path)
            case {'type': str() as kind}:
                yield from self._of_type(kind, node, seed, path)
            case _:
                kinds = [*_rotated(types_of(node), seed), *(() if 'type' in node else TYPES)]
                yield from self._branches(_without(node, 'type'), [{'type': kind} for kind in kinds], seed, path)

    def _branches(self, rest: Node, branches: Sequence[Schema], seed: int, path: Path) -> Iterator[JsonValue]:
        failure: NoValueError | None = None
        for branch in branches:
            try:
                node, inner = self.schemas.flatten({'allOf': [rest, branch]}, path)
                yield from self._candidates(node, seed, inner)
            except NoValueError as error:
                failure = error
        if failure:
            raise failure

    def _of_type(self, kind: str, node: Node, seed: int, path: Path) -> Iterator[JsonValue]:
        match kind:
            case 'null':
                yield None
            case 'boolean':
                yield from (bool(seed % 2), not seed % 2)
            case 'integer' | 'number':
                yield from chain.from_iterable(numbers(node, kind, seed + n) for n in range(TRIES))
            case 'string':
                yield from self._texts(node, seed, path)
            case 'array' | 'object':
                draw = self._array if kind == 'array' else self._object
                yield from (draw(node, seed + n, path, more=n) for n in range(TRIES))
            case _:
                raise UserError(f'{kind!r} is not a type of JSON schemas, in {node!r}')

    # ------------------------------------------------------------------------------------------------- texts

    def _texts(self, node: Node, seed: int, path: Path) -> Iterator[str]:
        least: int = node.get('minLength', 0)
        if (form := FORMATS.get(node.get('format', ''))) is not None:
            yield from chain.from_iterable(_formatted(form, seed + n, least) for n in range(TRIES))
            if 'pattern' not in node:
                return
        if 'pattern' in node:
            yield from (text for text in _matching(node['pattern'], seed, least) if len(text) >= least)
            for text in _matching(node['pattern'], seed, 0):
                more = 'a' * (least - len(text))
                yield from (text + more, more + text)
        if node.get('contentMediaType') == 'application/json':
            yield json.dumps(self.draw(node.get('contentSchema', True), seed, path))
        yield from (_word(seed + n, least)[: node.get('maxLength')] for n in range(TRIES))
        yield from (_word(seed, least + 2**n) for n in range(TRIES))
        yield ''

    # ------------------------------------------------------------------------------------------------- arrays

    def _array(self, node: Node, seed: int, path: Path, *, more: int) -> list[JsonValue]:
        """The items that are demanded, one where the schema says what items are, and `more`."""
        value: list[JsonValue] = []
        prefix: list[Schema] = node.get('prefixItems', [])
        least, most = node.get('minItems', 0), node.get('maxItems', math.inf)
        wanted = max(least, len(prefix) + _says_something(node.get('items'))) + more
        for index in range(int(min(wanted, most))):
            schema = prefix[index] if index < len(prefix) else node.get('items', True)
            try:
                value.append(self._item(schema, seed, path, value if node.get('uniqueItems') else []))
            except NoValueError:
                if index < least:
                    raise
                break
        return value

    def _item(self, schema: Schema, seed: int, path: Path, others: list[JsonValue]) -> JsonValue:
        """An item that is none of the others."""
        taken = {*map(frozen, others)}
        for n in range(len(others), len(others) * 2 + TRIES):
            value = self.draw(schema, seed + n, path)
            if frozen(value) not in taken:
                return value
        raise NoValueError(schema)

    # ------------------------------------------------------------------------------------------------- objects

    def _object(self, node: Node, seed: int, path: Path, *, more: int) -> dict[str, JsonValue]:
        """The required properties, one where names are free, and others where more are demanded."""
        required, properties = node.get('required', []), node.get('properties', {})
        names = [name for name in properties if name in required]
        names += [name for name in required if name not in properties]
        value = {name: self.draw(self.schemas.of_property(node, name), seed, path) for name in names}
        most = node.get('maxProperties', math.inf)
        least = min(max(node.get('minProperties', 0), len(value) + more), most)
        if _says_something(node.get('additionalProperties')) or node.get('patternProperties'):
            self._add(value, min(len(value) + 1, most), self._free_names(node, seed, path), node, seed, path)
        self._add(value, least, chain(properties, self._free_names(node, seed, path)), node, seed, path)
        return value

    def _add(
        self, value: dict[str, JsonValue], least: float, names: Iterator[str], node: Node, seed: int, path: Path
    ) -> None:
        """Add properties until there are enough, as far as values are found."""
        for name in names:
            if len(value) >= least:
                return
            try:
                if name not in value:
                    value[name] = self.draw(self.schemas.of_property(node, name), seed, path)
            except NoValueError:
                continue

    def _free_names(self, node: Node, seed: int, path: Path) -> Iterator[str]:
        """Names for properties that the schema does not name."""
        seeds = range(seed, seed + node.get('minProperties', 0) + TRIES)
        for pattern in node.get('patternProperties', {}):
            yield from (text for one in seeds for text in texts_for(pattern, seed=one))
            yield from (_word(one, 0) + text for one in seeds for text in texts_for(pattern, seed=one))
        if 'propertyNames' in node:
            names = {'allOf': [{'type': 'string'}, node['propertyNames']]}
            try:
                yield from (self.draw(names, one, path) for one in seeds)
            except NoValueError:
                return
        yield 'additionalProperty'
        yield from (f'additionalProperty{n}' for n in range(2, len(seeds) + 2))


def _rotated(items: Sequence[Item], seed: int) -> Sequence[Item]:
    start = seed % len(items) if items else 0
    return [*items[start:], *items[:start]]


def _without(node: Node, key: str) -> Node:
    return {name: value for name, value in node.items() if name != key}


def _says_something(schema: Schema | None) -> bool:
    return not isinstance(schema, bool) and bool(schema)


def _word(seed: int, length: int) -> str:
    """The seed in letters, 0 is 'a' and 26 is 'ba'; the last letter is repeated up to the length."""
    letters = ''
    while seed or not letters:
        seed, letter = divmod(seed, 26)
        letters = chr(ord('a') + letter) + letters
    return letters + letters[-1] * (length - len(letters))


def _formatted(form: Callable[[str, int], str], seed: int, least: int) -> Iterator[str]:
    text = form(_word(seed, 0), seed)
    yield text
    yield form(_word(seed, least - len(text) + 1), seed)


def _matching(pattern: str, seed: int, least: int) -> Iterator[str]:
    for chosen in (*range(seed, seed + TRIES), *(seed + MIXED * n for n in range(1, TRIES))):
        yield from texts_for(pattern, seed=chosen, length=least)
