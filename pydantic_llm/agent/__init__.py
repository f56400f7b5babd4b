"""Agents: a model in a loop with tools, until there is an output. This is the only package that calls tools.

Read `agent` (the definition of an agent) and `entry_points` (the methods that run it). Then one run: `agent_run` and
`nodes` (its steps), `run_spec` and `run_state` (its data), `first_request`, `loop`, `tool_calls`, and `output_reader`
(from a response to an output). Last, streamed runs: `background_run` and `event_channel`, `partial_response`,
`response_stream`, `stream`. `agent_model` makes a model of an agent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy_names import import_lazily
from ..tools.context import RunContext
from ..tools.controls import CancellationToken
from ..tools.deferred import ToolDenied
from ..tools.options import ToolOptions
from ..tools.tool import Tool, ToolsPrepareFunc
from .agent import Agent
from .agent_run import AgentRun
from .capture import capture_run_messages
from .history_processors import HistoryProcessor
from .nodes import AgentNode, CallToolsNode, End, ModelRequestNode, UserPromptNode
from .options import AgentRetries, EventStreamHandler, RunOptions
from .output_types import EndStrategy, NativeOutput, OutputSpec, PromptedOutput, StructuredDict, TextOutput, ToolOutput
from .response_stream import AgentStream
from .result import AgentRunResult, AgentRunResultEvent, AgentStreamEvent, FinalResult
from .stream import AgentRunEvents, StreamedRunResult, StreamedRunResultSync

if TYPE_CHECKING:
    from ..models.instrumented import InstrumentationSettings
    from .agent_model import AgentModel

__all__ = (
    'Agent',
    'AgentModel',
    'AgentNode',
    'AgentRetries',
    'AgentRun',
    'AgentRunEvents',
    'AgentRunResult',
    'AgentRunResultEvent',
    'AgentStream',
    'AgentStreamEvent',
    'CallToolsNode',
    'CancellationToken',
    'End',
    'EndStrategy',
    'EventStreamHandler',
    'FinalResult',
    'HistoryProcessor',
    'InstrumentationSettings',
    'ModelRequestNode',
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
    'ToolDenied',
    'ToolOptions',
    'ToolOutput',
    'ToolsPrepareFunc',
    'UserPromptNode',
    'capture_run_messages',
)

if not TYPE_CHECKING:  # for a type checker, a module with this function has every name
    __getattr__ = import_lazily(
        __name__, {'AgentModel': 'agent_model', 'InstrumentationSettings': '.models.instrumented'}
    )
