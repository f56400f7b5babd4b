"""The library that the engine stands on, imported when it is needed; to type checkers it is unknown."""

from __future__ import annotations

from typing import Any

from ..._extras import import_extra

__all__ = ('import_vllm',)


def import_vllm(module: str = '') -> Any:
    """The package `vllm`, or a module in it."""
    return import_extra(f'vllm.{module}' if module else 'vllm', extra='vllm', what='VLLMModel')
