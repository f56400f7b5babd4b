"""Generates values for JSON schemas: `sample(schema)` returns one that the schema accepts.

Candidates are generated from a flat node (`Schemas.flatten`) and checked against the original schema
(`Schemas.accepts`), so every returned value is valid.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import date, timedelta
from itertools import chain
from typing import Any, TypeVar

from ...exceptions import UserError
from ...json_types import Json
from .numbers import numbers
from .pattern import texts_for
from .schemas import NoValueError, Path, Schema, Schemas, to_hashable, types_of

Item = TypeVar('Item')


def _write_date(seed: int) -> str:
    return str(date(2024, 1, 1) + timedelta(days=seed % 10_000))


def _uuid_writer(version: int) -> Callable[[str, int], str]:
    return lambda word, seed: f'{seed % 2**32:08x}-0000-{version}000-8000-000000000000'


FORMATS: dict[str, Callable[[str, int], str]] = {
    'date': lambda word, seed: _write_date(seed),
    'date-time': lambda word, seed: f'{_write_date(seed)}T00:00:00Z',
    'time': lambda word, seed: f'00:00:{seed % 60:02}Z',
    'duration': lambda word, seed: f'P{seed % 10_000 + 1}D',
    **dict.fromkeys(('email', 'idn-email'), lambda word, seed: f'{word}@example.com'),
    'name-email': lambda word, seed: f'{word} <{word}@example.com>',
    **dict.fromkeys(('hostname', 'idn-hostname'), lambda word, seed: f'{word}.example.com'),
    **dict.fromkeys(('ipv4', 'ipvanyaddress'), lambda word, seed: f'192.0.2.{seed % 254 + 1}'),
    **dict.fromkeys(('ipv4interface', 'ipvanyinterface'), lambda word, seed: f'192.0.2.{seed % 254 + 1}/24'),
    **dict.fromkeys(('ipv4network', 'ipvanynetwork'), lambda word, seed: f'192.0.{seed % 256}.0/24'),
    'ipv6': lambda word, seed: f'2001:db8::{seed % 65535 + 1:x}',
    'ipv6interface': lambda word, seed: f'2001:db8::{seed % 65535 + 1:x}/64',
    'ipv6network': lambda word, seed: f'2001:db8:{seed % 65536:x}::/48',
    **dict.fromkeys(('uri', 'url', 'iri'), lambda word, seed: f'https://example.com/{word}'),
    **dict.fromkeys(('uri-reference', 'iri-reference', 'json-pointer'), lambda word, seed: f'/{word}'),
    'uri-template': lambda word, seed: f'https://example.com/{{{word}}}',
    'relative-json-pointer': lambda word, seed: f'0/{word}',
    'regex': lambda word, seed: f'^{word}$',
    'uuid': _uuid_writer(4),
    **{f'uuid{version}': _uuid_writer(version) for version in (1, 3, 4, 5, 6, 7, 8)},
    'base64': lambda word, seed: base64.b64encode(word.encode()).decode(),
    'base64url': lambda word, seed: base64.urlsafe_b64encode(word.encode()).decode(),
    'json-string': lambda word, seed: json.dumps(word),
}
"""Format → function that writes a text from a word and a seed. An unknown format does not constrain the text.

The formats are those of https://json-schema.org/draft/2020-12/json-schema-validation, and those that pydantic adds."""

TYPES = ('string', 'integer', 'number', 'object', 'array', 'boolean', 'null')
"""The types to try if a schema names no type, and no value of the type that its keywords imply is valid."""
ATTEMPTS = 8
"""The number of values of one type to try before another type or branch."""
MIXED = 3**400
"""A number to add to the seed, so that all characters of a pattern's text vary."""
MAX_REJECTIONS = 2_000
"""The number of invalid candidates after which the search stops, because it could be endless."""
RECURSIONS = (1, 2, 3)
"""The numbers of times to follow a reference inside itself: the smallest one that yields a value is used."""


def sample(schema: Mapping[str, Any], *, seed: int = 0) -> Any:
    """Return a value that the schema accepts; the same one for the same seed. Raises `UserError` if none is found."""
    failed: object = None
    for recursions in RECURSIONS:
        try:
            return deepcopy(_Sampler(Schemas(schema, recursions)).draw(schema, abs(seed), ()))
        except NoValueError as error:
            failed = error.args[0]
        except RecursionError:  # a reference that refers only to itself
            failed = schema
    raise _build_error(failed)


def _build_error(schema: object) -> UserError:
    return UserError(
        f"TestModel found no value for the schema {schema!r}. Put one into its 'examples', name other tools in "
        'call_tools, or give the output as custom_output_args'
    )


class _Sampler:
    """Generates values. The seed chooses among branches, listed values, numbers and letters."""

    def __init__(self, schemas: Schemas) -> None:
        self.schemas = schemas
        self.rejections = 0

    def draw(self, schema: Schema, seed: int, path: Path) -> Any:
        """Return a valid value. Raises `NoValueError` if no candidate is valid, `UserError` after too many of them."""
        node, path = self.schemas.flatten(schema, path)
        for value in self._candidates(node, seed, path):
            if self.schemas.accepts(schema, value):
                return value
            self.rejections += 1
            if self.rejections > MAX_REJECTIONS:
                raise _build_error(self.schemas.root)
        raise NoValueError(schema)

    def _candidates(self, node: Json, seed: int, path: Path) -> Iterator[Any]:
        """Yield values for a flat node; some of them may be invalid."""
        match node:
            case {'const': value}:
                yield value
            case {'enum': [*values]}:
                yield from _rotate(values, seed)
            case {'examples': [*values]}:
                yield from _rotate(values, seed)
                yield from self._candidates(_without(node, 'examples'), seed, path)
            case {'anyOf': [*branches]}:
                yield from self._try_branches(_without(node, 'anyOf'), _rotate(branches, seed), seed, path)
            case {'oneOf': [*branches]}:
                yield from self._try_branches(_without(node, 'oneOf'), _rotate(branches, seed), seed, path)
            case {'type': str() as kind}:
                yield from self._try_type(kind, node, seed, path)
            case _:
                kinds = [*_rotate(types_of(node), seed), *(() if 'type' in node else TYPES)]
                yield from self._try_branches(_without(node, 'type'), [{'type': kind} for kind in kinds], seed, path)

    def _try_branches(self, rest: Json, branches: Sequence[Schema], seed: int, path: Path) -> Iterator[Any]:
        failure: NoValueError | None = None
        for branch in branches:
            try:
                node, inner = self.schemas.flatten({'allOf': [rest, branch]}, path)
                yield from self._candidates(node, seed, inner)
            except NoValueError as error:
                failure = error
        if failure:
            raise failure

    def _try_type(self, kind: str, node: Json, seed: int, path: Path) -> Iterator[Any]:
        match kind:
            case 'null':
                yield None
            case 'boolean':
                yield from (bool(seed % 2), not seed % 2)
            case 'integer' | 'number':
                yield from chain.from_iterable(numbers(node, kind, seed + n) for n in range(ATTEMPTS))
            case 'string':
                yield from self._write_texts(node, seed, path)
            case 'array' | 'object':
                build = self._build_array if kind == 'array' else self._build_object
                yield from (build(node, seed + n, path, more=n) for n in range(ATTEMPTS))
            case _:
                raise UserError(f'{kind!r} is not a type of JSON schemas, in {node!r}')

    def _write_texts(self, node: Json, seed: int, path: Path) -> Iterator[str]:
        least: int = node.get('minLength', 0)
        if (form := FORMATS.get(node.get('format', ''))) is not None:
            yield from chain.from_iterable(_write_formatted(form, seed + n, least) for n in range(ATTEMPTS))
            if 'pattern' not in node:
                return
        if 'pattern' in node:
            yield from (text for text in _write_matching(node['pattern'], seed, least) if len(text) >= least)
            for text in _write_matching(node['pattern'], seed, 0):
                more = 'a' * (least - len(text))
                yield from (text + more, more + text)
        if node.get('contentMediaType') == 'application/json':
            yield json.dumps(self.draw(node.get('contentSchema', True), seed, path))
        yield from (_write_word(seed + n, least)[: node.get('maxLength')] for n in range(ATTEMPTS))
        yield from (_write_word(seed, least + 2**n) for n in range(ATTEMPTS))
        yield ''

    def _build_array(self, node: Json, seed: int, path: Path, *, more: int) -> list[Any]:
        """Return the required items, one further item if the schema constrains items, and `more`."""
        value: list[Any] = []
        prefix: list[Schema] = node.get('prefixItems', [])
        least, most = node.get('minItems', 0), node.get('maxItems', math.inf)
        count = max(least, len(prefix) + _is_constraint(node.get('items'))) + more
        for index in range(int(min(count, most))):
            schema = prefix[index] if index < len(prefix) else node.get('items', True)
            try:
                value.append(self._draw_item(schema, seed, path, value if node.get('uniqueItems') else []))
            except NoValueError:
                if index < least:
                    raise
                break
        return value

    def _draw_item(self, schema: Schema, seed: int, path: Path, others: list[Any]) -> Any:
        """Return an item that differs from all others. Raises `NoValueError` if none is found."""
        taken = {*map(to_hashable, others)}
        for n in range(len(others), len(others) * 2 + ATTEMPTS):
            value = self.draw(schema, seed + n, path)
            if to_hashable(value) not in taken:
                return value
        raise NoValueError(schema)

    def _build_object(self, node: Json, seed: int, path: Path, *, more: int) -> dict[str, Any]:
        """Return the required properties, one further property if names are free, and others up to the minimum."""
        required, properties = node.get('required', []), node.get('properties', {})
        names = [name for name in properties if name in required]
        names += [name for name in required if name not in properties]
        value = {name: self.draw(self.schemas.schema_of_property(node, name), seed, path) for name in names}
        most = node.get('maxProperties', math.inf)
        least = min(max(node.get('minProperties', 0), len(value) + more), most)
        if _is_constraint(node.get('additionalProperties')) or node.get('patternProperties'):
            self._add_properties(value, min(len(value) + 1, most), self._free_names(node, seed, path), node, seed, path)
        self._add_properties(value, least, chain(properties, self._free_names(node, seed, path)), node, seed, path)
        return value

    def _add_properties(
        self, value: dict[str, Any], least: float, names: Iterator[str], node: Json, seed: int, path: Path
    ) -> None:
        """Add properties, in place, until there are `least`. Skips those for which no value is found."""
        for name in names:
            if len(value) >= least:
                return
            try:
                if name not in value:
                    value[name] = self.draw(self.schemas.schema_of_property(node, name), seed, path)
            except NoValueError:
                continue

    def _free_names(self, node: Json, seed: int, path: Path) -> Iterator[str]:
        """Yield names for properties that the schema does not name."""
        seeds = range(seed, seed + node.get('minProperties', 0) + ATTEMPTS)
        for pattern in node.get('patternProperties', {}):
            yield from (text for one in seeds for text in texts_for(pattern, seed=one))
            yield from (_write_word(one, 0) + text for one in seeds for text in texts_for(pattern, seed=one))
        if 'propertyNames' in node:
            names = {'allOf': [{'type': 'string'}, node['propertyNames']]}
            try:
                yield from (self.draw(names, one, path) for one in seeds)
            except NoValueError:
                return
        yield 'additionalProperty'
        yield from (f'additionalProperty{n}' for n in range(2, len(seeds) + 2))


def _rotate(items: Sequence[Item], seed: int) -> Sequence[Item]:
    start = seed % len(items) if items else 0
    return [*items[start:], *items[:start]]


def _without(node: Json, key: str) -> Json:
    return {name: value for name, value in node.items() if name != key}


def _is_constraint(schema: Schema | None) -> bool:
    return not isinstance(schema, bool) and bool(schema)


def _write_word(seed: int, length: int) -> str:
    """Write the seed in letters: 0 is 'a', 26 is 'ba'. The last letter is repeated up to the length."""
    letters = ''
    while seed or not letters:
        seed, letter = divmod(seed, 26)
        letters = chr(ord('a') + letter) + letters
    return letters + letters[-1] * (length - len(letters))


def _write_formatted(form: Callable[[str, int], str], seed: int, least: int) -> Iterator[str]:
    text = form(_write_word(seed, 0), seed)
    yield text
    yield form(_write_word(seed, least - len(text) + 1), seed)


def _write_matching(pattern: str, seed: int, least: int) -> Iterator[str]:
    for chosen in (*range(seed, seed + ATTEMPTS), *(seed + MIXED * n for n in range(1, ATTEMPTS))):
        yield from texts_for(pattern, seed=chosen, length=least)
