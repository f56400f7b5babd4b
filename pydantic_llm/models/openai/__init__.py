"""OpenAI's two APIs: Chat Completions (`chat`), which many other servers have too, and Responses (`responses`)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .chat import (
        OpenAIChatModel,
        OpenAIChatModelSettings,
        OpenAIModel,
        OpenAIModelSettings,
        OpenRouterModelSettings,
    )
    from .responses import OpenAIResponsesModel, OpenAIResponsesModelSettings

__all__ = (
    'OpenAIChatModel',
    'OpenAIChatModelSettings',
    'OpenAIModel',
    'OpenAIModelSettings',
    'OpenAIResponsesModel',
    'OpenAIResponsesModelSettings',
    'OpenRouterModelSettings',
)

if not TYPE_CHECKING:  # for a type checker, a module with this function has every name

    def __getattr__(name: str) -> object:
        """Import a name from its room on first use: a program with one of the APIs does not import the other."""
        if name not in __all__:
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        room = import_module('.responses' if 'Responses' in name else '.chat', __name__)
        value = globals()[name] = getattr(room, name)
        return value
