"""What every model object of an engine in this process can be told, beside what is loaded and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from ...profiles import ModelProfileSpec
from ...settings import ModelSettings
from .calls.formats import CallFormatName

__all__ = ('LocalOptions',)


class LocalOptions(TypedDict, total=False):
    """Options of a model object. Two objects that differ in these alone share an engine."""

    max_new_tokens: int
    """How long an answer may be where the settings do not say; 4,096."""

    chat_template: str | None
    """A chat template instead of the model's own."""

    apply_chat_template_kwargs: Mapping[str, Any] | None
    """Variables of the chat template: `{'enable_thinking': False}`."""

    tool_format: CallFormatName | None
    """How the model writes tool calls; read off its chat template where it is not given."""

    tool_name_key: str | None
    """What the object of a call calls the tool; `name`."""

    tool_arguments_key: str | None
    """What it calls the arguments; `arguments`, or `parameters` for Llama."""

    settings: ModelSettings | None
    """The settings that every request starts from."""

    profile: ModelProfileSpec | None
    """What the model can do, laid over what is known of it."""
