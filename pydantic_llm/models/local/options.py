"""The options that the model classes share, in addition to `ModelOptions`; each adds options for its engine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any

from ..._type_checks import check_type
from ...exceptions import UserError
from ...profiles import ModelProfileSpec
from ...settings import ModelSettings
from ...streaming.text_calls.formats import CallFormatName
from ..options import GivenOptions, ModelOptions, read_options
from .worker import WhenFull

__all__ = ('BatchingOptions', 'LocalOptions', 'check_count')


class LocalOptions(ModelOptions, total=False):
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


def read_local_options(
    model_type: type, model_name: str | PathLike[str] | None, options: LocalOptions, own_settings: Collection[str]
) -> GivenOptions:
    """Return the options of a model object under their own names, and its name as text. See `read_options`."""
    given = read_options(
        model_type,
        options,
        model_name=model_name,
        settings=options.get('settings'),
        own_settings=own_settings,
        known=LocalOptions.__annotations__,
    )
    check_type(given.model_name, (str, PathLike), parameter='model_name', expected='a name or a path')
    given.model_name = fspath(given.model_name)
    if not given.model_name:
        raise UserError('model_name is empty')
    return given


@dataclass(frozen=True, kw_only=True)
class BatchingOptions:
    """The options that decide how responses share forward passes. Raises `UserError` for an invalid value."""

    max_batch_size: int = 32
    """Maximum number of responses generated at once."""
    prefill_tokens: int = 512
    """Maximum number of prompt tokens (MLX: of each prompt) read between two steps of the running responses."""
    prefix_cache_bytes: int | None = None
    """Maximum size of the cache of prefixes, in bytes; 0 keeps nothing. `None` is a tenth of the memory."""
    max_queue: int = 1024
    """Maximum number of requests that wait for a slot."""
    when_full: WhenFull = 'wait'

    def __post_init__(self) -> None:
        for name in ('max_batch_size', 'prefill_tokens'):
            check_count(name, getattr(self, name))
        if self.prefix_cache_bytes is not None and self.prefix_cache_bytes < 0:
            raise UserError(f'prefix_cache_bytes is {self.prefix_cache_bytes!r}: give 0 or more')


def check_count(name: str, value: object, *, most: int = 2**31 - 1) -> None:
    """Raise `UserError` if the value of an option is not a whole number from 1 to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(f'{name} is {value!r}: give a whole number, 1 or more')
    if value > most:
        raise UserError(f'{name} is {value!r}: give {most} or less')
