"""JSON schemas made fit for a vendor, with a report of what was lost on the way.

A family subclasses `SchemaRewriter` with one method that changes one node; walking, caching and reporting are here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, cast

from pydantic_core import from_json, to_json

from ..json_types import Json

__all__ = ('SchemaRewriter', 'SchemaTransformer', 'TransformedSchema', 'inline_transformer')

Node = Json
"""A node of a JSON schema."""

_NAMED_CHILDREN = ('properties', '$defs', 'definitions', 'patternProperties', 'dependentSchemas')
_SINGLE_CHILDREN = ('items', 'additionalProperties', 'not', 'if', 'then', 'else', 'contains', 'propertyNames')
_LISTED_CHILDREN = ('anyOf', 'oneOf', 'allOf', 'prefixItems')


@dataclass(frozen=True, slots=True)
class TransformedSchema:
    """A schema as a vendor takes it."""

    json_schema: Node
    """The schema. It is shared between requests and never changed."""
    strict: bool
    """Whether the vendor can hold the model to it; for an explicit wish, the wish."""
    losses: tuple[str, ...] = ()
    """What it no longer says, a phrase each, with the path of the node."""


SchemaTransformer = Callable[[Node, bool | None], TransformedSchema]
"""Takes a schema and whether it shall be strict (`None`: if it can be)."""


class SchemaRewriter:
    """Rewrites a copy of a schema, children before parents. One instance rewrites one schema."""

    drop: ClassVar[frozenset[str]] = frozenset({'$schema'})
    """Keywords that say nothing to the vendor."""

    def __init__(self, strict: bool | None) -> None:
        self.strict = strict
        self.compatible = True
        """Whether what was seen so far can be held to strictly."""
        self.losses: list[str] = []

    def rewrite(self, node: Node, path: str) -> Node:
        """Change one node in place, or return another. Its children are done already."""
        return node

    def lose(self, path: str, keyword: str) -> None:
        """Report that a keyword can no longer be enforced."""
        self.losses.append(f'{keyword} of {path}')

    def run(self, schema: Node) -> TransformedSchema:
        """Rewrite a schema."""
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
        """The rewriter as a function. The same schema is rewritten once, however often it is sent."""

        @lru_cache(maxsize=512)
        def cached(schema: bytes, strict: bool | None) -> TransformedSchema:
            return cls(strict).run(from_json(schema))

        return lambda schema, strict: cached(to_json(schema), strict)


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
    """A schema whose references are replaced by what they refer to, for servers that do not follow them.

    Definitions that refer to themselves stay, and the schema becomes one of them. Nothing else changes, so that it is
    strict unless that is not wanted.
    """
    return _inlined(to_json(schema), strict)


@lru_cache(maxsize=512)
def _inlined(schema: bytes, strict: bool | None) -> TransformedSchema:
    root: Node = from_json(schema)
    definitions: dict[str, Node] = root.pop('$defs', {})
    recursive = {name for name in definitions if _refers_to(definitions[name], name, definitions, set())}
    inlined = _inline(root, definitions, recursive, inside=set())
    if recursive:
        kept = {name: _inline(definitions[name], definitions, recursive, inside={name}) for name in sorted(recursive)}
        inlined = {'$defs': {**kept, 'root': inlined}, '$ref': '#/$defs/root'}
    return TransformedSchema(inlined, strict is not False)


def _name_of(node: object) -> str | None:
    reference = cast('Node', node).get('$ref') if isinstance(node, dict) else None
    prefix = '#/$defs/'
    return reference.removeprefix(prefix) if isinstance(reference, str) and reference.startswith(prefix) else None


def _refers_to(node: Any, name: str, definitions: dict[str, Node], seen: set[str]) -> bool:
    """Whether a node leads to a definition, through any number of others."""
    match node:
        case dict():
            target = _name_of(cast('Node', node))
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
            target = _name_of(cast('Node', node))
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
