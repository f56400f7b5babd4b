"""Profiles of Google's models, and the schemas that the Gemini API accepts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, cast

from . import ModelProfile
from .schema import Node, SchemaRewriter, TransformedSchema, collect_definitions, refers_to
from .subset import ANNOTATIONS, simplify
from .thinking import CANNOT_THINK, ThinkingScale

__all__ = ('GeminiModelProfile', 'GeminiSchema', 'gemini_model_profile')


GEMINI_TOKENS = {'minimal': 128, 'low': 2048, 'medium': 8192, 'high': 24_576, 'xhigh': 32_768}
"""The tokens of each level of `thinking`, for models with a budget. `'max'` is the model's maximum."""


@dataclass(frozen=True, kw_only=True)
class GeminiModelProfile(ModelProfile):
    """The features of a model behind the Gemini API."""

    gemini_thinking: Literal['none', 'budget', 'level'] = 'level'
    """The form of the thinking setting: no setting, a number of tokens, or a level."""

    gemini_thinking_levels: tuple[str, ...] = ('MINIMAL', 'LOW', 'MEDIUM', 'HIGH')
    """The levels that the model accepts, the lowest first."""

    gemini_budgets: tuple[int, int] = (128, 24576)
    """The minimum and maximum thinking budget, in tokens. A budget of 0 switches thinking off, if that is possible."""

    gemini_validated: bool = True
    """True if schemas of tools can be enforced while the model chooses whether to call one (mode `VALIDATED`)."""

    gemini_combines_tools: bool = True
    """True if Google's own tools, function tools and a response schema can be used together."""

    gemini_files_of_tools: tuple[str, ...] = ('image/png', 'image/jpeg', 'image/webp', 'application/pdf', 'text/plain')
    """The media types that a function response may have; other files are sent after it."""

    gemini_system_instruction: bool = True
    """True if the model accepts a system instruction. If not, it is put before the user's text."""

    gemini_cache_min_tokens: int | None = None
    """The smallest number of tokens that can be a cached content; `None` if the model has no cached contents."""

    gemini_modalities: tuple[str, ...] = ('TEXT',)
    """The default modalities of responses."""

    @property
    def thinking_scale(self) -> ThinkingScale:
        """The values of the setting `thinking` that the model accepts."""
        can_stop = not self.thinking_always_enabled
        match self.gemini_thinking:
            case 'none':
                return CANNOT_THINK
            case 'budget':
                return ThinkingScale(budgets=self.gemini_budgets, tokens=GEMINI_TOKENS, can_stop=can_stop)
            case 'level':
                levels = tuple(level.lower() for level in self.gemini_thinking_levels)
                return ThinkingScale(levels=levels, can_stop=can_stop)

    @property
    def gemini_makes_images(self) -> bool:
        """True if responses may have images."""
        return 'IMAGE' in self.gemini_modalities


KEYWORDS = frozenset(
    {
        '$defs',
        '$ref',
        'type',
        'description',
        'enum',
        'items',
        'prefixItems',
        'minItems',
        'maxItems',
        'minimum',
        'maximum',
    }
    | {'anyOf', 'oneOf', 'properties', 'additionalProperties', 'required', 'propertyOrdering'}
    | {'default', 'minLength', 'maxLength', 'pattern', 'uniqueItems'}
)
"""The keywords that the API supports (https://ai.google.dev/api/generate-content, `responseJsonSchema`), and those, in
the last row, that it accepts without documentation."""


class GeminiSchema(SchemaRewriter):
    """Schemas for Gemini, which accepts JSON schema with some of its keywords."""

    def __init__(self, strict: bool | None) -> None:
        super().__init__(strict)
        self.compatible: bool = strict is not False

    def run(self, schema: Node) -> TransformedSchema:
        """Rewrite a schema. A property that leads back to the object that has it must be optional."""
        return super().run(self._break_cycles(schema))

    def rewrite(self, node: Node, path: str) -> Node:
        description = node.pop('description', None)
        node = simplify(node)
        if ('$ref' in node and len(node) > 1) or ('$ref' in node and description):
            # "can only contain properties starting with '$' when $ref is present": google-gemini/gemini-cli#4758
            node = {'anyOf': [{'$ref': node.pop('$ref')}], **node}
        if not set(names := node.get('required', [])) <= set(properties := node.get('properties', {})):
            node['required'] = [name for name in names if name in properties]
            self.lose(path, 'required')
        if 'const' in node:
            node['enum'] = [node.pop('const')]
        if 'enum' in node:
            node = self._rewrite_enum(node, path)
        notes = {key: node.pop(key) for key in list(node) if key not in KEYWORDS}
        for key in notes:
            if key not in ANNOTATIONS:
                self.lose(path, key)
        return node | self.describe(description, notes)

    def _rewrite_enum(self, node: Node, path: str) -> Node:
        """Return a node whose enum has texts and numbers alone. Null is a member of a union with it."""
        values: list[Any] = node.pop('enum')
        kept = [value for value in values if isinstance(value, (str, int, float)) and not isinstance(value, bool)]
        if kept == values:
            return {**node, 'enum': kept}
        if kept and all(value is None or value in kept for value in values):
            return {
                **{key: value for key, value in node.items() if key != 'type'},
                'anyOf': [simplify({'enum': kept}), NULL],
            }
        if values not in ([None], [True, False], [False, True]):
            self.lose(path, 'enum')
        return node

    def _break_cycles(self, schema: Node) -> Node:
        """Return a schema whose recursion is in optional properties only: the API refuses required ones."""
        named: dict[str, Any] = schema.get('$defs', {})
        definitions: Node = {}
        for name, definition in named.items():
            node = cast('Node', definition) if isinstance(definition, dict) else {}
            required: list[str] = node.get('required', [])
            cyclic = [key for key in required if self._leads_back(node, key, name, schema)]
            if cyclic:
                self.lose(f'$.{name}', 'required')
            kept = {'required': [key for key in required if key not in cyclic]} if cyclic else {}
            definitions[name] = {**node, **kept} if kept else definition
        return {**schema, '$defs': definitions} if definitions else schema

    @staticmethod
    def _leads_back(definition: Node, key: str, name: str, schema: Node) -> bool:
        return refers_to(definition.get('properties', {}).get(key), f'#/$defs/{name}', collect_definitions(schema))

    @staticmethod
    def describe(description: str | None, keywords: Node) -> Node:
        note = ', '.join(f'{key}: {value}' for key, value in keywords.items())
        if description and note:
            return {'description': f'{description} ({note})'}
        return {'description': text} if (text := description or note[:1].upper() + note[1:]) else {}


NULL: Node = {'type': 'null'}

_transformer = GeminiSchema.transformer()

FULL = ('MINIMAL', 'LOW', 'MEDIUM', 'HIGH')
NO_MINIMAL = ('LOW', 'MEDIUM', 'HIGH')

LEVELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r'gemini-3-pro', ('LOW', 'HIGH')),
    (r'gemini-3\.1-pro|gemini-3\.[78]-flash(?!-lite)|gemini-4-(argon|carbon)', NO_MINIMAL),
    (r'gemma', ('MINIMAL', 'HIGH')),
    (r'', FULL),
)
"""The levels of thinking, by the beginning of the name; the first match is used."""

BUDGETS: tuple[tuple[str, tuple[int, int]], ...] = (
    (r'gemini-2\.5-pro', (128, 32768)),
    (r'gemini-2\.5-flash-lite', (512, 24576)),
    (r'', (128, 24576)),
)
"""The minimum and maximum thinking budget, by the beginning of the name; the first match is used."""

VERTEX = 'google-vertex'
"""The name of Vertex AI's provider."""

PENALTIES = frozenset({'presence_penalty', 'frequency_penalty'})
"""The settings that models from Gemini 2.5 on refuse: vercel/ai#8943, google-gemini/cookbook#1290,
Ikalus1988/MisakaNet#1473 (Vertex AI and OpenRouter)."""

REFUSES_PENALTIES = re.compile(r'gemini-(2\.5|[3-9])')

LOGPROBS = frozenset({'logprobs', 'top_logprobs'})
"""The settings that the Generative Language API refuses from Gemini 2.5 on, and Vertex AI from Gemini 3 on."""

REFUSES_LOGPROBS = {
    # mscraftsman/generative-ai#135, Vela-Research/think-reason-learn#34, langchain-ai/langchain-google#1266
    False: re.compile(r'gemini-(2\.5|[3-9])'),
    # GoogleCloudPlatform/generative-ai#2947; 2.5 has them: recording vertex__test_google_vertex_logprobs__0_cdd7c1
    True: re.compile(r'gemini-[3-9]'),
}
"""The models that refuse log probabilities, by whether they are at Vertex AI."""

CACHE_MIN_TOKENS: tuple[tuple[str, int | None], ...] = (
    (r'gemini-(2\.|pro|flash)', 2048),
    (r'gemini-[3-9]', 4096),
    (r'', None),
)
"""The smallest cached contents in tokens, by the beginning of the name; the first match is used:
https://ai.google.dev/gemini-api/docs/caching"""

OLD = re.compile(r'gemini-(1|2\.0)|gemini-pro|gemini-exp|learnlm|gemma-?[123]|gemma-?3n|lyria')
"""The models that cannot think."""

BASIC = re.compile(r'gemma-?[123]|gemma-?3n|lyria')
"""The models without function tools, response schemas and system instructions."""


def gemini_model_profile(model_name: str, *, vertex: bool = False) -> GeminiModelProfile:
    """Return the profile of one of Google's models, at the Generative Language API or at Vertex AI."""
    name = model_name.lower().rpartition('/')[2]
    is_basic, has_budget = bool(BASIC.match(name)), name.startswith('gemini-2.5')
    is_old = bool(OLD.match(name))
    makes_images, makes_audio = 'image' in name or 'banana' in name, 'tts' in name or name.startswith('lyria')
    only_text = not (makes_images or makes_audio)
    thinks = not (is_old or makes_audio or (has_budget and makes_images))
    refused = PENALTIES if REFUSES_PENALTIES.match(name) else frozenset[str]()
    refused |= LOGPROBS if REFUSES_LOGPROBS[vertex].match(name) else frozenset[str]()
    return GeminiModelProfile(
        unsupported_settings=refused,
        json_schema_transformer=_transformer,
        supports_tools=only_text and not is_basic,
        supports_json_schema_output=not (is_basic or makes_audio or (has_budget and makes_images)),
        supports_json_object_output=not (is_basic or makes_audio or (has_budget and makes_images)),
        supports_thinking=thinks,
        thinking_always_enabled=thinks and (not has_budget or 'pro' in name),
        gemini_thinking='none' if not thinks else 'budget' if has_budget else 'level',
        gemini_thinking_levels=next(levels for pattern, levels in LEVELS if re.match(pattern, name)),
        gemini_budgets=next(budgets for pattern, budgets in BUDGETS if re.match(pattern, name)),
        gemini_validated=only_text and not is_old,
        gemini_combines_tools=not (is_old or has_budget),
        native_tools_refuse=frozenset({'tool', 'native'}) if is_old or has_budget else frozenset(),
        gemini_files_of_tools=() if is_old or has_budget else GeminiModelProfile.gemini_files_of_tools,
        gemini_system_instruction=not (is_basic or makes_audio),
        caches_automatically=bool(REFUSES_PENALTIES.match(name)),  # from 2.5 on: same page as `CACHE_MIN_TOKENS`
        gemini_cache_min_tokens=_find_cache_min_tokens(name) if only_text else None,
        gemini_modalities=('TEXT', 'IMAGE') if makes_images else ('AUDIO',) if makes_audio else ('TEXT',),
    )


def _find_cache_min_tokens(name: str) -> int | None:
    return next(tokens for pattern, tokens in CACHE_MIN_TOKENS if re.match(pattern, name))
