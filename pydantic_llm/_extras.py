"""Optional packages: imported when they are needed, with one sentence that says what to install where they are not."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from .exceptions import UserError

__all__ = ('check_extra', 'import_extra')

PACKAGES: dict[str, str] = {
    'bedrock': 'boto3',
    'google': 'google.auth',
    'huggingface': 'huggingface_hub',
    'mistral': 'mistralai',
    'mlx': 'mlx_lm',
}
"""The package that an extra installs, where it is not called like the extra."""


def check_extra(extra: str, *, what: str) -> None:
    """Raise a `UserError` where the package of an extra is not installed. It is not imported, which can take long."""
    package = PACKAGES.get(extra, extra)
    try:
        found = find_spec(package)
    except (ImportError, ValueError):  # a part of its name is not there, or it was made by hand
        found = None
    if found is None and sys.modules.get(package) is None:
        raise UserError(_missing(package, extra, what))


def import_extra(module: str, *, extra: str, what: str) -> Any:
    """Import an optional package. `what` is what it is needed for; `extra` is the name to install."""
    try:
        imported: ModuleType = import_module(module)
    except ImportError as error:
        if error.name is None or error.name.partition('.')[0] != module.partition('.')[0]:
            raise
        raise UserError(_missing(module.partition('.')[0], extra, what)) from error
    return imported


def _missing(package: str, extra: str, what: str) -> str:
    return f"{what} needs the package {package!r}: pip install 'pydantic-llm[{extra}]'"
