"""What Google's models can do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from . import ModelProfile
from .schema import Node, SchemaRewriter

__all__ = ('GeminiModelProfile', 'GeminiSchema', 'gemini_model_profile')


@dataclass(frozen=True, kw_only=True)
class GeminiModelProfile(ModelProfile):
    """What a model behind the Gemini API can do."""

    gemini_thinking: Literal['none', 'budget', 'level'] = 'level'
    """How the model is told how long to think: not at all, by a number of tokens, or by a level."""

    gemini_thinking_levels: tuple[str, ...] = ('MINIMAL', 'LOW', 'MEDIUM', 'HIGH')
    """The levels that the model knows, from the least to the most."""

    gemini_budgets: tuple[int, int] = (128, 24576)
    """The least and the most tokens that the model can be told to think; 0, where it can stop, is not thinking."""

    gemini_validated: bool = True
    """Whether calls can be held to their schemas while the model decides by itself whether to call (`VALIDATED`)."""

    gemini_combines_tools: bool = True
    """Whether Google's own tools, function tools and a response schema can be used together."""

    gemini_files_of_tools: tuple[str, ...] = ('image/png', 'image/jpeg', 'image/webp', 'application/pdf', 'text/plain')
    """The media types that may stand in the answer of a function; other files are sent behind it."""

    gemini_system_instruction: bool = True
    """Whether there is a place for what the developer says; it precedes the user's words where there is none."""

    gemini_modalities: tuple[str, ...] = ('TEXT',)
    """What the model answers with where nobody says."""

    @property
    def gemini_makes_images(self) -> bool:
        """Whether the model answers with images as well."""
        return 'IMAGE' in self.gemini_modalities


SAYING_NOTHING = frozenset({'title', '$schema', 'discriminator', 'examples'})
"""Keywords that the API refuses, and that hold the model to nothing."""

UNKNOWN = ('exclusiveMinimum', 'exclusiveMaximum')
"""Keywords that the API refuses, and that would hold the model to something."""

TYPE_NAMES = ((bool, 'boolean'), (int, 'integer'), (float, 'number'), (str, 'string'))


class GeminiSchema(SchemaRewriter):
    """Schemas for Gemini, which takes JSON schema but for a few keywords."""

    drop = SAYING_NOTHING

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
        for keyword in UNKNOWN:
            if keyword in node:
                del node[keyword]
                self.lose(path, keyword)
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
    (r'gemini-3\.1-pro|gemini-3\.[78]-flash(?!-lite)|gemini-4-(argon|carbon)', NO_MINIMAL),
    (r'gemma', ('MINIMAL', 'HIGH')),
    (r'', FULL),
)
"""The levels of thinking, by the beginning of the name; the first that fits."""

BUDGETS: tuple[tuple[str, tuple[int, int]], ...] = (
    (r'gemini-2\.5-pro', (128, 32768)),
    (r'gemini-2\.5-flash-lite', (512, 24576)),
    (r'', (128, 24576)),
)
"""The least and the most tokens of thinking, likewise."""

OLD = re.compile(r'gemini-(1|2\.0)|gemini-pro|gemini-exp|learnlm|gemma-?[123]|gemma-?3n|lyria')
"""Models that cannot think."""

BARE = re.compile(r'gemma-?[123]|gemma-?3n|lyria')
"""Models that know no function, no schema and no system instruction."""


def gemini_model_profile(model_name: str) -> GeminiModelProfile:
    """What one of Google's models can do."""
    name = model_name.lower().rpartition('/')[2]
    bare, by_budget = bool(BARE.match(name)), name.startswith('gemini-2.5')
    old = bool(OLD.match(name))
    draws, speaks = 'image' in name or 'banana' in name, 'tts' in name or name.startswith('lyria')
    only_text = not (draws or speaks)
    thinks = not (old or speaks or (by_budget and draws))
    return GeminiModelProfile(
        json_schema_transformer=_transformer,
        supports_tools=only_text and not bare,
        supports_json_schema_output=not (bare or speaks or (by_budget and draws)),
        supports_json_object_output=not (bare or speaks or (by_budget and draws)),
        supports_thinking=thinks,
        thinking_always_enabled=thinks and (not by_budget or 'pro' in name),
        gemini_thinking='none' if not thinks else 'budget' if by_budget else 'level',
        gemini_thinking_levels=next(levels for pattern, levels in LEVELS if re.match(pattern, name)),
        gemini_budgets=next(budgets for pattern, budgets in BUDGETS if re.match(pattern, name)),
        gemini_validated=only_text and not old,
        gemini_combines_tools=not (old or by_budget),
        gemini_files_of_tools=() if old or by_budget else GeminiModelProfile.gemini_files_of_tools,
        gemini_system_instruction=not (bare or speaks),
        gemini_modalities=('TEXT', 'IMAGE') if draws else ('AUDIO',) if speaks else ('TEXT',),
    )
