"""Import torch and transformers when they are needed. They are optional, and untyped here."""

from __future__ import annotations

from typing import Any

from ..._extras import import_extra

__all__ = ('import_continuous_batching', 'import_torch', 'import_transformers')


def import_torch() -> Any:
    """Import `torch`. Raises `UserError` with the command that installs it."""
    return import_extra('torch', extra='transformers', what='TransformersModel')


def import_transformers() -> Any:
    """Import `transformers`. Raises `UserError` with the command that installs it."""
    return import_extra('transformers', extra='transformers', what='TransformersModel')


def import_continuous_batching(module: str) -> Any:
    """Import a module of transformers' continuous batching, such as `continuous_api`."""
    name = f'transformers.generation.continuous_batching.{module}'
    return import_extra(name, extra='transformers', what="batching='paged'")
