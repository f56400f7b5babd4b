"""Tests of tools made of functions: their schemas, and how the functions are called."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError
from typing_extensions import TypedDict

from pydantic_llm import ModelRetry, RunContext, Tool, ToolDefinition, UserError
from pydantic_llm.agent import Agent
from pydantic_llm.models.test.model import TestModel


class City(BaseModel):
    """A city."""

    name: str


class Node(BaseModel):
    """A tree."""

    children: list[Node] = []


@dataclass
class Point:
    x: int


class Colour(TypedDict):
    red: int


CONTEXT: RunContext[Any] = RunContext(deps='deps', model=TestModel())


def schema_of(function: Callable[..., Any], **options: Any) -> dict[str, Any]:
    return Tool(function, **options).tool_def.parameters_json_schema


async def run(function: Callable[..., Any], arguments: str, **options: Any) -> Any:
    tool: Tool[Any] = Tool(function, **options)
    return await tool.run(tool.validate(arguments), CONTEXT)


def test_the_name_description_and_parameters_come_from_the_function() -> None:
    def weather(city: str, days: Annotated[int, Field(ge=1)] = 3, *, unit: Literal['C', 'F'] = 'C') -> str:
        """Look the weather up.

        Args:
            city: The city.
            days: How many days.
        """
        return ''

    assert Tool(weather).tool_def == ToolDefinition(
        'weather',
        {
            'type': 'object',
            'properties': {
                'city': {'type': 'string', 'description': 'The city.'},
                'days': {'type': 'integer', 'minimum': 1, 'default': 3, 'description': 'How many days.'},
                'unit': {'type': 'string', 'enum': ['C', 'F'], 'default': 'C'},
            },
            'required': ['city'],
            'additionalProperties': False,
        },
        'Look the weather up.',
    )


def test_a_description_in_a_field_overrides_the_docstring() -> None:
    def f(
        a: Annotated[int, Field(description='of the field')],
        b: int = Field(2, description='of the default', le=9, json_schema_extra={'x': 1}),
    ) -> None:
        """Do it.

        Args:
            a: of the docstring
            b: of the docstring
        """

    assert schema_of(f)['properties'] == {
        'a': {'type': 'integer', 'description': 'of the field'},
        'b': {'type': 'integer', 'description': 'of the default', 'default': 2, 'maximum': 9, 'x': 1},
    }


async def test_the_defaults_of_the_function_apply() -> None:
    marker = object()

    def f(a: int = 1, b: Any = marker, c: int = Field(3, le=9), d: list[int] = Field(default_factory=list)) -> Any:  # noqa: B008
        return a, b is marker, c, d

    assert await run(f, '{}') == (1, True, 3, [])
    assert schema_of(f)['properties'] == {
        'a': {'type': 'integer', 'default': 1},
        'b': {},
        'c': {'type': 'integer', 'default': 3, 'maximum': 9},
        'd': {'type': 'array', 'items': {'type': 'integer'}, 'default': []},
    }
    with pytest.raises(ValidationError, match='less than or equal to 9'):
        await run(f, '{"c": 10}')


async def test_a_field_without_a_default_is_required() -> None:
    def f(a: int = Field(description='needed')) -> int:
        return a

    assert schema_of(f)['required'] == ['a']
    assert await run(f, '{"a": 1}') == 1


async def test_parameters_of_every_kind_are_passed() -> None:
    def f(a: int, /, b: int, *rest: int, c: int = 3, **more: float) -> Any:
        return a, b, rest, c, more

    assert await run(f, '{"a": 1, "b": 2, "rest": [3, "4"], "c": 5, "x": "1.5"}') == (1, 2, (3, 4), 5, {'x': 1.5})
    assert await run(f, '{"a": 1, "b": 2}') == (1, 2, (), 3, {})
    assert schema_of(f)['additionalProperties'] == {'type': 'number'}
    with pytest.raises(ValidationError, match='valid number'):
        await run(f, '{"a": 1, "b": 2, "x": "y"}')


async def test_parameters_can_have_names_that_pydantic_uses() -> None:
    def f(schema: int, copy: int, _private: int, model_config: int) -> int:
        return schema + copy + _private + model_config

    assert await run(f, '{"schema": 1, "copy": 2, "_private": 3, "model_config": 4}') == 10


def test_unknown_arguments_are_refused() -> None:
    with pytest.raises(ValidationError, match='Extra inputs are not permitted'):
        Tool(lambda: None, name='f').validate('{"a": 1}')


@pytest.mark.parametrize('type_', [City, Point, Colour], ids=str)
async def test_a_single_object_is_the_schema(type_: Any) -> None:
    def f(thing: type_) -> Any:  # type: ignore[valid-type]
        return thing

    f.__annotations__['thing'] = type_
    [field] = type_.__annotations__
    assert schema_of(f)['properties'].keys() == {field}
    arguments = f'{{"{field}": {"7" if type_ is not City else chr(34) + "P" + chr(34)}}}'
    assert await run(f, arguments) == (City(name='P') if type_ is City else Point(7) if type_ is Point else {'red': 7})


async def test_an_object_with_other_parameters_is_a_key() -> None:
    def f(city: City, n: int) -> str:
        return city.name * n

    schema = schema_of(f)
    assert schema['properties']['city'] == {'$ref': '#/$defs/City'}
    assert await run(f, '{"city": {"name": "a"}, "n": 2}') == 'aa'


def test_the_schema_of_a_recursive_type_is_an_object() -> None:
    def f(node: Node) -> None: ...

    tool = Tool(f)
    assert tool.tool_def.parameters_json_schema['type'] == 'object'
    assert '$defs' in tool.tool_def.parameters_json_schema
    assert tool.description == 'A tree.'


def test_parameters_without_annotations_accept_any_value() -> None:
    assert schema_of(lambda a, b=1: a + b, name='f')['properties'] == {'a': {}, 'b': {'default': 1}}


async def test_a_context_is_detected_by_its_annotation() -> None:
    def typed(ctx: RunContext[str], n: int) -> Any:
        return ctx.deps, n

    def bare(ctx: RunContext) -> Any:
        return ctx.deps

    def plain(n: int) -> Any:
        return n

    quoted: Any = lambda ctx, n: (ctx.deps, n)  # noqa: E731
    quoted.__annotations__ = {'ctx': "'pydantic_llm.RunContext[Unknown]'", 'n': int}
    assert await run(typed, '{"n": 1}') == ('deps', 1)
    assert await run(bare, '{}') == 'deps'
    assert await run(plain, '{"n": 1}') == 1
    assert await run(quoted, '{"n": 1}', name='f') == ('deps', 1)
    assert await run(lambda ctx, n: (ctx.deps, n), '{"n": 1}', name='f', takes_ctx=True) == ('deps', 1)


async def test_callables_of_all_kinds_are_tools() -> None:
    class Adder:
        """Add it."""

        def __init__(self, base: int) -> None:
            self.base = base

        def add(self, n: int) -> int:
            return self.base + n

        async def __call__(self, n: int) -> int:
            return self.base + n

        @classmethod
        def double(cls, n: int) -> int:
            return 2 * n

    @functools.wraps(Adder.add)
    def wrapped(*args: Any, **kwargs: Any) -> int:
        return Adder.add(Adder(10), **kwargs)

    assert await run(Adder(1).add, '{"n": 1}') == 2
    assert await run(Adder.double, '{"n": 3}') == 6
    assert await run(Adder(1), '{"n": 1}') == 2
    assert (Tool(Adder(1)).name, Tool(Adder(1)).description) == ('Adder', 'Add it.')
    partial = functools.partial(Adder(1).add, n=5)
    assert (Tool(partial).name, await run(partial, '{}')) == ('add', 6)


async def test_a_decorated_function_has_the_signature_of_the_wrapped_one() -> None:
    def original(n: int) -> int:
        """Original."""
        return n

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> int:
        return original(*args, **kwargs) + 1

    tool: Tool[Any] = Tool(wrapper)
    assert (tool.name, tool.description) == ('original', 'Original.')
    assert await run(wrapper, '{"n": "1"}') == 2


def unresolvable(a: Missing) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Has an annotation that is not defined."""


def annotated_with_a_value(a: [3]) -> None:  # type: ignore[valid-type]
    """Has an annotation that is not a type."""


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: Tool(unresolvable), "The annotation of 'a' of 'unresolvable' cannot be resolved: name 'Missing'"),
        (
            lambda: Tool(lambda a=1: a, name='f', takes_ctx=None).from_schema(print, 'p', None, {}),
            "The json_schema of 'p'",
        ),
        (lambda: Tool(lambda: None, takes_ctx=True), 'takes no RunContext, and must take one'),
        (lambda: Tool(lambda a: a), "'<lambda>' cannot be a tool: give it one with Tool"),
        (lambda: Tool(context_last), "'context_last' takes a RunContext, but not as its first parameter"),
        (lambda: Tool(attribute), "The annotation of 'a' of 'attribute' cannot be resolved"),
        (
            lambda: Tool(annotated_with_a_value),
            r"The annotation of 'a' of .* is \[3\], which is not a type",
        ),
        (lambda: Tool(syntax), "The annotation of 'a' of 'syntax' cannot be resolved"),
        (lambda: Tool(takes_undefined_field), "A type of 'takes_undefined_field' cannot be resolved|not fully defined"),
        (lambda: Tool.from_schema(print, 'p', None, {'$defs': 3}), "The schema of tool 'p' is not a valid JSON schema"),
        (lambda: Tool.from_schema(print, 'p', None, [1]), "The schema of tool 'p' is not a valid JSON schema"),  # type: ignore[arg-type]
        (
            lambda: Tool.from_schema(print, 'p', None, {'$ref': '#/$defs/A'}),
            "refers to '#/\\$defs/A', and there is no '#/\\$defs/A'",
        ),
        (lambda: Tool(takes_tool), "'takes_tool' has a type that has no JSON schema for a model"),
        (lambda: Tool(takes_function), "'takes_function' has a type that has no JSON schema for a model"),
        (
            lambda: Tool(partly_described, require_parameter_descriptions=True),
            "'partly_described' does not describe 'b', 'c'",
        ),
        (lambda: Tool(type), "'type' has no signature"),
    ],
)
def test_an_invalid_tool_is_a_user_error(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()


def takes_tool(a: Tool) -> None: ...  # type: ignore[type-arg]


def takes_function(a: Callable[[], None]) -> None: ...


def context_last(a: int, ctx: RunContext[None]) -> None: ...


def attribute(a: functools.Missing) -> None: ...  # type: ignore[name-defined]


def syntax(a: 'list[') -> None: ...  # type: ignore[syntax]  # noqa: F722


class Unfinished(BaseModel):
    a: Missing  # type: ignore[name-defined]  # noqa: F821


def takes_undefined_field(a: Unfinished, b: int) -> None: ...


def partly_described(a: int, b: int, c: int) -> None:
    """Do it.

    Args:
        a: This.
    """


async def test_a_tool_with_a_given_schema() -> None:
    schema = {'type': 'object', 'properties': {'a': {'type': 'integer'}}}
    tool = Tool.from_schema(lambda **named: named, 'f', 'Do it.', schema, sequential=True)
    assert tool.tool_def == ToolDefinition('f', schema, 'Do it.', sequential=True)
    assert await tool.run(tool.validate('{"a": "x", "b": 1}'), CONTEXT) == {'a': 'x', 'b': 1}
    with_context = Tool.from_schema(lambda ctx, **named: (ctx.deps, named), 'f', None, schema, takes_ctx=True)
    assert await with_context.run({'a': 1}, CONTEXT) == ('deps', {'a': 1})


async def test_the_test_model_calls_every_tool_with_valid_arguments() -> None:
    agent = Agent(TestModel(), output_type=City)
    seen: list[Any] = []

    @agent.tool_plain
    def f(a: int, b: Annotated[str, Field(min_length=3)], c: list[Point], d: City) -> None:
        seen.append((a, b, c, d))

    result = await agent.run('?')
    assert isinstance(result.output, City)
    assert len(seen) == 1


def test_the_repr_of_a_tool_has_its_name() -> None:
    assert repr(Tool(partly_described)) == "Tool('partly_described')"


# --------------------------------------------------------------------------------------- functions with a RunContext

Context = RunContext[str]


def with_context(ctx: RunContext[str], a: int) -> None: ...


def with_alias(ctx: Context, a: int) -> None: ...


def with_text(ctx: RunContext[str], a: int) -> None: ...


def with_metadata(ctx: Annotated[RunContext[str], 'the context'], a: int) -> None: ...


def with_nothing(ctx, a: int) -> None: ...  # type: ignore[no-untyped-def]


def with_any(ctx: Any, a: int) -> None: ...


def with_number(a: int) -> None: ...


def with_text_number(a: int) -> None: ...


def with_object(a: City) -> None: ...


def without_parameters() -> None: ...


HAVE_CONTEXT = [with_context, with_alias, with_text, with_metadata]
MAY_HAVE_CONTEXT = [with_nothing, with_any]
HAVE_NO_CONTEXT = [with_number, with_text_number, with_object, without_parameters]


@pytest.mark.parametrize('function', HAVE_CONTEXT + MAY_HAVE_CONTEXT)
def test_a_tool_may_take_a_context(function: Callable[..., None]) -> None:
    agent = Agent('test', deps_type=str)
    agent.tool(function)
    assert schema_of(function, takes_ctx=True)['properties'].keys() == {'a'}


@pytest.mark.parametrize('function', HAVE_NO_CONTEXT)
def test_a_tool_without_a_context_is_refused_with_the_right_decorator(function: Callable[..., None]) -> None:
    with pytest.raises(UserError, match=r'takes no RunContext.*@agent\.tool_plain'):
        Agent('test').tool(function)
    Agent('test').tool_plain(function)


@pytest.mark.parametrize('function', HAVE_CONTEXT)
def test_a_plain_tool_with_a_context_is_refused_with_the_right_decorator(function: Callable[..., None]) -> None:
    with pytest.raises(UserError, match=r'takes a RunContext as its first parameter.*@agent\.tool '):
        Agent('test').tool_plain(function)


# ------------------------------------------------------------------------------------ names in schemas, and defaults


def make_city(field: Any) -> type[BaseModel]:
    """Return another class of the name `City`."""
    return type('City', (BaseModel,), {'__annotations__': {'field': field}})


def test_definitions_have_short_names() -> None:
    first, second = make_city(int), make_city(City)

    def f(a: Any, b: Any, c: list[Annotated[Cat | Dog, Field(discriminator='kind')]]) -> None: ...

    f.__annotations__ |= {'a': first, 'b': second}
    schema = schema_of(f)
    assert sorted(schema['$defs']) == ['Cat', 'City', 'City2', 'City3', 'Dog']
    assert schema['properties']['c']['items']['discriminator']['mapping'] == {
        'cat': '#/$defs/Cat',
        'dog': '#/$defs/Dog',
    }
    assert [*schema['$defs'][schema['properties']['a']['$ref'].rpartition('/')[2]]['properties']] == ['field']


class Cat(BaseModel):
    kind: Literal['cat']


class Dog(BaseModel):
    kind: Literal['dog']


class Defaults(BaseModel):
    a: Any = object
    b: float = float('inf')
    c: Any = b'\xff'


def test_a_default_that_is_not_json_is_not_sent() -> None:
    def f(a: Any = object(), b: float = float('inf'), c: Any = b'\xff', d: Any = [float('nan')]) -> None: ...  # noqa: B006, B008

    assert [*schema_of(f)['properties'].values()] == [{}, {'type': 'number'}, {}, {}]

    def g(defaults: Defaults, b: int) -> None: ...

    assert [*schema_of(g)['$defs']['Defaults']['properties'].values()] == [{}, {'type': 'number'}, {}]


# --------------------------------------------------------------------------------------------- a single object


class Order(BaseModel):
    item: str = 'nothing'
    count: int = Field(0, alias='number')


class Wish(TypedDict, total=False):
    item: str


@dataclass
class Gift:
    item: str = 'nothing'


@pytest.mark.parametrize('type_', [Order, Wish, Gift])
async def test_a_single_object_may_be_wrapped_in_the_name_of_its_parameter(type_: Any) -> None:
    def place(order: Any) -> Any:
        return order.get('item', 'nothing') if isinstance(order, dict) else order.item

    place.__annotations__['order'] = type_
    assert await run(place, '{"order": {"item": "tea"}}') == 'tea'
    assert await run(place, '{"item": "tea"}') == 'tea'
    assert await run(place, '{}') == 'nothing'


@pytest.mark.parametrize('type_', [Order, Wish, Gift])
@pytest.mark.parametrize('arguments', ['{"input": {"item": "tea"}}', '{"order": "tea"}', '{"order": {"thing": "tea"}}'])
async def test_arguments_that_are_all_unknown_are_refused(type_: Any, arguments: str) -> None:
    def place(order: Any) -> None: ...

    place.__annotations__['order'] = type_
    with pytest.raises(ModelRetry, match=r'None of the arguments .* exists\. The arguments are .item'):
        await run(place, arguments)


class Nested(BaseModel):
    order: dict[str, int] = {}


async def test_a_field_of_the_name_of_the_parameter_is_no_wrapper() -> None:
    def place(order: Nested) -> Any:
        return order.order

    assert await run(place, '{"order": {"order": 3}}') == {'order': 3}


async def test_an_array_or_an_object_written_as_text_is_understood() -> None:
    def place(orders: list[Order], note: str, numbers: dict[str, int] | None = None) -> Any:
        return [order.item for order in orders], note, numbers

    written = {'orders': '[{"item": "tea"}]', 'note': '[1]', 'numbers': ' {"a": 1}'}
    assert await run(place, json.dumps(written)) == (['tea'], '[1]', {'a': 1})


async def test_the_error_of_a_text_that_is_no_valid_array_is_about_the_text() -> None:
    def place(numbers: list[int]) -> None: ...

    for text in ('[1, "many"]', '[1', 'many'):
        with pytest.raises(ValidationError) as failed:
            await run(place, json.dumps({'numbers': text}))
        (error,) = failed.value.errors()
        assert (error['type'], error['loc'], error['input']) == ('list_type', ('numbers',), text)


class Open(BaseModel, extra='allow'):
    a: int = 0


async def test_an_object_that_takes_any_key_keeps_them() -> None:
    def place(order: Open) -> Any:
        return order.model_extra

    assert await run(place, '{"b": 1}') == {'b': 1}
