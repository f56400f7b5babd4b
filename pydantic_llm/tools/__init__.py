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
from .tool import Tool, ToolPrepareFunction

__all__ = (
    'DeferredToolApprovalResult',
    'DeferredToolCallResult',
    'DeferredToolRequests',
    'DeferredToolResults',
    'DocstringFormat',
    'ObjectJsonSchema',
    'RunContext',
    'Tool',
    'ToolApproved',
    'ToolDefinition',
    'ToolDenied',
    'ToolKind',
    'ToolPrepareFunction',
)
