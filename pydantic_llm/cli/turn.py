"""Sends one request to a model, shows the response while it arrives, and prints notes on it."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from time import perf_counter
from typing import cast

from ..messages import (
    FilePart,
    ModelMessage,
    ModelResponse,
    ModelResponseStreamEvent,
    NativeToolCallPart,
    PartDeltaEvent,
    PartStartEvent,
    StreamRestartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
)
from ..models import Model, StreamedResponse
from ..settings import ModelSettings
from .parser import THINKING
from .screen import Screen, open_screen

__all__ = ('Turn', 'print_note', 'read_settings')

SETTINGS = ('temperature', 'max_tokens', 'seed', 'timeout')
"""The options with the name and the value of a setting."""

NOTES = {
    'length': 'The response is truncated: it reached the limit of tokens (--max-tokens).',
    'content_filter': 'The content filter of the vendor withheld the response or its end.',
    'error': 'The vendor failed in the middle of the response.',
}
"""The notes on finish reasons after which a response is not complete."""


def read_settings(arguments: Namespace) -> ModelSettings:
    """Return the settings of the options that are set."""
    settings = {name: getattr(arguments, name) for name in SETTINGS if getattr(arguments, name) is not None}
    if arguments.thinking is not None:
        settings['thinking'] = THINKING[arguments.thinking]
    return cast('ModelSettings', settings)


class Turn:
    """One request to a model, whose response is shown on the screen."""

    def __init__(self, model: Model, settings: ModelSettings, *, stream: bool = True, verbose: bool = False) -> None:
        self._model = model
        self._settings = settings
        self._stream = stream
        self._verbose = verbose
        self._response_stream: StreamedResponse | None = None

    @property
    def partial_response(self) -> ModelResponse | None:
        """The response as far as it arrived, for a turn that was interrupted; `None` before it is streamed."""
        return None if self._response_stream is None else self._response_stream.get()

    async def run(self, messages: Sequence[ModelMessage]) -> ModelResponse:
        started = perf_counter()
        first: float | None = None
        if not self._stream:
            response = await self._model.request(messages, self._settings)
            with open_screen() as screen:
                for index, part in enumerate(response.parts):
                    _show_event(PartStartEvent(index, part), screen)
        else:
            async with self._model.request_stream(messages, self._settings) as self._response_stream:
                with open_screen() as screen:
                    async for event in self._response_stream:
                        first = first or perf_counter() - started
                        _show_event(event, screen)
                response = self._response_stream.get()
        self._print_notes(response, perf_counter() - started, first)
        return response

    def _print_notes(self, response: ModelResponse, seconds: float, first: float | None) -> None:
        for warning in response.warnings:
            print_note(f'Note: {warning}.')
        if response.finish_reason in NOTES:
            print_note(NOTES[response.finish_reason])
        elif not response.text:
            print_note(f'The response has no text ({_describe_other_content(response)}).')
        if self._verbose:
            print_note(_format_usage(response, seconds, first))


def print_note(text: str) -> None:
    """Print a text to the standard error, dimmed on a terminal. The standard output is for responses alone."""
    if sys.stderr.isatty():
        with suppress(ImportError):
            from rich.console import Console

            Console(stderr=True, highlight=False).print(text, style='dim', markup=False, soft_wrap=True)
            return
    print(text, file=sys.stderr)


def _show_event(event: ModelResponseStreamEvent, screen: Screen) -> None:
    match event:
        case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            screen.text(text)
        case PartStartEvent(part=ThinkingPart(content=text)):
            screen.thinking(text)
        case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=str() as text)):
            screen.thinking(text)
        case PartStartEvent(part=NativeToolCallPart(tool_name=name)):
            screen.thinking(f'[{name}]\n\n')
        case StreamRestartEvent(model_name=name):
            screen.thinking(f'\n\n[The response broke off; {name} starts again.]\n\n')
        case _:
            pass


def _describe_other_content(response: ModelResponse) -> str:
    kinds = {FilePart: 'a file', ToolCallPart: 'a tool call', ThinkingPart: 'thinking'}
    names = [name for kind, name in kinds.items() if any(isinstance(part, kind) for part in response.parts)]
    return f'but {" and ".join(names)}' if names else f'it stopped with {response.finish_reason!r}'


def _format_usage(response: ModelResponse, seconds: float, first: float | None) -> str:
    usage = response.usage
    cached = f' ({usage.cache_read_tokens} cached)' if usage.cache_read_tokens else ''
    latency = f', the first event after {first:.1f} s' if first is not None else ''
    name = f'{response.provider_name or "?"}:{response.model_name or "?"}'
    return f'{name}: {usage.input_tokens}{cached} tokens in, {usage.output_tokens} out, {seconds:.1f} s{latency}'
