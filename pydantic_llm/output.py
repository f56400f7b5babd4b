"""What an agent returns: the markers of output types, under the names of pydantic-ai's module."""

from __future__ import annotations

from .agent import NativeOutput, PromptedOutput, StructuredDict, TextOutput, ToolOutput
from .agent.output_types import OutputSpec
from .models import OutputMode, OutputObjectDefinition
from .profiles import StructuredOutputMode

__all__ = (
    'NativeOutput',
    'OutputMode',
    'OutputObjectDefinition',
    'OutputSpec',
    'PromptedOutput',
    'StructuredDict',
    'StructuredOutputMode',
    'TextOutput',
    'ToolOutput',
)
