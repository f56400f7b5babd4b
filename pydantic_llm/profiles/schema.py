"""Rewrites JSON schemas for a vendor, and reports the keywords that are lost.

A profile module subclasses `SchemaRewriter` and overrides `rewrite`, which changes one node. The base class walks the
schema, caches results and collects the losses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, cast

from pydantic_core import from_json, to_json

from ..json_types import Json

__all__ = ('INLINED', 'Node', 'SchemaRewriter', 'SchemaTransformer', 'TransformedSchema', 'inline_transformer')

Node = Json
"""A node of a JSON schema."""

_NAMED_CHILDREN = ('properties', '$defs', 'definitions', 'patternProperties', 'dependentSchemas')
_SINGLE_CHILDREN = ('items', 'additionalProperties', 'not', 'if', 'then', 'else', 'contains', 'propertyNames')
_LISTED_CHILDREN = ('anyOf', 'oneOf', 'allOf', 'prefixItems')


@dataclass(frozen=True, slots=True)
class TransformedSchema:
    """A schema as the vendor accepts it."""

    json_schema: Node
    """The schema. It is shared between requests and must not be changed."""
    strict: bool
    """True if the vendor can enforce the schema; the value that was requested, if one was."""
    losses: tuple[str, ...] = ()
    """The lost constraints, such as `'maxLength of $.name'`."""


SchemaTransformer = Callable[[Node, bool | None], TransformedSchema]
"""A function of a schema and of the requested strictness (`None`: strict if possible)."""


class SchemaRewriter:
    """Rewrites a copy of a schema, children before parents. One instance rewrites one schema."""

    drop: ClassVar[frozenset[str]] = frozenset({'$schema'})
    """The keywords that are dropped without a report."""

    def __init__(self, strict: bool | None) -> None:
        self.strict = strict
        self.compatible = True
        """True while every node seen so far can be enforced."""
        self.losses: list[str] = []

    def rewrite(self, node: Node, path: str) -> Node:
        """Return the rewritten node, which may be changed in place. Its children are rewritten already."""
        return node

    def lose(self, path: str, keyword: str) -> None:
        """Report that a keyword can no longer be enforced."""
        self.losses.append(f'{keyword} of {path}')

    @staticmethod
    def describe(description: str | None, keywords: Node) -> Node:
        """Return a `description` that has the keywords too, for the model to read, or no field if there is no text."""
        note = '{' + ', '.join(f'{key}: {value}' for key, value in keywords.items()) + '}' if keywords else None
        texts = [text for text in (description, note) if text]
        return {'description': '\n\n'.join(texts)} if texts else {}

    def run(self, schema: Node) -> TransformedSchema:
        """Rewrite a whole schema."""
        rewritten = self._walk(schema, '$')
        strict = self.compatible if self.strict is None else self.strict
        return TransformedSchema(rewritten, strict, tuple(self.losses))

    def _walk(self, schema: Node, path: str) -> Node:
        node = {key: value for key, value in schema.items() if key not in self.drop}
        for key, (name, child) in list(_children(node)):
            rewritten = self._walk(child, f'{path}.{name}')
            if key in _NAMED_CHILDREN:
                node[key] = {**node[key], name: rewritten}
            elif key in _LISTED_CHILDREN:
                node[key] = [*node[key][: int(name)], rewritten, *node[key][int(name) + 1 :]]
            else:
                node[key] = rewritten
        return self.rewrite(node, path)

    @classmethod
    def transformer(cls) -> SchemaTransformer:
        """Return the rewriter as a function that caches its results."""

        @lru_cache(maxsize=512)
        def rewrite_json(schema: bytes, strict: bool | None) -> TransformedSchema:
            return cls(strict).run(from_json(schema))

        return lambda schema, strict: rewrite_json(to_json(schema), strict)


def _children(node: Node) -> Iterator[tuple[str, tuple[str, Node]]]:
    for key in _NAMED_CHILDREN:
        if isinstance(named := node.get(key), dict):
            pairs = cast('dict[str, Any]', named).items()
            yield from ((key, (name, cast('Node', child))) for name, child in pairs if isinstance(child, dict))
    for key in _SINGLE_CHILDREN:
        if isinstance(child := node.get(key), dict):
            yield key, (key, cast('Node', child))
    for key in _LISTED_CHILDREN:
        if isinstance(listed := node.get(key), list):
            numbered = enumerate(cast('list[object]', listed))
            yield from (
                (key, (str(index), cast('Node', child))) for index, child in numbered if isinstance(child, dict)
            )


def inline_transformer(schema: Node, strict: bool | None) -> TransformedSchema:
    """Replace the references of a schema by their definitions, for servers that do not follow references.

    Recursive definitions stay, and the schema becomes one of them. Nothing is lost, so that the result is strict unless
    `strict` is False.
    """
    return _inline_cached(to_json(schema), strict)


INLINED: dict[str, SchemaTransformer] = {'json_schema_transformer': inline_transformer}
"""The fields of a profile for a server that does not follow references."""


@lru_cache(maxsize=512)
def _inline_cached(schema: bytes, strict: bool | None) -> TransformedSchema:
    root: Node = from_json(schema)
    definitions: dict[str, Node] = root.pop('$defs', {})
    recursive = {name for name in definitions if _refers_to(definitions[name], name, definitions, set())}
    inlined = _inline(root, definitions, recursive, inside=set())
    if recursive:
        kept = {name: _inline(definitions[name], definitions, recursive, inside={name}) for name in sorted(recursive)}
        inlined = {'$defs': {**kept, 'root': inlined}, '$ref': '#/$defs/root'}
    return TransformedSchema(inlined, strict is not False)


def _definition_name(node: object) -> str | None:
    reference = cast('Node', node).get('$ref') if isinstance(node, dict) else None
    prefix = '#/$defs/'
    return reference.removeprefix(prefix) if isinstance(reference, str) and reference.startswith(prefix) else None


def _refers_to(node: Any, name: str, definitions: dict[str, Node], seen: set[str]) -> bool:
    """Return whether a node refers to a definition, directly or through others."""
    match node:
        case dict():
            target = _definition_name(cast('Node', node))
            if target == name:
                return True
            if target in definitions and target not in seen:
                seen.add(target)
                if _refers_to(definitions[target], name, definitions, seen):
                    return True
            return any(_refers_to(child, name, definitions, seen) for child in cast('Node', node).values())
        case list():
            return any(_refers_to(child, name, definitions, seen) for child in cast('list[object]', node))
        case _:
            return False


def _inline(node: Any, definitions: dict[str, Node], recursive: set[str], *, inside: set[str]) -> Any:
    match node:
        case dict():
            target = _definition_name(cast('Node', node))
            if target is not None and target in definitions and target not in inside:
                siblings = {key: value for key, value in cast('Node', node).items() if key != '$ref'}
                within = {*inside, target} if target in recursive else inside
                return _inline({**definitions[target], **siblings}, definitions, recursive, inside=within)
            pairs = cast('Node', node).items()
            return {key: _inline(child, definitions, recursive, inside=inside) for key, child in pairs}
        case list():
            return [_inline(child, definitions, recursive, inside=inside) for child in cast('list[object]', node)]
        case _:
            return node
