"""Adapters (LoRA) by name: the option that names them, and the setting that chooses one for a request."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, cast

from ..._suggestions import suggest
from ...exceptions import UserError
from ...settings import ModelSettings
from .options import decode_place

__all__ = ('ADAPTER_CONFIG', 'Adapters', 'choose_adapter', 'decode_adapters')

ADAPTER_CONFIG = 'adapter_config.json'
"""The file that the folder of every adapter has."""

Adapters = Mapping[str, str | PathLike[str]]
"""The name or folder of each adapter, by the name that requests use for it."""


def decode_adapters(adapters: Adapters | None) -> dict[str, str]:
    """Return the name or folder of each adapter as text. Raises `UserError` for anything but a mapping of texts."""
    if adapters is not None and not isinstance(cast('object', adapters), Mapping):
        raise UserError(f"adapters is {adapters!r}: give a mapping, such as {{'sql': '/path/of/an/adapter'}}")
    decoded: dict[str, str] = {}
    for name, place in (adapters or {}).items():
        if not (name and isinstance(cast('object', name), str)):
            raise UserError(f'adapters contains the name {name!r}: give a text that is not empty')
        decoded[name] = decode_place(f'adapters[{name!r}]', place)
    return decoded


def choose_adapter(settings: ModelSettings, prefix: str, adapters: Mapping[str, str]) -> str | None:
    """Return the adapter that a request names, or `None`. Raises `UserError` for one that the model does not have."""
    setting = f'{prefix}adapter'
    name = cast('Mapping[str, Any]', settings).get(setting)
    if name is None or name in adapters:
        return name
    if not adapters:
        raise UserError(
            f'{setting} is {name!r}, and the model has no adapters: make it with adapters={{{name!r}: ...}}'
        )
    raise UserError(f'{setting} is {name!r}, and the model has the adapters {[*adapters]!r}{suggest(name, adapters)}')
