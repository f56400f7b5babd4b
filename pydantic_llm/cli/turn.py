"""Runs one turn of a conversation, shows the response while it arrives, and prints notes on it.

Without tools and a schema, the model gets one request. With them, an agent runs, whose import takes longer.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence
from contextlib import AsyncExitStack
from time import perf_counter
from typing import Any

from ..messages import ModelMessage, ModelRequest, ModelResponse, PartStartEvent, UserContent, UserPromptPart
from ..models import StreamedResponse
from .attachments import name_media
from .notes import print_note
from .session import Session
from .texts import encode_json
from .turn_display import TurnDisplay, describe_other_content
from .usage_line import format_usage

__all__ = ('Turn',)

NOTES = {
    'length': 'The response is truncated: it reached the limit of tokens (--max-tokens).',
    'content_filter': 'The content filter of the vendor withheld the response or its end.',
    'error': 'The vendor failed in the middle of the response.',
}
"""The notes on finish reasons after which a response is not complete."""


class Turn:
    """A prompt and the response to it."""

    def __init__(self, session: Session, content: str | Sequence[UserContent]) -> None:
        self._session = session
        self._content = content = name_media(content)
        self._display = TurnDisplay(is_quiet=session.is_quiet, verbose=session.verbose)
        self._started = perf_counter()
        self._stream: StreamedResponse | None = None
        self._request = ModelRequest([UserPromptPart(content)], instructions=session.system)
        self._first_new = len(session.messages)
        self._captured: list[ModelMessage] | None = None
        self._messages: list[ModelMessage] | None = None
        self.output: Any = None
        """The text of the response, or the object that the schema describes."""
        self.seconds: float = 0.0
        """The time until the response was complete or interrupted."""

    @property
    def messages(self) -> list[ModelMessage]:
        """The messages of the turn; as far as they arrived, if it was interrupted."""
        if self._messages is not None:
            return self._messages
        if self._captured is not None:
            return self._captured[self._first_new :]
        return [] if self._stream is None else [self._request, self._stream.get()]

    @property
    def responses(self) -> list[ModelResponse]:
        """The responses of the turn."""
        return [message for message in self.messages if isinstance(message, ModelResponse)]

    @property
    def response(self) -> ModelResponse:
        """The newest response of the turn."""
        return self.responses[-1]

    @property
    def text(self) -> str:
        """The text of the last response; the object of a schema as JSON."""
        if self.output is not None and not isinstance(self.output, str):
            return encode_json(self.output)
        return self.response.text or ''

    async def run(self) -> None:
        """Send the prompt and show the response. Raises the errors of the model and of the agent."""
        is_plain = not self._session.toolsets and self._session.output_type is None
        try:
            await (self._run_model() if is_plain else self._run_agent())
        finally:
            self.seconds = perf_counter() - self._started
            self._display.finish()
        self._print_notes()

    async def _run_model(self) -> None:
        session = self._session
        messages = [*session.messages, self._request]
        if session.stream:
            async with session.model.request_stream(messages, session.settings) as self._stream:
                async for event in self._stream:
                    self._display.show(event)
            response = self._stream.get()
        else:
            response = await session.model.request(messages, session.settings)
            self._show_whole(response)
        self._messages = [self._request, response]
        self.output = response.text

    async def _run_agent(self) -> None:
        from ..agent import Agent, capture_run_messages
        from ..tools.deferred import DeferredToolRequests
        from .tool_calls import ask_for_approval

        session = self._session
        output_type = session.output_type or str
        agent: Agent[None, Any] = Agent(
            session.model,
            instructions=session.system,
            toolsets=session.toolsets,
            model_settings=session.settings,
            output_type=[output_type, DeferredToolRequests] if session.toolsets else output_type,
        )
        options: dict[str, Any] = {'user_prompt': self._content, 'message_history': session.messages}
        if session.stream:
            options['event_stream_handler'] = self._show_events
        async with AsyncExitStack() as stack:
            for toolset in session.toolsets:  # one session of a server for all runs of the turn
                await stack.enter_async_context(toolset)
            with capture_run_messages() as self._captured:
                result = await agent.run(**options)
            while isinstance(result.output, DeferredToolRequests):
                results = ask_for_approval(result.output)
                options |= {'user_prompt': None, 'message_history': result.all_messages()}
                with capture_run_messages() as self._captured:
                    result = await agent.run(**options, deferred_tool_results=results)
        self._messages = result.all_messages()[self._first_new :]
        self.output = result.output
        if not session.stream:
            self._show_whole(self.response)

    async def _show_events(self, _: object, events: AsyncIterable[Any]) -> None:
        async for event in events:
            self._display.show(event)
        self._display.finish()

    def _show_whole(self, response: ModelResponse) -> None:
        for index, part in enumerate(response.parts):
            self._display.show(PartStartEvent(index, part))

    def _print_notes(self) -> None:
        response = self.response
        for warning in response.warnings:
            print_note(f'Note: {warning}.')
        if response.finish_reason in NOTES:
            print_note(NOTES[response.finish_reason])
        elif not response.text and self._session.output_type is None and not response.files:
            print_note(f'The response has no text ({describe_other_content(response)}).')
        if self._session.verbose:
            print_note(format_usage(self.responses, self.seconds, self._display.first_event_after(self._started)))
