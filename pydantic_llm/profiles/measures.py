"""The recursion and the size of JSON schemas, with definitions counted where they are referred to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..json_schemas import is_local_reference, iter_children, resolve_reference
from .schema import Node

__all__ = ('NO_LIMITS', 'Limits', 'find_excess', 'find_recursion')


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The maximum size of a schema that a vendor enforces; `None` if there is no limit."""

    depth: int | None = None
    """Nested objects."""
    properties: int | None = None
    """Properties of all objects together."""
    enum_values: int | None = None
    """Values of all enums together."""
    long_enum: tuple[int, int] | None = None
    """A number of values, and the maximum number of characters in the values of an enum that has more of them."""
    text: int | None = None
    """Characters of all names of properties and definitions, and of all values of enums and constants."""
    optional: int | None = None
    """Optional properties of all objects together."""
    unions: int | None = None
    """Unions, and lists of types."""


NO_LIMITS = Limits()
"""The limits of a vendor that documents none."""


@dataclass
class _Size:
    """The size of a schema. Each definition is counted once."""

    properties: int = 0
    enums: list[list[Any]] = field(default_factory=list[list[Any]])
    text: int = 0
    optional: int = 0
    unions: int = 0


def find_excess(schema: Node, limits: Limits) -> Iterator[str]:
    """Yield a sentence for each limit that a schema exceeds."""
    if limits == NO_LIMITS:
        return
    size = _Size()
    _add_size(schema, size)
    values = sum(len(enum) for enum in size.enums)
    measured = (
        ('levels of objects', _measure_depth(schema, schema, {}, ()), limits.depth),
        ('properties', size.properties, limits.properties),
        ('values of enums', values, limits.enum_values),
        ('characters in names and values', size.text, limits.text),
        ('optional properties', size.optional, limits.optional),
        ('unions', size.unions, limits.unions),
    )
    for what, measure, limit in measured:
        if limit is not None and measure > limit:
            yield f'it has {measure} {what}, and {limit} are the maximum'
    if limits.long_enum is not None:
        count, characters = limits.long_enum
        for enum in size.enums:
            length = sum(len(value) for value in enum if isinstance(value, str))
            if len(enum) > count and length > characters:
                yield f'an enum has {length} characters, and {characters} are the maximum for more than {count} values'


def _add_size(node: Node, size: _Size) -> None:
    properties: Node = node.get('properties') or {}
    required: set[str] = set(node.get('required') or ())
    size.properties += len(properties)
    size.optional += sum(name not in required for name in properties)
    size.text += sum(len(name) for key in ('properties', '$defs', 'definitions') for name in node.get(key) or ())
    values: list[Any] = node.get('enum') or ([node['const']] if 'const' in node else [])
    size.text += sum(len(value) for value in values if isinstance(value, str))
    size.unions += 'anyOf' in node or isinstance(node.get('type'), list)
    if 'enum' in node:
        size.enums.append(values)
    for _, _, child in iter_children(node):
        _add_size(child, size)


def _measure_depth(node: Node, root: Node, known: dict[str, int], inside: tuple[str, ...]) -> int:
    """Return the number of nested objects. A definition inside itself counts as nothing."""
    reference = node.get('$ref')
    deepest = 0
    if is_local_reference(reference) and reference not in inside and reference != '#':
        target = resolve_reference(root, reference)
        if reference not in known and target is not None:
            known[reference] = _measure_depth(target, root, known, (*inside, reference))
        deepest = known.get(reference, 0)
    for key, _, child in iter_children(node):
        if key not in ('$defs', 'definitions'):
            deepest = max(deepest, _measure_depth(child, root, known, inside))
    return deepest + ('properties' in node)


def find_recursion(schema: Node) -> str | None:
    """Return the name of a definition that contains itself, if there is one."""
    done: set[str] = set()

    def follow(node: Node, inside: tuple[str, ...]) -> str | None:
        reference = node.get('$ref')
        if is_local_reference(reference):
            if reference in inside or reference == '#':
                return reference.rpartition('/')[2] or '$'
            if reference not in done and (target := resolve_reference(schema, reference)) is not None:
                done.add(reference)
                if found := follow(target, (*inside, reference)):
                    return found
        for key, _, child in iter_children(node):
            if key not in ('$defs', 'definitions') and (found := follow(child, inside)):
                return found
        return None

    return follow(schema, ())
