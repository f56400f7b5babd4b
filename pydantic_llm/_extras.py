"""Optional packages: imported when they are needed, with one sentence that says what to install where they are not."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

from .exceptions import UserError

__all__ = ('import_extra',)


def import_extra(module: str, *, extra: str, what: str) -> Any:
    """Import an optional package. `what` is what it is needed for; `extra` is the name to install."""
    try:
        imported: ModuleType = import_module(module)
    except ImportError as error:
        if error.name is None or error.name.partition('.')[0] != module.partition('.')[0]:
            raise
        package = module.partition('.')[0]
        raise UserError(f"{what} needs the package {package!r}: pip install 'pydantic-llm[{extra}]'") from error
    return imported
