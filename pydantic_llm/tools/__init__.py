"""Tools: functions that a model may call.

Read `definition` (a tool as a model sees it), `context` (the state of a run, for the functions that it calls), `tool`
(a tool made of a function), and `signature` with `docstrings` (the schema and the descriptions of a function).
"""

from __future__ import annotations

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
