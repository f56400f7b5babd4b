"""What a run gives: the output, the conversation, and what it used."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, Literal

from typing_extensions import TypeVar

from ..exceptions import UserError
from ..messages import (
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponseStreamEvent,
    ToolReturnPart,
)
from ..usage import RunUsage

__all__ = ('AgentRunResult', 'AgentRunResultEvent', 'AgentStreamEvent', 'Conversation', 'ConversationView')

OutputT_co = TypeVar('OutputT_co', covariant=True, default=str)


@dataclass(kw_only=True)
class Conversation:
    """The messages of a run, and what belongs to them."""

    messages: list[ModelMessage]
    """All messages so far, the history that was passed in included."""
    first_new: int = 0
    """The place of the first message that is not from the history."""
    usage: RunUsage = field(default_factory=RunUsage)
    """What was used so far."""
    run_id: str
    """The id of the run."""
    conversation_id: str
    """The id of the conversation."""
    output_call: str | None = None
    """The id of the call that gave the output; `None` where the model gave it as text, or has not given it yet."""


class ConversationView:
    """What can be asked of a run's conversation."""

    _conversation: Conversation

    @property
    def usage(self) -> RunUsage:
        """What the run used; of several runs with the same `usage=`, what they used together. `usage()` works too."""
        return self._conversation.usage

    @property
    def run_id(self) -> str:
        """The id of the run, which its messages bear."""
        return self._conversation.run_id

    @property
    def conversation_id(self) -> str:
        """The id of the conversation, which its messages bear."""
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
        """When the model's last response was made."""
        return self.response.timestamp

    def all_messages(self, *, output_tool_return_content: str | None = None) -> list[ModelMessage]:
        """All messages, the history that was passed in included.

        `output_tool_return_content` is what the model shall read as the answer to the call that gave the output.
        """
        messages = list(self._conversation.messages)
        if output_tool_return_content is not None:
            messages[-1] = _with_answer(messages[-1], self._conversation.output_call, output_tool_return_content)
        return messages

    def new_messages(self, *, output_tool_return_content: str | None = None) -> list[ModelMessage]:
        """The messages of this run, without the history that was passed in."""
        messages = self.all_messages(output_tool_return_content=output_tool_return_content)
        return messages[self._conversation.first_new :]

    def all_messages_json(self, *, output_tool_return_content: str | None = None) -> bytes:
        """`all_messages` as JSON, which `ModelMessagesTypeAdapter.validate_json` reads."""
        messages = self.all_messages(output_tool_return_content=output_tool_return_content)
        return ModelMessagesTypeAdapter.dump_json(messages)

    def new_messages_json(self, *, output_tool_return_content: str | None = None) -> bytes:
        """`new_messages` as JSON, which `ModelMessagesTypeAdapter.validate_json` reads."""
        messages = self.new_messages(output_tool_return_content=output_tool_return_content)
        return ModelMessagesTypeAdapter.dump_json(messages)


def _with_answer(message: ModelMessage, call: str | None, content: str) -> ModelMessage:
    if call is None or not isinstance(message, ModelRequest):
        raise UserError('output_tool_return_content was given, but the model did not give the output by calling a tool')

    def answer(part: ModelRequestPart) -> ModelRequestPart:
        is_the_one = isinstance(part, ToolReturnPart) and part.tool_call_id == call
        return replace(part, content=content) if is_the_one else part

    return replace(message, parts=[answer(part) for part in message.parts])


class AgentRunResult(ConversationView, Generic[OutputT_co]):
    """What a run gave."""

    output: OutputT_co
    """The output."""

    def __init__(self, output: OutputT_co, conversation: Conversation) -> None:
        self.output = output
        self._conversation = conversation

    @property
    def data(self) -> OutputT_co:
        """The same as `output`."""
        return self.output

    def __repr__(self) -> str:
        return f'AgentRunResult(output={self.output!r})'


@dataclass
class AgentRunResultEvent(Generic[OutputT_co]):
    """The run is over."""

    result: AgentRunResult[OutputT_co]
    """What it gave."""

    event_kind: Literal['agent_run_result'] = 'agent_run_result'
    """The kind of event, for telling events apart."""


AgentStreamEvent = ModelResponseStreamEvent | FunctionToolCallEvent | FunctionToolResultEvent
"""What happens in a run: the answers as they are written, and the tools at work."""
