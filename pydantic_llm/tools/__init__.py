"""Tools: functions that a model may call.

Read `definition` (a tool as a model sees it), `context` (the state of a run, for the functions that it calls), `tool`
(a tool made of a function), and `signature` with `docstrings` (the schema and the descriptions of a function).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .context import RunContext
    from .deferred import (
        DeferredToolApprovalResult,
        DeferredToolCallResult,
        DeferredToolRequests,
        DeferredToolResults,
        ToolApproved,
        ToolDenied,
    )
    from .definition import ObjectJsonSchema, ToolDefinition, ToolKind
    from .docstrings import DocstringFormat
    from .options import SystemPromptFunc
    from .tool import (
        ArgsValidatorFunc,
        Tool,
        ToolFuncContext,
        ToolFuncEither,
        ToolFuncPlain,
        ToolPrepareFunc,
        ToolsPrepareFunc,
    )

__all__ = (
    'ArgsValidatorFunc',
    'DeferredToolApprovalResult',
    'DeferredToolCallResult',
    'DeferredToolRequests',
    'DeferredToolResults',
    'DocstringFormat',
    'ObjectJsonSchema',
    'RunContext',
    'SystemPromptFunc',
    'Tool',
    'ToolApproved',
    'ToolDefinition',
    'ToolDenied',
    'ToolFuncContext',
    'ToolFuncEither',
    'ToolFuncPlain',
    'ToolKind',
    'ToolPrepareFunc',
    'ToolsPrepareFunc',
)

_MODULES = {
    **dict.fromkeys(('ObjectJsonSchema', 'ToolDefinition', 'ToolKind'), 'definition'),
    **dict.fromkeys(('RunContext',), 'context'),
    **dict.fromkeys(('DocstringFormat',), 'docstrings'),
    **dict.fromkeys(('SystemPromptFunc',), 'options'),
    **dict.fromkeys((name for name in __all__ if name.startswith('Deferred')), 'deferred'),
    **dict.fromkeys(('ToolApproved', 'ToolDenied'), 'deferred'),
}
"""Name → its module, if that is not `tool`."""

if not TYPE_CHECKING:  # for a type checker, a module with this function has every name

    def __getattr__(name: str) -> object:
        """Import a name from its module on first use: `definition`, which every model needs, imports no other."""
        if name not in __all__:
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        module = import_module(f'.{_MODULES.get(name, "tool")}', __name__)
        value = globals()[name] = getattr(module, name)
        return value
