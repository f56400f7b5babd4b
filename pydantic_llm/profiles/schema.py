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

from ..json_schemas import is_local_reference, map_children
from ..json_types import Json

__all__ = (
    'INLINED',
    'Node',
    'SchemaRewriter',
    'SchemaTransformer',
    'TransformedSchema',
    'collect_definitions',
    'inline_transformer',
    'refers_to',
)

Node = Json
"""A node of a JSON schema."""


@dataclass(frozen=True, slots=True)
class TransformedSchema:
    """A schema as the vendor accepts it."""

    json_schema: Node
    """The schema. It is shared between requests and must not be changed."""
    strict: bool
    """True if the vendor can enforce the schema. False despite a request if there are obstacles."""
    losses: tuple[str, ...] = ()
    """The lost constraints, such as `'maxLength of $.name'`."""
    obstacles: tuple[str, ...] = ()
    """The reasons why a schema cannot be enforced as requested, such as `'$.prices is an object whose keys are not
    known'`."""


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
        self.obstacles: list[str] = []
        """The reasons why the schema cannot be enforced, although that is requested."""

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
        if self.strict and self.obstacles:
            return self.give_up(schema)
        strict = self.compatible if self.strict is None else self.strict
        return TransformedSchema(rewritten, strict, tuple(self.losses))

    def relax(self, schema: Node) -> Node:
        """Return the schema as it is sent if it is not enforced."""
        return type(self)(strict=False)._walk(schema, '$')

    def give_up(self, schema: Node) -> TransformedSchema:
        """Return a schema that is not enforced, with the obstacles."""
        return TransformedSchema(self.relax(schema), strict=False, obstacles=tuple(dict.fromkeys(self.obstacles)))

    def _walk(self, schema: Node, path: str) -> Node:
        node = {key: value for key, value in schema.items() if key not in self.drop}
        return self.rewrite(map_children(node, lambda name, child: self._walk(child, f'{path}.{name}')), path)

    @classmethod
    def transformer(cls) -> SchemaTransformer:
        """Return the rewriter as a function that caches its results."""

        @lru_cache(maxsize=512)
        def rewrite_json(schema: bytes, strict: bool | None) -> TransformedSchema:
            return cls(strict).run(from_json(schema))

        return lambda schema, strict: rewrite_json(to_json(schema), strict)


# ---------------------------------------------------------------------- schemas without references

MAX_NODES = 10_000
"""The maximum number of JSON values in an inlined schema. Each level of definitions can double it."""


def inline_transformer(schema: Node, strict: bool | None) -> TransformedSchema:
    """Replace the references of a schema by their definitions, for servers that do not follow references.

    Recursive definitions stay references. Nothing is lost, so that the result is strict unless
    `strict` is False. A schema that would become too large keeps its references.
    """
    return _inline_cached(to_json(schema), strict)


INLINED: dict[str, SchemaTransformer] = {'json_schema_transformer': inline_transformer}
"""The fields of a profile for a server that does not follow references."""


@lru_cache(maxsize=512)
def _inline_cached(schema: bytes, strict: bool | None) -> TransformedSchema:
    root: Node = from_json(schema)
    definitions = collect_definitions(root)
    recursive = find_recursive(definitions)
    body = {key: value for key, value in root.items() if key not in ('$defs', 'definitions')}
    size = _measure(body, definitions, recursive, {})
    if size > MAX_NODES:
        problem = f'without references it would have {size} values, and {MAX_NODES} are the maximum'
        return TransformedSchema(root, strict=False, obstacles=(problem,))
    inlined = _inline(body, definitions, recursive)
    if recursive:
        inlined = _keep_recursive(inlined, definitions, recursive)
    return TransformedSchema(inlined, strict is not False)


def _keep_recursive(body: Node, definitions: dict[str, Node], recursive: set[str]) -> Node:
    """Return a schema with the definitions that refer to themselves, which stay references everywhere."""
    kept: Node = {}
    for reference in sorted(recursive):
        container, name = reference.split('/')[1:]
        kept.setdefault(container, {})[name] = _inline(definitions[reference], definitions, recursive)
    return {**body, **kept}


def collect_definitions(root: Node) -> dict[str, Node]:
    """Return the definitions by their references, under both of the keywords for them."""
    found: dict[str, Node] = {}
    for container in ('$defs', 'definitions'):
        named: Node = root.get(container, {})
        found |= {f'#/{container}/{name}': node for name, node in named.items() if isinstance(node, dict)}
    return found


def _find_target(node: object, definitions: dict[str, Node]) -> str | None:
    reference = cast('Node', node).get('$ref') if isinstance(node, dict) else None
    return reference if is_local_reference(reference) and reference in definitions else None


def find_recursive(definitions: dict[str, Node]) -> set[str]:
    """Return the references of the definitions that refer to themselves, directly or through others.

    Each definition is read once: this is Tarjan's algorithm, without recursion, for the cycles of a graph.
    """
    targets = {name: list(dict.fromkeys(_find_targets(node, definitions))) for name, node in definitions.items()}
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}  # the earliest definition that each one leads back to
    path: dict[str, None] = {}
    recursive = {name for name, found in targets.items() if name in found}
    for start in definitions:
        waiting = [(start, iter(targets[start]))] if start not in order else []
        while waiting:
            name, following = waiting[-1]
            if name not in order:
                order[name] = lowest[name] = len(order)
                path[name] = None
            for target in following:
                if target not in order:
                    waiting.append((target, iter(targets[target])))
                    break
                if target in path:
                    lowest[name] = min(lowest[name], order[target])
            else:
                waiting.pop()
                if waiting:
                    lowest[waiting[-1][0]] = min(lowest[waiting[-1][0]], lowest[name])
                if lowest[name] == order[name]:
                    cycle = _pop_until(path, name)
                    recursive |= set(cycle) if len(cycle) > 1 else set()
    return recursive


def _pop_until(path: dict[str, None], name: str) -> list[str]:
    popped: list[str] = []
    while not popped or popped[-1] != name:
        popped.append(path.popitem()[0])
    return popped


def _find_targets(start: Any, definitions: dict[str, Node]) -> Iterator[str]:
    """Yield the definitions that a node refers to directly."""
    waiting: list[Any] = [start]
    while waiting:
        value = waiting.pop()
        if target := _find_target(value, definitions):
            yield target
        if isinstance(value, (list, dict)):
            waiting += value.values() if isinstance(value, dict) else cast('list[object]', value)


def refers_to(start: Any, wanted: str, definitions: dict[str, Node]) -> bool:
    """Return whether a node refers to a definition, directly or through others."""
    seen: set[str] = set()
    waiting: list[Any] = [start]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += cast('list[Any]', value)  # type: ignore[redundant-cast]  # pyright needs it
        if not isinstance(value, dict):
            continue
        node = cast('Node', value)
        target = _find_target(node, definitions)
        if target == wanted:
            return True
        if target is not None and target not in seen:
            seen.add(target)
            waiting.append(definitions[target])
        waiting += node.values()
    return False


def _measure(node: Any, definitions: dict[str, Node], recursive: set[str], known: dict[str, int]) -> int:
    """Return the number of values in a node whose references are inlined, without inlining them."""
    match node:
        case dict():
            target = _find_target(cast('Node', node), definitions)
            size = 1 + sum(_measure(child, definitions, recursive, known) for child in cast('Node', node).values())
            if target is None or target in recursive:
                return size
            if target not in known:
                known[target] = _measure(definitions[target], definitions, recursive, known)
            return size + known[target]
        case list():
            return 1 + sum(_measure(child, definitions, recursive, known) for child in cast('list[object]', node))
        case _:
            return 1


def _inline(node: Any, definitions: dict[str, Node], recursive: set[str]) -> Any:
    match node:
        case dict():
            target = _find_target(cast('Node', node), definitions)
            if target is not None and target not in recursive:
                siblings = {key: value for key, value in cast('Node', node).items() if key != '$ref'}
                return _inline({**definitions[target], **siblings}, definitions, recursive)
            return {key: _inline(child, definitions, recursive) for key, child in cast('Node', node).items()}
        case list():
            return [_inline(child, definitions, recursive) for child in cast('list[object]', node)]
        case _:
            return node
