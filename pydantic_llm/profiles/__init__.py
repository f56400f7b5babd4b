"""Profiles: what families of models support. A fact that changes when only the model's name changes belongs here.

`ModelProfile` has the fields that all models share; each module has a class with the fields of one API, and a function
from a model's name to its profile. `schema` rewrites JSON schemas for vendors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self

from .schema import SchemaTransformer
from .thinking import FIXED, ThinkingScale

__all__ = (
    'DEFAULT_PROFILE',
    'DEFAULT_PROMPTED_TEMPLATE',
    'ModelProfile',
    'ModelProfileSpec',
    'StructuredOutputMode',
    'TextToolCalls',
)

StructuredOutputMode = Literal['tool', 'native', 'prompted']
"""The way in which a structured output is requested."""

TextToolCalls = Literal[
    'hermes',
    'mistral',
    'deepseek',
    'dsml',
    'kimi',
    'gemma',
    'seed',
    'minimax',
    'lfm',
    'command',
    'apertus',
    'nemotron',
    'phi',
    'functiongemma',
    'step',
    'dots',
    'longcat',
    'minicpm',
    'hunyuan',
    'olmo',
    'internlm',
    'gigachat',
    'granite',
    'kimi_k3',
    'inkling',
    'muse_glimmer',
    'minimax_m3',
    'solar',
    'plamo',
    'ifm',
    'iquest',
    'gcml',
    'hyperclova',
    'pangu',
    'llama',
    'pythonic',
    'json',
]
"""A format in which models write tool calls: `hermes` is that of Hermes, Qwen and GLM, with JSON or with marks around
each argument; `llama` and `json` are JSON objects."""

DEFAULT_PROMPTED_TEMPLATE = """\
Answer with one JSON object that satisfies this schema, and nothing else:

{schema}

No text before or after it, and no code fence around it."""
"""The default of `ModelProfile.prompted_output_template`."""

Facts = dict[str, Any]
"""Fields of a profile, by name, with their values."""


def collect_facts(families: Iterable[tuple[str, Facts]], name: str) -> Facts:
    """Return the facts of every family whose pattern matches the beginning of a name; a later family wins."""
    return merge_facts(*(facts for pattern, facts in families if re.match(pattern, name)))


def merge_facts(*facts: Facts) -> Facts:
    """Return the facts together; the later ones win, and so does each of their history rules."""
    merged: Facts = {}
    for new in facts:
        rules = {**merged.get('history_rules', {}), **new.get('history_rules', {})}
        merged |= {**new, **({'history_rules': rules} if rules else {})}
    return merged


@dataclass(frozen=True, kw_only=True)
class ModelProfile:
    """The features of a model. The defaults are those of a capable model of which nothing else is known."""

    supports_tools: bool = True
    """True if the model can call tools."""

    supports_json_schema_output: bool = False
    """True if the vendor can enforce a JSON schema on responses."""

    supports_json_object_output: bool = False
    """True if the vendor can enforce that a response is a JSON object, without a schema."""

    default_structured_output_mode: StructuredOutputMode = 'tool'
    """The way in which a structured output is requested if the caller does not choose one."""

    native_tools_refuse: frozenset[StructuredOutputMode] = frozenset()
    """The ways to request a structured output that cannot be combined with the vendor's own tools."""

    prompted_output_template: str = DEFAULT_PROMPTED_TEMPLATE
    """The text that a prompted output adds to the instructions, with `{schema}` in the place of the schema."""

    json_schema_transformer: SchemaTransformer | None = None
    """The function that rewrites schemas for the vendor; `None` sends them unchanged."""

    context_window: int | None = None
    """The number of tokens that a request and its response may have together; `None` uses what `genai-prices` knows."""

    max_output_tokens: int | None = None
    """The largest number of tokens in a response, if it is known."""

    supports_thinking: bool = False
    """True if the model can think before it responds, and takes a setting for how long."""

    thinking_always_enabled: bool = False
    """True if thinking cannot be switched off."""

    thinking_tags: tuple[str, str] = ('<think>', '</think>')
    """The tags around thinking that is part of the text. With the default, other common tags are recognised too, at
    servers of Chat Completions."""

    thinking_tag_is_prefilled: bool = False
    """True if the chat template writes the start tag into the prompt, and the server does not parse thinking: the text
    of a response begins inside the thinking and has the end tag only. It is then streamed as thinking."""

    text_tool_calls: bool | TextToolCalls = False
    """True, or the name of a format, if the server does not parse the tool calls of the model, which are then in the
    text: they are found there. True looks for all formats. False leaves the text as it is, since most vendors and
    servers parse tool calls themselves."""

    ignore_streamed_leading_whitespace: bool = False
    """True if whitespace at the beginning of a streamed text is meaningless and dropped."""

    history_rules: Mapping[str, Any] | None = None
    """The rules for past messages in which this model differs from its API: fields of `HistoryRules`."""

    caches_automatically: bool = False
    """True if the server caches every prompt by itself. For known vendors, `profiles.caching` says so."""

    unsupported_settings: frozenset[str] = frozenset()
    """The settings that the API has but this model refuses."""

    exclusive_settings: tuple[str, ...] = ()
    """The settings of which the model accepts one in a request: the first of these that is set."""

    @property
    def thinking_scale(self) -> ThinkingScale:
        """The values of the setting `thinking` that the model accepts."""
        return ThinkingScale(can_stop=not self.thinking_always_enabled) if self.supports_thinking else FIXED

    @property
    def enforces_tools(self) -> bool:
        """True if the vendor can enforce the schemas of tools."""
        return True

    @property
    def enforces_outputs(self) -> bool:
        """True if the vendor can enforce the schema of an output."""
        return True

    def choose_output_mode(self, *, has_native_tools: bool) -> StructuredOutputMode:
        """Return the way in which a structured output is requested if the caller does not choose one."""
        mode = self.default_structured_output_mode
        return 'prompted' if has_native_tools and mode in self.native_tools_refuse else mode

    def merge(self, other: ModelProfile | Mapping[str, Any] | None) -> Self:
        """Return this profile, overridden by the fields of `other`.

        A profile overrides with its fields that differ from their defaults, a mapping with all of its keys.
        """
        if other is None:
            return self
        if isinstance(other, ModelProfile):
            if isinstance(other, type(self)) and type(other) is not type(self):
                return other.over(self)
            other = other.what_is_set()
        if self.history_rules and other.get('history_rules'):
            other = {**other, 'history_rules': {**self.history_rules, **other['history_rules']}}
        known = {item.name for item in fields(self)}
        return replace(self, **{name: value for name, value in other.items() if name in known})

    def over(self, base: ModelProfile) -> Self:
        """Return a profile of this class with the fields of `base`, overridden by the fields that are set here."""
        return type(self)(**{**base.what_is_set(), **self.what_is_set()})

    @classmethod
    def of(cls, profile: ModelProfile) -> Self:
        """Return the profile if it has this class, else a profile of this class with the fields that it sets."""
        return profile if isinstance(profile, cls) else cls().merge(profile.what_is_set())

    def what_is_set(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults, by name."""
        values = ((item, getattr(self, item.name)) for item in fields(self))
        return {item.name: value for item, value in values if value != item.default}


ModelProfileSpec = ModelProfile | Mapping[str, Any] | Callable[[str], ModelProfile | None]
"""A profile, some fields of one, or a function from a model's name to one."""

DEFAULT_PROFILE = ModelProfile()
"""The profile of a model whose name is not known."""
