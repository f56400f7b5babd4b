"""What Google's models can do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from . import ModelProfile
from .schema import SchemaRewriter

__all__ = ('GeminiModelProfile', 'GeminiSchema', 'gemini_model_profile')

Node = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class GeminiModelProfile(ModelProfile):
    """What a model behind the Gemini API can do."""

    gemini_thinking: Literal['none', 'budget', 'level'] = 'level'
    """How the model is told how long to think: not at all, by a number of tokens, or by a level."""

    gemini_thinking_levels: tuple[str, ...] = ('MINIMAL', 'LOW', 'MEDIUM', 'HIGH')
    """The levels that the model knows, from the least to the most."""

    gemini_least_budget: int = 0
    """The budget that is nearest to not thinking; 0 is not thinking at all."""

    gemini_validated: bool = True
    """Whether calls can be held to their schemas while the model decides by itself whether to call (`VALIDATED`)."""

    gemini_combines_tools: bool = True
    """Whether Google's own tools, function tools and a response schema can be used together, and tools return files."""

    gemini_makes_images: bool = False
    """Whether the model answers with images as well."""


KEPT_NOWHERE = frozenset({'title', '$schema', 'discriminator', 'examples', 'exclusiveMinimum', 'exclusiveMaximum'})
"""Keywords that the API refuses."""

TYPE_NAMES = ((bool, 'boolean'), (int, 'integer'), (float, 'number'), (str, 'string'))


class GeminiSchema(SchemaRewriter):
    """Schemas for Gemini, which takes JSON schema but for a few keywords."""

    drop = KEPT_NOWHERE

    def __init__(self, strict: bool | None) -> None:
        super().__init__(strict)
        self.compatible = strict is not False

    def rewrite(self, node: Node, path: str) -> Node:
        """Change one node."""
        if 'const' in node:
            value = node.pop('const')
            node['enum'] = [value]
            name = next((name for kind, name in TYPE_NAMES if isinstance(value, kind)), None)
            if name:
                node.setdefault('type', name)
        if node.get('type') == 'string' and (format := node.pop('format', None)):
            self.lose(path, 'format')
            said = node.get('description')
            node['description'] = f'{said} (format: {format})' if said else f'Format: {format}'
        return node


_transformer = GeminiSchema.transformer()

FULL = ('MINIMAL', 'LOW', 'MEDIUM', 'HIGH')
NO_MINIMAL = ('LOW', 'MEDIUM', 'HIGH')

LEVELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r'gemini-3-pro', ('LOW', 'HIGH')),
    (r'gemini-3\.1-pro|gemini-3\.[78]-flash|gemini-4-(argon|carbon)', NO_MINIMAL),
    (r'', FULL),
)
"""The levels of thinking, by the beginning of the name; the first that fits."""


def gemini_model_profile(model_name: str) -> GeminiModelProfile:
    """What one of Google's models can do."""
    name = model_name.lower().rpartition('/')[2]
    old = bool(re.match(r'gemini-(1|2\.0)|gemma', name))
    by_budget = name.startswith('gemini-2.5')
    draws = 'image' in name
    thinks = not (old or (by_budget and draws))
    return GeminiModelProfile(
        json_schema_transformer=_transformer,
        supports_tools=not draws,
        supports_json_schema_output=True,
        supports_json_object_output=True,
        supports_thinking=thinks,
        thinking_always_enabled=thinks and (not by_budget or 'pro' in name),
        gemini_thinking='none' if not thinks else 'budget' if by_budget else 'level',
        gemini_thinking_levels=next(levels for pattern, levels in LEVELS if re.match(pattern, name)),
        gemini_least_budget=128 if 'pro' in name else 0,
        gemini_validated=not (old or draws),
        gemini_combines_tools=not (old or by_budget),
        gemini_makes_images=draws,
    )
