"""Tools: functions that a model may call.

Read `definition` (a tool as a model sees it), `context` (the state of a run, for the functions that it calls), `tool`
(a tool made of a function), and `signature` with `docstrings` (the schema and the descriptions of a function).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy_names import import_lazily

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
    **dict.fromkeys(__all__, 'tool'),
    **dict.fromkeys(('ObjectJsonSchema', 'ToolDefinition', 'ToolKind'), 'definition'),
    **dict.fromkeys((name for name in __all__ if name.startswith('Deferred')), 'deferred'),
    **dict.fromkeys(('ToolApproved', 'ToolDenied'), 'deferred'),
    'RunContext': 'context',
    'DocstringFormat': 'docstrings',
    'SystemPromptFunc': 'options',
}
"""Name → its module: `definition`, which every model needs, imports no other."""

if not TYPE_CHECKING:  # for a type checker, a module with this function has every name
    __getattr__ = import_lazily(__name__, _MODULES)
