"""Runs and their results under the name of pydantic-ai's module: see `agent`."""

from .agent.agent_run import AgentRun
from .agent.result import AgentRunResult, AgentRunResultEvent

__all__ = ('AgentRun', 'AgentRunResult', 'AgentRunResultEvent')
