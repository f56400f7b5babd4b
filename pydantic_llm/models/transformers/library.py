"""The libraries that the engine stands on, imported when they are needed; to type checkers they are unknown."""

from __future__ import annotations

from typing import Any

from ..._extras import import_extra

__all__ = ('continuous_batching', 'import_torch', 'import_transformers')


def import_torch() -> Any:
    """The module `torch`."""
    return import_extra('torch', extra='transformers', what='TransformersModel')


def import_transformers() -> Any:
    """The module `transformers`."""
    return import_extra('transformers', extra='transformers', what='TransformersModel')


def continuous_batching(module: str) -> Any:
    """A module of the library's continuous batching."""
    name = f'transformers.generation.continuous_batching.{module}'
    return import_extra(name, extra='transformers', what="batching='paged'")
