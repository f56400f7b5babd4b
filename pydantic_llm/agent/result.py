"""The result of a run: its output, its conversation and its usage."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Generic, Literal

from typing_extensions import TypeVar

from ..exceptions import UserError
from ..messages import (
    EnqueuedMessagesEvent,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponseStreamEvent,
    ToolProgressEvent,
    ToolReturnPart,
)
from ..messages._value import Block, Displayed
from ..usage import RunUsage

if TYPE_CHECKING:
    from ..cost import Cost
    from ..prices import PricesOfModels

__all__ = (
    'AgentRunResult',
    'AgentRunResultEvent',
    'AgentStreamEvent',
    'Conversation',
    'ConversationView',
    'FinalResult',
)

OutputT_co = TypeVar('OutputT_co', covariant=True, default=str)


@dataclass(kw_only=True)
class Conversation:
    """The messages of a run, with their ids and usage."""

    messages: list[ModelMessage]
    """All messages so far, including the history that was passed in."""
    first_new: int = 0
    """Index of the first message that does not come from the history."""
    usage: RunUsage = field(default_factory=RunUsage)
    run_id: str
    conversation_id: str
    output_call: str | None = None
    """Id of the tool call that returned the output; `None` if the output is text, or does not exist yet."""


@dataclass(frozen=True)
class FinalResult(Generic[OutputT_co]):
    """The output of a run, and the tool call that returned it."""

    output: OutputT_co

    tool_name: str | None = None
    """The name of the output tool; `None` if the output is not from a tool call."""

    tool_call_id: str | None = None
    """The id of the tool call."""


class ConversationView:
    """Read access to the conversation of a run."""

    _conversation: Conversation

    @property
    def usage(self) -> RunUsage:
        """The usage of the run, or of all runs that share the same `usage=`. `usage()` works too."""
        return self._conversation.usage

    def cost(self, *, prices: PricesOfModels | None = None) -> Cost:
        """Return the cost of this run's responses in US dollars: the sum of their `cost(prices=prices)`.

        A run that another agent or a tool made is not part of it.
        """
        from ..cost import add_costs

        messages = self._conversation.messages[self._conversation.first_new :]
        return add_costs(message.cost(prices=prices) for message in messages if isinstance(message, ModelResponse))

    @property
    def run_id(self) -> str:
        """The id of the run, as in its messages."""
        return self._conversation.run_id

    @property
    def conversation_id(self) -> str:
        """The id of the conversation, as in its messages."""
        return self._conversation.conversation_id

    @property
    def response(self) -> ModelResponse:
        """The model's last response."""
        messages = reversed(self._conversation.messages)
        found = next((message for message in messages if isinstance(message, ModelResponse)), None)
        if found is None:
            raise UserError('There is no response yet')
        return found

    def timestamp(self) -> datetime:
        """Return the time of the model's last response."""
        return self.response.timestamp

    def all_messages(self, *, output_tool_return_content: str | None = None) -> list[ModelMessage]:
        """Return all messages, including the history that was passed in.

        `output_tool_return_content` replaces the content of the tool result for the call that returned the output.
        """
        messages = list(self._conversation.messages)
        if output_tool_return_content is not None:
            output_call = self._conversation.output_call
            messages[-1] = _replace_tool_result(messages[-1], output_call, output_tool_return_content)
        return messages

    def new_messages(self, *, output_tool_return_content: str | None = None) -> list[ModelMessage]:
        """Return the messages of this run, without the history that was passed in."""
        messages = self.all_messages(output_tool_return_content=output_tool_return_content)
        return messages[self._conversation.first_new :]

    def all_messages_json(self, *, output_tool_return_content: str | None = None) -> bytes:
        """Return `all_messages` as JSON. `ModelMessagesTypeAdapter.validate_json` reads it."""
        return _dump(self.all_messages(output_tool_return_content=output_tool_return_content))

    def new_messages_json(self, *, output_tool_return_content: str | None = None) -> bytes:
        """Return `new_messages` as JSON. `ModelMessagesTypeAdapter.validate_json` reads it."""
        return _dump(self.new_messages(output_tool_return_content=output_tool_return_content))


def _dump(messages: list[ModelMessage]) -> bytes:
    from ..messages import ModelMessagesTypeAdapter  # made when it is first used

    return ModelMessagesTypeAdapter.dump_json(messages)


def _replace_tool_result(message: ModelMessage, tool_call_id: str | None, content: str) -> ModelMessage:
    """Return the message with other content in the result of this tool call."""
    if tool_call_id is None or not isinstance(message, ModelRequest):
        raise UserError('output_tool_return_content was given, but the model did not give the output by calling a tool')

    def replace_content(part: ModelRequestPart) -> ModelRequestPart:
        is_match = isinstance(part, ToolReturnPart) and part.tool_call_id == tool_call_id
        return replace(part, content=content) if is_match else part

    return replace(message, parts=[replace_content(part) for part in message.parts])


class AgentRunResult(ConversationView, Displayed, Generic[OutputT_co]):
    """The result of a finished run. Notebooks and `rich` show its output."""

    output: OutputT_co

    def __init__(self, output: OutputT_co, conversation: Conversation) -> None:
        self.output = output
        self._conversation = conversation

    @property
    def data(self) -> OutputT_co:
        """The output, by another name."""
        return self.output

    def _list_blocks(self, *, for_terminal: bool = False) -> list[Block]:
        """Return the output; for a terminal, the messages of the run."""
        from ..messages.display import list_blocks, list_output_blocks

        if for_terminal:
            return [block for message in self.new_messages() for block in list_blocks(message)]
        return list_output_blocks(self.output, self.response)

    def __repr__(self) -> str:
        return f'AgentRunResult(output={self.output!r})'


@dataclass
class AgentRunResultEvent(Generic[OutputT_co]):
    """The last event of a run, with its result."""

    result: AgentRunResult[OutputT_co]

    event_kind: Literal['agent_run_result'] = 'agent_run_result'


AgentStreamEvent = (
    ModelResponseStreamEvent
    | FunctionToolCallEvent
    | ToolProgressEvent
    | FunctionToolResultEvent
    | EnqueuedMessagesEvent
)
"""An event of a run: a piece of a response, a tool call's start, progress or result, or messages that were enqueued."""
