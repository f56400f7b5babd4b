"""Calls the history processors of a run: functions that choose the messages of each request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any, cast

from .._type_checks import check_messages, describe_value
from ..exceptions import UserError
from ..messages import ModelMessage, ModelRequest
from ..tools.context import RunContext
from ..tools.context_functions import ContextFunction
from .run_state import RunState

__all__ = ('HistoryProcessor', 'parse_processors', 'process_history')

_Messages = list[ModelMessage]

HistoryProcessor = (
    Callable[[_Messages], Sequence[ModelMessage] | Awaitable[Sequence[ModelMessage]]]
    | Callable[[RunContext[Any], _Messages], Sequence[ModelMessage] | Awaitable[Sequence[ModelMessage]]]
)
"""A function that returns the messages to send. It may take a `RunContext` first."""


def parse_processors(given: object) -> list[ContextFunction]:
    """Return the processors. Raises `UserError` if one is not a function of the messages."""
    if given is None:
        return []
    if not isinstance(given, (list, tuple)):
        raise UserError(f'history_processors takes a list of functions, not {describe_value(given)}')
    if wrong := [each for each in cast('Sequence[object]', given) if not callable(each)]:
        raise UserError(f'history_processors takes a list of functions, not {describe_value(wrong[0])}')
    return [ContextFunction.of(function, arguments=1) for function in cast('Sequence[HistoryProcessor]', given)]


async def process_history(run: RunState, refused: Sequence[ModelMessage] = ()) -> list[ModelMessage]:
    """Return the messages to send: those of the conversation, passed through the history processors.

    `refused` are the messages that the vendor did not accept, since they are too long. The conversation itself is not
    changed. Raises `UserError` if a processor returns what cannot be sent.
    """
    recorded = run.messages
    messages = list(recorded)
    context = replace(run.context, refused_messages=refused) if refused else run.context
    for processor in run.spec.history_processors:
        messages = _check_result(await processor(context, list(messages)), processor, messages, recorded[-1])
    return messages


def _check_result(
    value: object, processor: ContextFunction, given: Sequence[ModelMessage], newest: ModelMessage
) -> list[ModelMessage]:
    """Return the messages that a processor returned, with the instructions of the newest request.

    The last ones that it was given were checked before: a conversation can have thousands.
    """
    start = f'The history processor {processor.name!r} returned'
    if not isinstance(value, (list, tuple)):
        raise UserError(f'{start} {describe_value(value)}; it must return a list of messages')
    messages = list(cast('Sequence[ModelMessage]', value))
    if messages != given:
        check_messages(
            _drop_same_end(messages, given), parameter=f'What the history processor {processor.name!r} returned'
        )
    if not messages:
        raise UserError(f'{start} no messages; it must keep the newest request')
    last = messages[-1]
    if isinstance(newest, ModelRequest) and not isinstance(last, ModelRequest):
        raise UserError(f'{start} messages that end with a response; it must keep the newest request')
    if isinstance(newest, ModelRequest) and isinstance(last, ModelRequest) and last.instructions is None:
        messages[-1] = last if newest.instructions is None else replace(last, instructions=newest.instructions)
    return messages


def _drop_same_end(messages: Sequence[ModelMessage], given: Sequence[ModelMessage]) -> Sequence[ModelMessage]:
    """Return the messages without those at their end that are at the end of `given` too."""
    pairs = zip(reversed(messages), reversed(given), strict=False)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] is pair[1], pairs))
    return messages[: len(messages) - same]
