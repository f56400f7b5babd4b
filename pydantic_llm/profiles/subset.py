"""Schemas that a vendor enforces: the subset of JSON schema that it documents, and the rewriting of a schema to it.

`Subset` is a vendor's documentation as data. `SubsetSchema` rewrites a schema to it and records what that loses.
`measures` finds recursion and what exceeds a vendor's limits. A schema is strict without a request for that only if
nothing is lost; with a request it is strict unless there is an obstacle: a part that would become useless.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from json import dumps
from typing import Any, ClassVar, cast

from .measures import NO_LIMITS, Limits, find_excess, find_recursion
from .schema import Node, SchemaRewriter, TransformedSchema

__all__ = ('ANNOTATIONS', 'IGNORED', 'Subset', 'SubsetSchema', 'is_exclusive', 'is_scalar', 'simplify')

IGNORED = frozenset(
    {
        'title',
        '$schema',
        '$id',
        '$anchor',
        '$comment',
        'discriminator',
        'deprecated',
        'readOnly',
        'writeOnly',
        'nullable',
    }
)
"""Keywords that do not constrain the value, and that a model does not need."""

ANNOTATIONS = frozenset({'default', 'examples', 'example'})
"""Keywords that do not constrain the value, and that a model should read."""

SHAPES = ('type', '$ref', 'anyOf', 'allOf', 'enum', 'const', 'properties')
"""The keywords that say what a value is. A node without all of them allows any value."""

TYPES = frozenset({'object', 'array', 'string', 'integer', 'number', 'boolean', 'null'})

TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (bool, 'boolean'),
    (int, 'integer'),
    (float, 'number'),
    (str, 'string'),
    (type(None), 'null'),
)
"""The types of scalar values; the first match is used."""


DEFINITION = re.compile(r'#(/(\$defs|definitions)/[^/]+)?')
"""The references that vendors follow: to the root, and to a definition."""


@dataclass(frozen=True, kw_only=True)
class Subset:
    """The JSON schemas that a vendor enforces."""

    keywords: frozenset[str]
    """The constraints that are enforced, apart from types, properties, items, unions and references."""
    formats: frozenset[str]
    """The enforced values of `format`."""
    min_items: frozenset[int] | None = None
    """The enforced values of `minItems`, if not all are."""
    optional: bool = False
    """True if properties may be optional. If not, all become required."""
    recursion: bool = True
    """True if a definition may refer to itself."""
    inferred: bool = True
    """True if a schema in the subset is strict without a request for that."""
    empty_objects: bool = True
    """True if an object below the root may have no properties."""
    limits: Limits = NO_LIMITS


class SubsetSchema(SchemaRewriter):
    """Rewrites a schema to the subset that a vendor enforces. Parents are rewritten before children."""

    subset: ClassVar[Subset]

    def run(self, schema: Node) -> TransformedSchema:
        """Rewrite a schema, whose root must be an object."""
        if self.strict is False or (self.strict is None and not self.subset.inferred):
            return TransformedSchema(self.relax(schema), strict=False)
        enforced = self.enforce(schema, '$')
        self._find_obstacles(schema, enforced)
        if self.strict is None and (self.losses or self.obstacles):
            return TransformedSchema(self.relax(schema), strict=False)
        if self.obstacles:
            return self.give_up(schema)
        return TransformedSchema(enforced, strict=True, losses=tuple(self.losses))

    def relax(self, schema: Node) -> Node:
        """Return the schema as it is sent if it is not enforced."""
        return self._walk(schema, '$')

    def _find_obstacles(self, schema: Node, enforced: Node) -> None:
        if not self.subset.recursion and (name := find_recursion(schema)):
            self.obstacles.append(f'{name!r} contains itself')
        if enforced.get('type') != 'object':
            self.obstacles.append('$ is not an object, but a union of several')
        self.obstacles.extend(find_excess(enforced, self.subset.limits))

    # ---------------------------------------------------------------------- nodes

    def enforce(self, schema: object, path: str) -> Node:
        """Return a node in the subset, and record its losses and obstacles."""
        node = simplify(schema)
        order = list(node)
        definitions = self._enforce_definitions(node, path)
        description = node.pop('description', None)
        if not any(key in node for key in SHAPES):
            self.obstacles.append(f'{path} may be any value')
        kept = self.enforce_shape(node, path)
        enforced = self.annotate(kept, self.describe(description, self.collect_losses(node, path))) | definitions
        return {key: enforced[key] for key in order if key in enforced} | enforced

    def annotate(self, kept: Node, notes: Node) -> Node:
        """Return a node with its description. A reference stands alone."""
        return kept if '$ref' in kept else kept | notes

    def _enforce_definitions(self, node: Node, path: str) -> Node:
        kept: Node = {}
        for key in ('$defs', 'definitions'):
            if named := node.pop(key, None):
                kept[key] = {name: self.enforce(child, f'{path}.{name}') for name, child in named.items()}
        return kept

    def enforce_shape(self, node: Node, path: str) -> Node:
        """Remove and return the keywords that say what a value is, with their enforced children."""
        if '$ref' in node:
            return self.enforce_reference(node, path)
        if 'anyOf' in node and not _only_constrains(node):
            node.pop('type', None)
            return {'anyOf': self._enforce_all(node.pop('anyOf'), path)}
        if 'allOf' in node and 'type' not in node:
            return {'allOf': self.enforce_all_of(node.pop('allOf'), path)}
        kind = node.pop('type', 'object' if 'properties' in node else None)
        kinds = cast('list[str]', kind) if isinstance(kind, list) else [kind] if kind else []
        if unknown := [name for name in kinds if name not in TYPES]:
            self.obstacles.append(f'{path} has the type {unknown[0]!r}')
        kept: Node = {} if kind is None else {'type': kind}
        if 'object' in kinds:
            kept |= self._enforce_object(node, path)
        if 'array' in kinds:
            kept |= self._enforce_array(node, path)
        return kept | self._take_keywords(node)

    def enforce_reference(self, node: Node, path: str) -> Node:
        """Remove and return a reference. No vendor allows other keywords next to it."""
        reference = node.pop('$ref')
        if not DEFINITION.fullmatch(reference):
            self.obstacles.append(f'{path} refers to {reference!r}')
        return {'$ref': reference}

    def enforce_all_of(self, schemas: list[Any], path: str) -> list[Node]:
        """Return the members of an intersection, which most vendors cannot enforce."""
        self.obstacles.append(f'{path} is an intersection (allOf)')
        return self._enforce_all(schemas, path)

    def _enforce_all(self, schemas: list[Any], path: str) -> list[Node]:
        return [self.enforce(child, f'{path}.{index}') for index, child in enumerate(schemas)]

    def _enforce_object(self, node: Node, path: str) -> Node:
        is_open = _has_unknown_keys(node, path)
        properties: Node = node.pop('properties', {})
        more = node.pop('additionalProperties', None)
        if is_open:
            self.obstacles.append(f'{path} is an object whose keys are not known')
        elif not properties and not self.subset.empty_objects and path != '$':
            self.obstacles.append(f'{path} is an object without properties')
        elif more not in (None, False) or (more is None and not properties):
            self.lose(path, 'additionalProperties')
        elif self.strict is None and not properties and 'required' not in node:
            self.lose(path, 'required')  # a tool without parameters gains nothing from being strict
        enforced = {name: self.enforce(child, f'{path}.{name}') for name, child in properties.items()}
        names: list[str] = node.pop('required', [])
        if any(name not in properties for name in names):
            self.lose(path, 'required')
        required = self.require(properties, [name for name in names if name in properties], path)
        return {'properties': enforced, 'additionalProperties': False, 'required': required}

    def require(self, properties: Node, required: list[str], path: str) -> list[str]:
        """Return the required properties: all, unless the vendor allows optional ones."""
        if self.subset.optional:
            return required
        known = set(required)
        if any(name not in known and 'default' not in _as_node(child) for name, child in properties.items()):
            self.lose(path, 'required')
        return list(properties)

    def _enforce_array(self, node: Node, path: str) -> Node:
        if (positions := node.pop('prefixItems', None)) is not None:
            items = self._join_positions(node, cast('list[Any]', positions), path)
        else:
            items = node.pop('items', {})
        return {'items': self.enforce(items, f'{path}.items')}

    def _join_positions(self, node: Node, positions: list[Any], path: str) -> Node:
        """Return the schema of the items of a tuple, which no vendor enforces position by position."""
        distinct = [*{dumps(item, sort_keys=True): item for item in positions}.values()]
        rest = node.pop('items', True)
        has_fixed_length = node.get('minItems') == node.get('maxItems') == len(positions)
        if len(distinct) != 1 or not (has_fixed_length or rest == distinct[0]):
            self.lose(path, 'prefixItems')
        return distinct[0] if len(distinct) == 1 else {'anyOf': distinct}

    def _take_keywords(self, node: Node) -> Node:
        """Remove and return the constraints that the vendor enforces."""
        return {key: node.pop(key) for key in list(node) if self.is_enforced(key, node[key])}

    def is_enforced(self, keyword: str, value: Any) -> bool:
        """Return whether the vendor enforces a constraint."""
        match keyword:
            case 'format':
                return value in self.subset.formats
            case 'minItems' if self.subset.min_items is not None:
                return value in self.subset.min_items
            case 'enum':
                return keyword in self.subset.keywords and bool(value) and all(map(is_scalar, value))
            case 'const':
                return keyword in self.subset.keywords and is_scalar(value)
            case _:
                return keyword in self.subset.keywords

    # ---------------------------------------------------------------------- losses

    def collect_losses(self, node: Node, path: str) -> Node:
        """Report the constraints that are left in a node. Return them with the annotations, for the model to read."""
        for key in node:
            if key not in ANNOTATIONS and not key.startswith('x-'):
                self.lose(path, key)
        return {key: value for key, value in node.items() if not key.startswith('x-')}


def _has_unknown_keys(node: Node, path: str) -> bool:
    """Return whether an object has keys, but none that the schema names. Closed, it could only be empty."""
    if node.get('properties') or node.get('additionalProperties') is False:
        return False
    is_open = node.get('additionalProperties') is not None or 'patternProperties' in node
    return is_open or (path != '$' and 'properties' not in node)


def is_scalar(value: object) -> bool:
    """Return whether a value is a text, a number, a boolean or null."""
    return value is None or isinstance(value, (str, int, float, bool))


def _only_constrains(node: Node) -> bool:
    """Return whether the members of a union only add constraints to a node that has a type of its own."""
    members: list[Any] = node['anyOf']
    return 'properties' in node or ('type' in node and not all(_has_shape(member) for member in members))


def _has_shape(member: object) -> bool:
    return isinstance(member, dict) and any(key in member for key in SHAPES if key != 'properties')


def simplify(schema: object) -> Node:
    """Return a copy of a node in fewer keywords, with the same meaning."""
    if not isinstance(schema, Mapping):
        return {} if schema is True else {'not': {}}
    node: Node = {key: value for key, value in cast('Node', schema).items() if key not in IGNORED}
    members: list[Any] = node.get('allOf', [])
    if len(members) == 1 and isinstance(members[0], dict) and not node.keys() & members[0].keys():
        del node['allOf']
        node = {**members[0], **node}
    if (
        'oneOf' in node
        and 'anyOf' not in node
        and ('discriminator' in cast('Node', schema) or is_exclusive(node['oneOf']))
    ):
        node['anyOf'] = node.pop('oneOf')
    if 'type' not in node and (values := node.get('enum') or ([node['const']] if 'const' in node else None)):
        node |= _name_types(values)
    return node


def _as_node(schema: Any) -> Node:
    return cast('Node', schema) if isinstance(schema, dict) else {}


def is_exclusive(members: list[Any]) -> bool:
    """Return whether no value can be valid under two members of a `oneOf`, which is then the same as `anyOf`."""
    types = [_as_node(member).get('type') for member in members]
    values = [_as_node(member).get('const') for member in members]
    are_distinct = len({str(kind) for kind in types}) == len(types) and not {'integer', 'number'} <= {*map(str, types)}
    return (
        len(members) < 2
        or (all(isinstance(kind, str) for kind in types) and are_distinct)
        or (None not in values and len({repr(value) for value in values}) == len(values))
    )


def _name_types(values: list[Any]) -> Node:
    """Return the keyword `type` for a list of scalar values; nothing if there are others."""
    names = [next((name for kind, name in TYPE_NAMES if isinstance(value, kind)), None) for value in values]
    distinct = list(dict.fromkeys(names))
    if None in distinct:
        return {}
    return {'type': distinct[0] if len(distinct) == 1 else distinct}
