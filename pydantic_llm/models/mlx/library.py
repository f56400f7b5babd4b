"""The libraries that the engine stands on, imported when they are needed; to type checkers they are unknown."""

from __future__ import annotations

from typing import Any

from ..._extras import import_extra

__all__ = ('import_mlx', 'import_mlx_lm')


def import_mlx() -> Any:
    """The module `mlx.core`."""
    return import_extra('mlx.core', extra='mlx', what='MLXModel')


def import_mlx_lm(module: str = '') -> Any:
    """The module `mlx_lm`, or one of those in it."""
    return import_extra(f'mlx_lm.{module}' if module else 'mlx_lm', extra='mlx', what='MLXModel')
