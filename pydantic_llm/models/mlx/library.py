"""Import MLX and mlx-lm when they are needed. They are optional, and untyped here."""

from __future__ import annotations

from typing import Any

from ..._extras import import_extra

__all__ = ('import_mlx', 'import_mlx_lm', 'import_mlx_utils')


def import_mlx() -> Any:
    """Import `mlx.core`. Raises `UserError` with the command that installs it."""
    return import_extra('mlx.core', extra='mlx', what='MLXModel')


def import_mlx_utils() -> Any:
    """Import `mlx.utils`. Raises `UserError` with the command that installs it."""
    return import_extra('mlx.utils', extra='mlx', what='MLXModel')


def import_mlx_lm(module: str = '') -> Any:
    """Import `mlx_lm` or one of its modules. Raises `UserError` with the command that installs it."""
    return import_extra(f'mlx_lm.{module}' if module else 'mlx_lm', extra='mlx', what='MLXModel')
