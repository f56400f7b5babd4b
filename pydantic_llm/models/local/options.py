"""The options that the model classes share, in addition to `ModelOptions`; each adds options for its engine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from os import PathLike, fspath
from pathlib import Path
from typing import Any, ClassVar, cast

from ..._setting_checks import check_options
from ..._type_checks import check_type
from ...exceptions import UserError
from ...profiles import ModelProfileSpec
from ...settings import ModelSettings
from ...streaming.text_calls.formats import CallFormatName
from ..options import GivenOptions, ModelOptions, read_options
from .worker import WhenFull

__all__ = ('BatchingOptions', 'Checked', 'LocalOptions', 'QueueOptions', 'decode_place', 'read_local_options')


class LocalOptions(ModelOptions, total=False):
    """Options of a model object. Two objects that differ in these alone share an engine."""

    max_new_tokens: int | None
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
    """Return the options of a model object under their own names, and its name as text. See `read_options`.

    Raises `UserError` for an invalid value, except those that `Model` checks.
    """
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
    own = {name: value for name, value in options.items() if name not in CHECKED_ELSEWHERE}
    check_options(LocalOptions, own, limits=LIMITS)
    return given


CHECKED_ELSEWHERE = frozenset({*ModelOptions.__annotations__, 'settings', 'profile'})
"""The options that every model has."""

MOST = 2**31 - 1
"""The largest number of tokens or responses: the libraries count them in 32 bits."""

LIMITS: Mapping[str, tuple[int, int]] = {
    'cache_tokens': (1, MOST),
    'max_batch_size': (1, MOST),
    'max_new_tokens': (1, MOST),
    'max_queue': (0, MOST),
    'n_ctx': (1, MOST),
    'n_gpu_layers': (-MOST, MOST),
    'n_threads': (1, 512),  # `GGML_MAX_N_THREADS` in ggml/include/ggml.h: with more, the process aborts
    'prefill_tokens': (1, MOST),
    'prefix_cache_bytes': (0, 2**63 - 1),
}
"""The least and the greatest value of each option that is a number."""


class Checked:
    """A dataclass of options whose values are checked when it is made. Raises `UserError` for an invalid value."""

    __slots__ = ()

    limits: ClassVar[Mapping[str, tuple[int, int]]] = LIMITS

    def __post_init__(self) -> None:
        values = {field.name: getattr(self, field.name) for field in fields(cast('Any', self))}
        check_options(type(self), values, limits=self.limits)


@dataclass(frozen=True, kw_only=True)
class QueueOptions(Checked):
    """The options of the queue of an engine."""

    max_queue: int = 1024
    """Maximum number of requests that wait for a slot."""
    when_full: WhenFull = 'wait'


@dataclass(frozen=True, kw_only=True)
class BatchingOptions(QueueOptions):
    """The options that decide how responses share forward passes."""

    max_batch_size: int = 32
    """Maximum number of responses generated at once."""
    prefill_tokens: int = 512
    """Maximum number of prompt tokens (MLX: of each prompt) read between two steps of the running responses."""
    prefix_cache_bytes: int | None = None
    """Maximum size of the cache of prefixes, in bytes; 0 keeps nothing. `None` is a tenth of the memory."""


def decode_place(option: str, value: str | PathLike[str]) -> str:
    """Return a name on the hub or a path as text; `~` is the home folder. Raises `UserError` for another value."""
    if not value or not isinstance(cast('object', value), (str, PathLike)):
        raise UserError(f'{option} is {value!r}: give a name on the hub or the path of a folder')
    text = fspath(value)
    with suppress(RuntimeError):  # the home folder is not known
        return fspath(Path(text).expanduser()) if text.startswith('~') else text
    return text
