"""Tools: functions that a model may call.

`definition` is a tool as a model sees it, `context` what a function knows of the run that calls it, `tool` makes a tool
of a function: `signature` and `docstrings` read its schema and its description.
"""

from __future__ import annotations

from .context import RunContext
from .definition import ObjectJsonSchema, ToolDefinition, ToolKind
from .docstrings import DocstringFormat
from .tool import Tool, ToolPrepareFunction

__all__ = (
    'DocstringFormat',
    'ObjectJsonSchema',
    'RunContext',
    'Tool',
    'ToolDefinition',
    'ToolKind',
    'ToolPrepareFunction',
)
