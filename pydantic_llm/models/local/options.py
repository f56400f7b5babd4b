"""The options of every model class of an engine in this process; each adds options for its engine."""

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
    """The maximum length of a response, in tokens, if `max_tokens` is not set; default 4,096."""

    chat_template: str | None
    """A chat template to use instead of the model's own."""

    apply_chat_template_kwargs: Mapping[str, Any] | None
    """Variables of the chat template: `{'enable_thinking': False}`."""

    tool_format: CallFormatName | None
    """The format in which the model writes tool calls; by default it is detected from the chat template."""

    tool_name_key: str | None
    """The key of the tool's name in a tool call; default `name`."""

    tool_arguments_key: str | None
    """The key of the arguments in a tool call; default `arguments`, or `parameters` for Llama."""

    settings: ModelSettings | None
    """The default settings of every request."""

    profile: ModelProfileSpec | None
    """Changes to the profile of the model."""
