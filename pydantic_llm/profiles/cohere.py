"""Profiles of Cohere's models, and the schemas that the Chat API can enforce."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from . import ModelProfile
from .schema import Node, SchemaRewriter, TransformedSchema
from .subset import is_exclusive
from .thinking import CANNOT_THINK, NO_LIMIT, ThinkingScale

__all__ = ('CohereModelProfile', 'CohereSchema', 'cohere_model_profile')


COHERE_TOKENS = {'minimal': 1024, 'low': 2048, 'medium': 8192, 'high': 16_384, 'xhigh': 31_000, 'max': 31_000}
"""The tokens of each level of thinking. The last is the most that Cohere recommends; `True` sets no limit.
https://docs.cohere.com/docs/reasoning"""


@dataclass(frozen=True, kw_only=True)
class CohereModelProfile(ModelProfile):
    """The features of a model behind Cohere's Chat API. The defaults are for unknown models."""

    supports_json_schema_output: bool = True

    supports_json_object_output: bool = True

    cohere_tool_choice: bool = True
    """True if a tool call can be forced or forbidden. If not, the model chooses whether to call an output tool."""

    @property
    def thinking_scale(self) -> ThinkingScale:
        """The values of the setting `thinking` that the model accepts."""
        scale = ThinkingScale(budgets=(1, NO_LIMIT), tokens=COHERE_TOKENS)
        return scale if self.supports_thinking else CANNOT_THINK


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
"""The facts of families, by the beginning of the name; the first match is used. An unknown Command model gets the facts
of the newest ones."""


def cohere_model_profile(model_name: str) -> CohereModelProfile:
    """Return the profile of one of Cohere's models."""
    name = model_name.lower().rpartition('/')[2].removeprefix('cohere.')
    facts = next(facts for pattern, facts in FAMILIES if re.match(pattern, name))
    return CohereModelProfile(json_schema_transformer=_transformer, **facts)


# ---------------------------------------------------------------------- schemas


FORMATS = frozenset({'date-time', 'uuid', 'date', 'time'})
"""The string formats that strict schemas enforce."""

NOT_ENFORCED = (
    {'allOf', 'not'}
    | {'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'}
    | {'minItems', 'maxItems', 'uniqueItems', 'prefixItems', 'contains'}
    | {'minLength', 'maxLength'}
    | {'minProperties', 'maxProperties', 'patternProperties', 'propertyNames'}
)
"""The keywords that are not enforced."""

UNSUPPORTED_REGEX = re.compile(r'(?<![\\\[])[\^$]|\(\?<?[=!]')
"""Parts that a pattern must not have: anchors in its middle, lookahead and lookbehind."""


class CohereSchema(SchemaRewriter):
    """Schemas for Cohere: keywords that a strict schema cannot have move into the description.

    https://docs.cohere.com/docs/structured-outputs. A schema is strict only if that is requested: the API enforces the
    schemas of either all tools of a request or no tool.
    """

    def run(self, schema: Node) -> TransformedSchema:
        """Rewrite a schema. A strict one must be an object, and no reference to one."""
        return super().run(_resolve_root(schema) if self.strict else schema)

    def rewrite(self, node: Node, path: str) -> Node:
        if not self.strict:
            self.compatible = False
            return node
        if 'oneOf' in node and 'anyOf' not in node:
            if 'discriminator' not in node and not is_exclusive(node['oneOf']):
                self.lose(path, 'oneOf')
            node['anyOf'] = node.pop('oneOf')
        node.pop('discriminator', None)
        if node.get('type') == 'object':
            self._require_one(node, path)
        lost = {key: node.pop(key) for key in [*node] if not _is_enforced(key, node[key])}
        if 'pattern' in node:
            node['pattern'] = _strip_anchors(node['pattern'])
        for key in lost:
            self.lose(path, key)
        return node | self.describe(node.get('description'), lost)

    def _require_one(self, node: Node, path: str) -> None:
        """Make a property required: every object must have one (https://docs.cohere.com/docs/structured-outputs)."""
        if path != '$' and not node.get('properties'):
            self.obstacles.append(f'{path} is an object whose keys are not known')
        elif node.get('properties') and not node.get('required'):
            node['required'] = [next(iter(node['properties']))]
            self.lose(path, 'required')


def _resolve_root(schema: Node) -> Node:
    """Return the definition that the root refers to, if it does: the schema of a recursive class is a reference."""
    name = str(schema.get('$ref', '')).removeprefix('#/$defs/')
    target: Node | None = schema.get('$defs', {}).get(name)
    return schema if target is None else target | {key: schema[key] for key in schema if key != '$ref'}


def _is_enforced(keyword: str, value: Any) -> bool:
    match keyword:
        case 'format':
            return value in FORMATS
        case 'pattern':
            return isinstance(value, str) and not UNSUPPORTED_REGEX.search(_strip_anchors(value))
        case 'oneOf':
            return False
        case _:
            return keyword not in NOT_ENFORCED


def _strip_anchors(pattern: str) -> str:
    """Remove the anchors at both ends of a pattern: the API matches whole texts, and refuses anchors."""
    end = len(pattern) - 1 if re.search(r'(?<!\\)(\\\\)*\$$', pattern) else len(pattern)
    return pattern[:end].removeprefix('^')


_transformer = CohereSchema.transformer()
