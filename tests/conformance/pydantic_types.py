"""Hypothesis strategies for pydantic models, each with JSON objects that are valid for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Literal, NotRequired, Union, cast
from uuid import UUID

from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, Field, TypeAdapter, create_model
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict


@dataclass(frozen=True)
class Drawn:
    """A type, and a strategy for JSON values that are valid for it."""

    type: Any
    values: st.SearchStrategy[Any]

    def __repr__(self) -> str:
        return repr(TypeAdapter(self.type).json_schema())


class Tree(BaseModel):
    name: str
    children: list[Tree]


class Link(BaseModel):
    next: Link | None


class Chain(BaseModel):
    next: Chain | None = None


class Even(BaseModel):
    odd: Odd | None


class Odd(BaseModel):
    even: list[Even]


class Empty(BaseModel):
    pass


class Open(BaseModel, extra='allow'):
    a: int


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


@pydantic_dataclass
class Point:
    x: float
    y: Annotated[float, Field(description='Upwards.', examples=[1.5])]


class Colour(Enum):
    red = 'red'
    blue = 'blue'


class Code(Enum):
    a = 1
    b = 'b'


texts = st.text(st.characters(codec='ascii', categories=('L', 'N')), min_size=1, max_size=5)
trees = st.deferred(lambda: st.fixed_dictionaries({'name': texts, 'children': st.lists(trees, max_size=2)}))
links: st.SearchStrategy[Any] = st.deferred(lambda: st.fixed_dictionaries({'next': st.none() | links}))
evens: st.SearchStrategy[Any] = st.deferred(lambda: st.fixed_dictionaries({'odd': st.none() | odds}))
odds = st.fixed_dictionaries({'even': st.lists(evens, max_size=1)})
anything = st.none() | st.integers(0, 9) | texts | st.dictionaries(texts, st.integers(0, 9), max_size=2)

LEAVES: list[Drawn] = [
    Drawn(str, texts),
    Drawn(int, st.integers(-9, 9)),
    Drawn(float, st.integers(-9, 9)),
    Drawn(bool, st.booleans()),
    Drawn(None, st.none()),
    Drawn(Any, anything),
    Drawn(Literal['a', 'b'], st.sampled_from(['a', 'b'])),
    Drawn(Literal['only'], st.just('only')),
    Drawn(Literal[1, 2], st.sampled_from([1, 2])),
    Drawn(Literal['a', 1, None], st.sampled_from(['a', 1, None])),
    Drawn(Literal[True], st.sampled_from([True])),
    Drawn(Literal['a', True], st.sampled_from(['a', True])),
    Drawn(Colour, st.sampled_from(['red', 'blue'])),
    Drawn(Code, st.sampled_from([1, 'b'])),
    Drawn(date, st.dates().map(str)),
    Drawn(datetime, st.just('2026-11-30T10:00:00Z')),
    Drawn(UUID, st.uuids().map(str)),
    Drawn(AnyUrl, st.just('https://example.com/a')),
    Drawn(bytes, texts),
    Drawn(Annotated[int, Field(ge=0, lt=9)], st.integers(0, 8)),
    Drawn(Annotated[float, Field(multiple_of=0.5)], st.just(1.5)),
    Drawn(Annotated[str, Field(min_length=1, max_length=9)], texts),
    Drawn(Annotated[str, Field(pattern='^[a-z]+$')], st.just('abc')),
    Drawn(Annotated[str, Field(pattern=r'^(a|b)\d{2}$', description='A code.')], st.just('a12')),
    Drawn(list, st.lists(anything, max_size=2)),
    Drawn(dict, st.dictionaries(texts, anything, max_size=2)),
    Drawn(Tree, trees),
    Drawn(Link, links),
    Drawn(Chain, links | st.just({})),
    Drawn(Even, evens),
    Drawn(Empty, st.just({})),
    Drawn(Open, st.just({'a': 1})),
    Drawn(Movie, st.sampled_from([{'title': 'a'}, {'title': 'a', 'year': 1}])),
    Drawn(Point, st.just({'x': 1, 'y': 2.5})),
]
"""Types without parameters. The less usual ones come later."""


def types(depth: int = 2) -> st.SearchStrategy[Drawn]:
    """Return types, with others in them up to a depth."""
    usual, all_leaves = st.sampled_from(LEAVES[:4]), st.sampled_from(LEAVES)
    if depth == 0:
        return usual | all_leaves
    inner = st.deferred(lambda: types(depth - 1))
    containers = [make(inner) for make in CONTAINERS]
    return st.one_of(usual, all_leaves, models(depth - 1), *containers)


def _optional(inner: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    return inner.map(lambda drawn: Drawn(drawn.type | None if drawn.type else None, st.none() | drawn.values))


def _lists(inner: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    return inner.map(lambda drawn: Drawn(list[drawn.type], st.lists(drawn.values, max_size=3)))


def _bounded_lists(inner: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    bounds = Field(min_length=1, max_length=3)
    return inner.map(
        lambda drawn: Drawn(Annotated[list[drawn.type], bounds], st.lists(drawn.values, min_size=1, max_size=3))
    )


def _dicts(inner: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    return inner.map(lambda drawn: Drawn(dict[str, drawn.type], st.dictionaries(texts, drawn.values, max_size=2)))


def _pairs(inner: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    def make(first: Drawn, second: Drawn) -> Drawn:
        return Drawn(tuple[first.type, second.type], st.tuples(first.values, second.values).map(list))

    return st.builds(make, inner, inner)


def _twins(inner: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    return inner.map(lambda drawn: Drawn(tuple[drawn.type, drawn.type], st.lists(drawn.values, min_size=2, max_size=2)))


def _rows(inner: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    return inner.map(lambda drawn: Drawn(tuple[drawn.type, ...], st.lists(drawn.values, max_size=2)))


def _sets(_: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    return st.just(Drawn(set[int], st.lists(st.integers(0, 9), max_size=3, unique=True)))


def _unions(inner: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    def make(first: Drawn, second: Drawn) -> Drawn:
        return Drawn(cast('Any', Union)[first.type, second.type], first.values | second.values)

    return st.builds(make, inner, inner)


def _discriminated(inner: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    def make(first: Drawn, second: Drawn) -> Drawn:
        members = [
            create_model(name, kind=(Literal[name], ...), data=(drawn.type, ...))
            for name, drawn in (('Cat', first), ('Dog', second))
        ]
        values = [
            st.fixed_dictionaries({'kind': st.just(name), 'data': drawn.values})
            for name, drawn in (('Cat', first), ('Dog', second))
        ]
        union = cast('Any', Union)[tuple(members)]
        return Drawn(Annotated[union, Field(discriminator='kind')], st.one_of(values))

    return st.builds(make, inner, inner)


CONTAINERS: list[Callable[[st.SearchStrategy[Drawn]], st.SearchStrategy[Drawn]]] = [
    _optional,
    _lists,
    _bounded_lists,
    _dicts,
    _pairs,
    _twins,
    _rows,
    _sets,
    _unions,
    _discriminated,
]


@st.composite
def models(draw: st.DrawFn, depth: int = 2) -> Drawn:
    """Draw a model, whose fields may have defaults, aliases, descriptions and examples."""
    fields: dict[str, Any] = {}
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for name in draw(st.lists(st.sampled_from('abcdef'), min_size=1, max_size=4, unique=True)):
        drawn = draw(types(depth))
        options: dict[str, Any] = dict(draw(st.sampled_from(OPTIONS)))
        if 'alias' in options:
            options['alias'] += name
        key = options.get('alias', name)
        if 'default' in options:
            optional[key] = drawn.values
        else:
            required[key] = drawn.values
        fields[name] = (drawn.type, Field(**options))
    model = create_model(draw(st.sampled_from(['Cat', 'Dog', 'City'])), **fields)
    return Drawn(model, st.fixed_dictionaries(required, optional=optional))


OPTIONS: list[dict[str, Any]] = [
    {},
    {},
    {},
    {'description': 'A field.'},
    {'examples': [1]},
    {'default': None},
    {'default': 3, 'description': 'With a default.'},
    {'alias': 'of_'},
    {'title': 'A Title', 'deprecated': True},
    {'json_schema_extra': {'x-own': True}},
]
