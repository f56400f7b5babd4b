"""`TurnDisplay` shows the events of a turn: text and thinking on the screen, tool calls as notes."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from ..messages import (
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    ModelResponse,
    NativeToolCallPart,
    PartDeltaEvent,
    PartStartEvent,
    RetryPromptPart,
    StreamRestartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolReturnPart,
)
from .notes import print_note, shorten
from .screen import Screen, open_screen

__all__ = ('TurnDisplay', 'describe_other_content')

MAX_NOTE = 200
"""The most characters of the arguments or the result of a tool in a note."""


class TurnDisplay:
    """Shows one turn. A screen is opened for each response, and closed before a note is printed."""

    def __init__(self, *, is_quiet: bool, verbose: bool) -> None:
        self._is_quiet = is_quiet
        self._verbose = verbose
        self._screen: Screen | None = None
        self._first_event: float | None = None

    def first_event_after(self, started: float) -> float | None:
        """Return the seconds from a start to the first event, or `None` if there was no event."""
        return None if self._first_event is None else self._first_event - started

    def show(self, event: Any) -> None:
        self._first_event = self._first_event or perf_counter()
        match event:
            case FunctionToolCallEvent(part=call):
                self._print_note(f'Calling {_describe_call(call)}')
            case FunctionToolResultEvent(result=RetryPromptPart() as result):
                self._print_note(f'{result.tool_name} failed: {shorten(result.model_response(), MAX_NOTE)}')
            case FunctionToolResultEvent(result=ToolReturnPart(outcome='failed') as result):
                self._print_note(f'{result.tool_name} failed: {shorten(str(result.content), MAX_NOTE)}')
            case FunctionToolResultEvent(result=ToolReturnPart(outcome='denied') as result):
                self._print_note(f'{result.tool_name} was not called')
            case FunctionToolResultEvent(result=result) if self._verbose:
                self._print_note(f'{result.tool_name} returned {shorten(str(result.content), MAX_NOTE)}')
            case _ if not self._is_quiet:
                self._show_content(event)
            case _:
                pass

    def finish(self) -> None:
        """Restore the state of the terminal."""
        if self._screen is not None:
            self._screen.finish()
            self._screen = None

    def _show_content(self, event: Any) -> None:
        match event:
            case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                self._open_screen().text(text)
            case PartStartEvent(part=ThinkingPart(content=text)):
                self._open_screen().thinking(text)
            case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=str() as text)):
                self._open_screen().thinking(text)
            case PartStartEvent(part=NativeToolCallPart(tool_name=name)):
                self._open_screen().thinking(f'[{name}]\n\n')
            case StreamRestartEvent(model_name=name):
                self._open_screen().thinking(f'\n\n[The response broke off; {name} starts again.]\n\n')
            case _:
                pass

    def _open_screen(self) -> Screen:
        if self._screen is None:
            self._screen = open_screen().__enter__()
        return self._screen

    def _print_note(self, text: str) -> None:
        self.finish()
        print_note(text)


def describe_other_content(response: ModelResponse) -> str:
    """Describe a response without text, for a note: what else it has, or why it ended."""
    kinds = {ToolCallPart: 'a tool call', ThinkingPart: 'thinking'}
    names = [name for kind, name in kinds.items() if any(isinstance(part, kind) for part in response.parts)]
    return f'but {" and ".join(names)}' if names else f'it stopped with {response.finish_reason!r}'


def _describe_call(call: ToolCallPart) -> str:
    return f'{call.tool_name}({shorten(call.args_as_json_str(), MAX_NOTE)})'
