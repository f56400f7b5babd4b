"""Helps to test programs with models, and models themselves.

`pytest_plugin`, which pytest loads, has the option `--llm` and the fixtures. `server` is the server of the fixture
`llm_server`, `recordings` finds the file of the fixture `recorded_model`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .recordings import RecordedModels as RecordedModels
    from .server import LLMServer as LLMServer

__all__ = ('LLMServer', 'RecordedModels')

HOMES = {
    'LLMServer': 'server',
    'RecordedModels': 'recordings',
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: pytest imports this package in every project where it is installed."""
    if name in HOMES:
        return getattr(import_module(f'.{HOMES[name]}', __name__), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
