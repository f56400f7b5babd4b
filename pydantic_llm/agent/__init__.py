"""Agents: a model in a loop with tools, until there is an output. This is the only package that calls tools.

Read `agent` (the definition of an agent) and `entry_points` (the methods that run it). Then one run: `run_spec` and
`run_state` (its data), `first_request`, `loop`, `tool_calls`, and `output_reader` (from a response to an output). Last,
streamed runs: `background_run` and `event_channel`, `partial_response`, `stream`.
"""

from __future__ import annotations

from ..tools.context import RunContext
from ..tools.options import ToolOptions
from ..tools.tool import Tool
from .agent import Agent
from .capture import capture_run_messages
from .options import EventStreamHandler, RunOptions
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
