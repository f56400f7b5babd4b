"""One answer: ask a model, show what it says as it comes, and tell what it cost."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
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
from .arguments import THINKING
from .screen import Screen, open_screen

__all__ = ('Turn', 'read_settings', 'tell')

SETTINGS = ('temperature', 'max_tokens', 'seed', 'timeout')
"""The options that are settings as they are."""

REASONS = {
    'length': 'The answer was cut: it reached the limit of tokens (--max-tokens).',
    'content_filter': 'The vendor withheld the answer or its end (content filter).',
    'error': 'The vendor failed in the middle of the answer.',
}
"""What is said of an answer that did not end by itself."""


def read_settings(given: Namespace) -> ModelSettings:
    """The settings that were typed."""
    settings = {name: getattr(given, name) for name in SETTINGS if getattr(given, name) is not None}
    if given.thinking is not None:
        settings['thinking'] = THINKING[given.thinking]
    return cast('ModelSettings', settings)


class Turn:
    """One answer of a model, on the screen."""

    def __init__(self, model: Model, settings: ModelSettings, *, stream: bool = True, verbose: bool = False) -> None:
        self._model = model
        self._settings = settings
        self._stream = stream
        self._verbose = verbose
        self._answer: StreamedResponse | None = None

    @property
    def so_far(self) -> ModelResponse | None:
        """What had arrived when the turn was interrupted."""
        return None if self._answer is None else self._answer.get()

    async def take(self, messages: Sequence[ModelMessage]) -> ModelResponse:
        """Ask, and show the answer. What is still missing after an interruption is in `so_far`."""
        started = perf_counter()
        first: float | None = None
        if not self._stream:
            response = await self._model.request(messages, self._settings)
            with open_screen() as screen:
                _show_whole(response, screen)
        else:
            async with self._model.request_stream(messages, self._settings) as self._answer:
                with open_screen() as screen:
                    async for event in self._answer:
                        first = first or perf_counter() - started
                        _show(event, screen)
                response = self._answer.get()
        self._report(response, perf_counter() - started, first)
        return response

    def _report(self, response: ModelResponse, seconds: float, first: float | None) -> None:
        for warning in response.warnings:
            tell(f'Note: {warning}.')
        if response.finish_reason in REASONS:
            tell(REASONS[response.finish_reason])
        elif not response.text:
            tell(f'The model gave no text ({_said_instead(response)}).')
        if self._verbose:
            tell(_facts(response, seconds, first))


def tell(text: str) -> None:
    """Say something that is not part of the answer."""
    if not sys.stderr.isatty():
        print(text, file=sys.stderr)
        return
    try:
        from rich.console import Console
    except ImportError:
        print(text, file=sys.stderr)
        return
    Console(stderr=True, highlight=False).print(text, style='dim', markup=False, soft_wrap=True)


def _show(event: ModelResponseStreamEvent, screen: Screen) -> None:
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
            screen.thinking(f'\n\n[The answer broke off; {name} begins anew.]\n\n')
        case _:
            pass


def _show_whole(response: ModelResponse, screen: Screen) -> None:
    for index, part in enumerate(response.parts):
        _show(PartStartEvent(index, part), screen)


def _said_instead(response: ModelResponse) -> str:
    kinds = {FilePart: 'a file', ToolCallPart: 'a call of a tool', ThinkingPart: 'thoughts'}
    found = [name for kind, name in kinds.items() if any(isinstance(part, kind) for part in response.parts)]
    return f'but {" and ".join(found)}' if found else f'it stopped with {response.finish_reason!r}'


def _facts(response: ModelResponse, seconds: float, first: float | None) -> str:
    usage = response.usage
    cached = f' ({usage.cache_read_tokens} cached)' if usage.cache_read_tokens else ''
    waited = f', the first words after {first:.1f} s' if first is not None else ''
    name = f'{response.provider_name or "?"}:{response.model_name or "?"}'
    return f'{name}: {usage.input_tokens}{cached} tokens in, {usage.output_tokens} out, {seconds:.1f} s{waited}'
