"""Agents: a model in a loop with tools, until it has given the output. The only place that calls tools.

Read `agent` (what an agent is), `_runs` (the ways to run it), `_run` and `_loop` (one run), `_calls` (tools at work),
`_output` (what an answer becomes), `stream` and `_live` (a run that is watched).
"""

from __future__ import annotations

from ..tools.context import RunContext
from ..tools.tool import Tool
from .agent import Agent
from .capture import capture_run_messages
from .options import EventStreamHandler, RunOptions, ToolOptions
from .output_types import EndStrategy, NativeOutput, OutputSpec, PromptedOutput, StructuredDict, TextOutput, ToolOutput
from .result import AgentRunResult, AgentRunResultEvent, AgentStreamEvent
from .stream import AgentRunEvents, StreamedRunResult, StreamedRunResultSync

__all__ = (
    'Agent',
    'AgentRunEvents',
    'AgentRunResult',
    'AgentRunResultEvent',
    'AgentStreamEvent',
    'EndStrategy',
    'EventStreamHandler',
    'NativeOutput',
    'OutputSpec',
    'PromptedOutput',
    'RunContext',
    'RunOptions',
    'StreamedRunResult',
    'StreamedRunResultSync',
    'StructuredDict',
    'TextOutput',
    'Tool',
    'ToolOptions',
    'ToolOutput',
    'capture_run_messages',
)
