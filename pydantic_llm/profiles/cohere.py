"""What Cohere's models can do, and the schemas that they can be held to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from . import ModelProfile
from .schema import Node, SchemaRewriter, TransformedSchema

__all__ = ('CohereModelProfile', 'CohereSchema', 'cohere_model_profile')


@dataclass(frozen=True, kw_only=True)
class CohereModelProfile(ModelProfile):
    """What a model behind Cohere's Chat API can do. The defaults fit a model that is not known."""

    supports_json_schema_output: bool = True
    """Whether its answer can be held to a JSON schema."""

    supports_json_object_output: bool = True
    """Whether its answer can be held to being a JSON object."""

    cohere_tool_choice: bool = True
    """Whether it can be made to call a tool, or to call none. Where it cannot, a needed output tool is left to its own
    choice."""


_THINKS = {'supports_thinking': True}
_NO_TOOLS = {'supports_tools': False}
_OLD = {'supports_tools': False, 'supports_json_schema_output': False, 'supports_json_object_output': False}

FAMILIES: tuple[tuple[str, dict[str, Any]], ...] = (
    (r'command(-light)?(-nightly)?$', _OLD),
    (r'command-r(-plus)?(?![a-z0-9])', {'cohere_tool_choice': False}),
    (r'command-r7b|command-a-(\d|translate)', {}),
    (r'command-a-vision', _NO_TOOLS),
    (r'command-', _THINKS),
    (r'', {}),
)
"""What families can do, by the beginning of their name; the first that fits. A Command model that is not known is taken
for a newer one."""


def cohere_model_profile(model_name: str) -> CohereModelProfile:
    """What one of Cohere's models can do."""
    name = model_name.lower().rpartition('/')[2].removeprefix('cohere.')
    facts = next(facts for pattern, facts in FAMILIES if re.match(pattern, name))
    return CohereModelProfile(json_schema_transformer=_transformer, **facts)


# ---------------------------------------------------------------------- schemas


FORMATS = frozenset({'date-time', 'uuid', 'date', 'time'})
"""The string formats that a model can be held to."""

NOT_ENFORCED = frozenset(
    {
        'allOf',
        'not',
        'minimum',
        'maximum',
        'exclusiveMinimum',
        'exclusiveMaximum',
        'multipleOf',
        'minItems',
        'maxItems',
        'uniqueItems',
        'prefixItems',
        'contains',
        'minLength',
        'maxLength',
        'minProperties',
        'maxProperties',
        'patternProperties',
        'propertyNames',
    }
)
"""The keywords that a model cannot be held to."""

NO_REGEX = re.compile(r'(?<![\\\[])[\^$]|\(\?<?[=!]')
"""What a pattern may not hold: anchors in its middle, and looks around."""


class CohereSchema(SchemaRewriter):
    """Schemas for Cohere: what a strict schema cannot say moves into the description, where the model reads it.

    https://docs.cohere.com/docs/structured-outputs. A schema is strict only where that is asked for: the API holds all
    tools of a request to their schemas, or none.
    """

    def run(self, schema: Node) -> TransformedSchema:
        """Rewrite a schema, which is strict only with an object at its top."""
        return super().run(_with_object_at_its_top(schema) if self.strict else schema)

    def rewrite(self, node: Node, path: str) -> Node:
        """Change one node."""
        if not self.strict:
            self.compatible = False
            return node
        if 'oneOf' in node and 'anyOf' not in node:
            node['anyOf'] = node.pop('oneOf')
        lost = {key: node.pop(key) for key in [*node] if not _is_enforced(key, node[key])}
        if 'pattern' in node:
            node['pattern'] = _without_anchors(node['pattern'])
        if node.get('properties') and not node.get('required'):
            node['required'] = [next(iter(node['properties']))]  # the API wants one in every object
        for key in lost:
            self.lose(path, key)
        return _describe(node, lost)


def _with_object_at_its_top(schema: Node) -> Node:
    """A schema that is not merely one of its definitions, as that of a class which refers to itself is."""
    name = str(schema.get('$ref', '')).removeprefix('#/$defs/')
    target: Node | None = schema.get('$defs', {}).get(name)
    return schema if target is None else target | {key: schema[key] for key in schema if key != '$ref'}


def _is_enforced(keyword: str, value: Any) -> bool:
    match keyword:
        case 'format':
            return value in FORMATS
        case 'pattern':
            return isinstance(value, str) and not NO_REGEX.search(_without_anchors(value))
        case 'oneOf':
            return False
        case _:
            return keyword not in NOT_ENFORCED


def _without_anchors(pattern: str) -> str:
    """A pattern without the anchors around it: the API matches whole texts, and knows no anchors."""
    end = len(pattern) - 1 if re.search(r'(?<!\\)(\\\\)*\$$', pattern) else len(pattern)
    return pattern[:end].removeprefix('^')


def _describe(node: Node, lost: Node) -> Node:
    if not lost:
        return node
    said = '{' + ', '.join(f'{key}: {value}' for key, value in lost.items()) + '}'
    return {**node, 'description': '\n\n'.join(text for text in (node.get('description'), said) if text)}


_transformer = CohereSchema.transformer()
