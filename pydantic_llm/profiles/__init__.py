"""What families of models can do. A fact that changes when only the model's name changes has its home here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self

from .schema import SchemaTransformer

__all__ = ('DEFAULT_PROFILE', 'DEFAULT_PROMPTED_TEMPLATE', 'ModelProfile', 'ModelProfileSpec', 'StructuredOutputMode')

StructuredOutputMode = Literal['tool', 'native', 'prompted']
"""A way to ask for a structured output."""

DEFAULT_PROMPTED_TEMPLATE = """\
Answer with one JSON object that satisfies this schema, and nothing else:

{schema}

No text before or after it, and no code fence around it."""
"""What a prompted output adds to the instructions."""


@dataclass(frozen=True, kw_only=True)
class ModelProfile:
    """What a model can do. Every field has a default that fits a capable model."""

    supports_tools: bool = True
    """Whether it can call tools."""

    supports_json_schema_output: bool = False
    """Whether the vendor can hold its answer to a JSON schema."""

    supports_json_object_output: bool = False
    """Whether the vendor can hold its answer to being a JSON object."""

    default_structured_output_mode: StructuredOutputMode = 'tool'
    """How a structured output is asked for where nobody says."""

    prompted_output_template: str = DEFAULT_PROMPTED_TEMPLATE
    """What a prompted output adds to the instructions; `{schema}` stands for the schema."""

    json_schema_transformer: SchemaTransformer | None = None
    """Makes schemas fit for the vendor; `None` sends them as they are."""

    supports_thinking: bool = False
    """Whether it can think before it answers, and be told how long."""

    thinking_always_enabled: bool = False
    """Whether it thinks even when told not to."""

    thinking_tags: tuple[str, str] = ('<think>', '</think>')
    """What opens and closes thoughts that are written into text."""

    ignore_streamed_leading_whitespace: bool = False
    """Whether whitespace before the first word is noise."""

    unsupported_settings: frozenset[str] = frozenset()
    """Settings that its room has and this model does not take."""

    def merge(self, other: ModelProfile | Mapping[str, Any] | None) -> Self:
        """This profile with the fields that another one sets laid over it.

        A field of `other` that has its default says nothing. A mapping lays over exactly what it names.
        """
        if other is None:
            return self
        if isinstance(other, ModelProfile):
            if isinstance(other, type(self)) and type(other) is not type(self):
                return other.over(self)
            other = other.what_is_set()
        known = {item.name for item in fields(self)}
        return replace(self, **{name: value for name, value in other.items() if name in known})

    def over(self, base: ModelProfile) -> Self:
        """A profile of this class with the fields of `base`, and what is set here laid over them."""
        return type(self)(**{**base.what_is_set(), **self.what_is_set()})

    @classmethod
    def of(cls, profile: ModelProfile) -> Self:
        """A profile as one of this class: itself where it is one, else what it sets laid over the defaults."""
        return profile if isinstance(profile, cls) else cls().merge(profile.what_is_set())

    def what_is_set(self) -> dict[str, Any]:
        """The fields that do not have their default, by name."""
        values = ((item, getattr(self, item.name)) for item in fields(self))
        return {item.name: value for item, value in values if value != item.default}


ModelProfileSpec = ModelProfile | Mapping[str, Any] | Callable[[str], ModelProfile | None]
"""A profile, some fields of one, or a function from a model's name to one."""

DEFAULT_PROFILE = ModelProfile()
"""The profile of a model of which nothing is known."""
