"""Import vLLM when it is needed. It is optional, and untyped here."""

from __future__ import annotations

from typing import Any

from ..._extras import import_extra

__all__ = ('import_vllm',)


def import_vllm(module: str = '') -> Any:
    """Import `vllm` or one of its modules. Raises `UserError` with the command that installs it."""
    return import_extra(f'vllm.{module}' if module else 'vllm', extra='vllm', what='VLLMModel')
