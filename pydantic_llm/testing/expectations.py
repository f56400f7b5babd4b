"""The comparisons of `ModelSuite`. Each raises `AssertionError` with a sentence that names the difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from ..messages import (
    FinalResultEvent,
    ModelMessage,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    StreamRestartEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from ..models import Model, ModelRequestParameters
from ..settings import ModelSettings
from ..streaming.event_parts import EventParts


def expect(condition: bool, problem: str) -> None:
    """Raise `AssertionError` unless the condition holds."""
    if not condition:
        raise AssertionError(problem)


async def read_stream(
    model: Model,
    messages: Sequence[ModelMessage],
    settings: ModelSettings | None = None,
    parameters: ModelRequestParameters | None = None,
) -> tuple[ModelResponse, list[ModelResponseStreamEvent]]:
    """Return the response of a stream that was read to its end, and its events."""
    async with model.request_stream(messages, settings, parameters) as stream:
        events = [event async for event in stream]
        return stream.get(), events


def facts_of(response: ModelResponse) -> list[Any]:
    """Return the facts of a response that do not change with each request: no ids, no times."""
    return [response.finish_reason, response.state, [_describe_part(part) for part in response.parts]]


def _describe_part(part: ModelResponsePart) -> Any:
    match part:
        case TextPart(content=content) | ThinkingPart(content=content):
            return part.part_kind, content
        case ToolCallPart():
            return part.part_kind, part.tool_name, part.args_as_dict(raise_if_invalid=False)
        case _:
            return part.part_kind


def check_events(
    events: Sequence[ModelResponseStreamEvent],
    parts: Sequence[ModelResponsePart],
    parameters: ModelRequestParameters | None,
) -> None:
    """Check that the parts start, grow and end in order, and that the events replay to them.

    `parameters` are those of the request; `None` for events of a decoder, which has no `FinalResultEvent`.
    """
    replayed, begun, ended = EventParts(), set[int](), Counter[int]()
    for event in events:
        match event:
            case StreamRestartEvent():
                begun.clear()
                ended.clear()
            case PartStartEvent(index=index):
                begun.add(index)
            case PartDeltaEvent(index=index) | PartEndEvent(index=index):
                expect(index in begun, f'{event!r} comes before the start of its part')
                expect(not ended[index], f'{event!r} comes after the end of its part')
                ended[index] += isinstance(event, PartEndEvent)
            case _:
                pass
        replayed.add(event)
    expect(ended.keys() == begun, f'the parts {sorted(begun - ended.keys())} have no PartEndEvent')
    expect(_without_ids(replayed.get()) == _without_ids(parts), f'the events replay to {replayed.get()}, not {parts}')
    if parameters is not None:
        _check_final_result(events, parts, parameters)


def _without_ids(parts: Sequence[ModelResponsePart]) -> list[ModelResponsePart]:
    """Return the parts with the details of the vendor, which may come after the last event, removed."""
    return [replace(part, provider_details=None) for part in parts]


def _check_final_result(
    events: Sequence[ModelResponseStreamEvent], parts: Sequence[ModelResponsePart], parameters: ModelRequestParameters
) -> None:
    found = [event for event in events if isinstance(event, FinalResultEvent)]
    outputs = {tool.name for tool in parameters.output_tools}
    has_output = any(
        (isinstance(part, TextPart) and parameters.allow_text_output and parameters.output_mode != 'tool')
        or (isinstance(part, ToolCallPart) and part.tool_name in outputs)
        for part in parts
    )
    if not any(isinstance(event, StreamRestartEvent) for event in events):
        expect(len(found) == has_output, f'the stream had {len(found)} FinalResultEvents for the parts {parts}')


def check_tool_calls(response: ModelResponse, names: Collection[str]) -> None:
    """Check that each tool call is of a tool of the request, with an object as its arguments and an id of its own."""
    calls = response.tool_calls
    for call in calls:
        expect(call.tool_name in names, f'the tool {call.tool_name!r} was called; the request has {sorted(names)}')
        call.args_as_dict()
    ids = [call.tool_call_id for call in calls]
    expect(all(ids) and len({*ids}) == len(ids), f'the ids of the tool calls are {ids}')
