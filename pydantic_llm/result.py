"""Streamed results and kinds of output under the name of pydantic-ai's module: see `agent`."""

from .agent.output_types import ToolOutput
from .agent.stream import StreamedRunResult, StreamedRunResultSync

__all__ = ('StreamedRunResult', 'StreamedRunResultSync', 'ToolOutput')
