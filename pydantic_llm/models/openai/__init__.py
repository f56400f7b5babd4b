"""OpenAI's two APIs: Chat Completions (`chat`), which many other servers have too, and Responses (`responses`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy_names import import_lazily

if TYPE_CHECKING:
    from ..model_names import OpenAIModelName
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
    'OpenAIModelName',
    'OpenAIModelSettings',
    'OpenAIResponsesModel',
    'OpenAIResponsesModelSettings',
    'OpenRouterModelSettings',
)

_MODULES = {name: 'responses' if 'Responses' in name else 'chat' for name in __all__} | {
    'OpenAIModelName': '.model_names'
}
"""Name → its room: a program with one of the APIs does not import the other."""

if not TYPE_CHECKING:  # for a type checker, a module with this function has every name
    __getattr__ = import_lazily(__name__, _MODULES)
