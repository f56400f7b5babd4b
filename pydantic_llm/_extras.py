"""Imports optional packages when they are needed. A missing one is a `UserError` that names the extra to install."""

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
    'llamacpp': 'llama_cpp',
    'mistral': 'mistralai',
    'mlx': 'mlx_lm',
    'sentence-transformers': 'sentence_transformers',
}
"""The package that an extra installs, if its name differs from the extra's."""


def check_extra(extra: str, *, what: str) -> None:
    """Raise `UserError` if the package of an extra is not installed. Does not import it, which can take seconds."""
    package = PACKAGES.get(extra, extra)
    try:
        found = find_spec(package)
    except (ImportError, ValueError):  # a parent package is missing, or the module in `sys.modules` has no spec
        found = None
    if found is None and sys.modules.get(package) is None:
        raise UserError(_describe_missing(package, extra, what))


def import_extra(module: str, *, extra: str, what: str) -> Any:
    """Import and return an optional module. `extra` is the extra to install, `what` the feature that needs it."""
    try:
        imported: ModuleType = import_module(module)
    except ImportError as error:
        if error.name is None or error.name.partition('.')[0] != module.partition('.')[0]:
            raise
        package = PACKAGES.get(extra, '')
        if package.partition('.')[0] != (root := module.partition('.')[0]):
            package = root
        raise UserError(_describe_missing(package, extra, what)) from error
    return imported


def _describe_missing(package: str, extra: str, what: str) -> str:
    return f"{what} needs the package {package!r}: pip install 'pydantic-llm[{extra}]'"
