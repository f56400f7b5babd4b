"""The options that the model classes share; each adds options for its engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import signature
from typing import Any, TypedDict

from ...exceptions import UserError
from ...profiles import ModelProfileSpec
from ...settings import ModelSettings
from ...streaming.text_calls.formats import CallFormatName
from .worker import WhenFull

__all__ = ('BatchingOptions', 'LocalOptions')


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


OTHER_NAMES = {
    'device': 'device_map',
    'dtype': 'torch_dtype',
    'lora_path': 'adapter',
    'lora_scale': 'adapter_scale',
    'max_tokens': 'max_new_tokens',
    'n_batch': 'prefill_tokens',
    'n_seq_max': 'max_batch_size',
}
"""Names of options in other libraries -> the names here."""


def check_option_names(model_type: type, options: Mapping[str, Any]) -> None:
    """Raise `TypeError` for an unknown option, as Python does, with the option that was probably meant."""
    unknown = next((name for name in options if name not in LocalOptions.__annotations__), None)
    if unknown is None:
        return
    known = [*LocalOptions.__annotations__, *signature(model_type).parameters]
    meant = [OTHER_NAMES[unknown]] if OTHER_NAMES.get(unknown) in known else get_close_matches(unknown, known, 1)
    hint = f'; did you mean {meant[0]}=?' if meant else ''
    if unknown in ModelSettings.__annotations__:
        hint += f'; as a setting: settings={{{unknown!r}: ...}}'
    raise TypeError(f'{model_type.__name__}() got an unexpected keyword argument {unknown!r}{hint}')


@dataclass(frozen=True, kw_only=True)
class BatchingOptions:
    """The options that decide how responses share forward passes. Raises `UserError` for an invalid value."""

    max_batch_size: int = 32
    """Maximum number of responses generated at once."""
    prefill_tokens: int = 512
    """Maximum number of prompt tokens (MLX: of each prompt) read between two steps of the running responses."""
    prefix_cache_bytes: int | None = None
    """Maximum size of the cache of prefixes, in bytes; 0 for none. `None` is a tenth of the memory."""
    max_queue: int = 1024
    """Maximum number of requests that wait for a slot."""
    when_full: WhenFull = 'wait'

    def __post_init__(self) -> None:
        for name in ('max_batch_size', 'prefill_tokens'):
            value = getattr(self, name)
            if value < 1:
                raise UserError(f'{name} is {value!r}: give 1 or more')
        if self.prefix_cache_bytes is not None and self.prefix_cache_bytes < 0:
            raise UserError(f'prefix_cache_bytes is {self.prefix_cache_bytes!r}: give 0 or more')
