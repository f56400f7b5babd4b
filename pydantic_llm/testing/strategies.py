"""Hypothesis strategies for conversations, responses, and ways to split text. Only `WireSuite` imports this module."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, cast

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..json_types import Json
from ..messages import (
    BinaryContent,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from ..messages.response import ModelResponsePart
from ..tools.definition import ToolDefinition
from ..usage import RequestUsage
from .exchange import Splitter
from .room import Room

texts: SearchStrategy[str] = st.text(
    st.characters(codec='utf-8', exclude_characters='\x00'), min_size=1, max_size=30
).filter(lambda text: text.strip() and not text.lstrip().startswith('<'))
"""Text that is not blank and does not start with a tag."""

names: SearchStrategy[str] = st.from_regex(r'[a-z][a-z0-9_]{0,15}', fullmatch=True)
ids: SearchStrategy[str] = st.from_regex(r'call_[A-Za-z0-9]{8}', fullmatch=True)
counts: SearchStrategy[int] = st.integers(0, 10**6)

json_values: SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(texts, children, max_size=3),
    max_leaves=6,
)
objects: SearchStrategy[dict[str, Any]] = st.dictionaries(texts, json_values, max_size=4)


@st.composite
def arguments(draw: st.DrawFn) -> str:
    """Draw the text of a JSON object, with any whitespace that a vendor may use."""
    separators = draw(st.sampled_from([(',', ':'), (', ', ': '), (' ,', ' : ')]))
    indent = draw(st.sampled_from([None, None, 1]))
    return json.dumps(draw(objects), separators=separators, indent=indent, ensure_ascii=draw(st.booleans()))


def item_fields(room: Room) -> dict[str, Any]:
    """Return the fields of an item, if every part of the API is an item."""
    return {'id': st.just('item'), 'provider_name': st.just(room.build().system)} if room.features.item_ids else {}


@st.composite
def tool_calls(draw: st.DrawFn, room: Room) -> ToolCallPart:
    """Draw a tool call."""
    args: Any = draw(arguments())
    own = {name: draw(value) for name, value in item_fields(room).items()}
    if room.features.signs_tool_calls:
        own['provider_name'] = room.build().system
    return ToolCallPart(draw(names), args if room.features.arguments_as_text else json.loads(args), draw(ids), **own)


def thinking_parts(room: Room) -> st.SearchStrategy[ThinkingPart]:
    """Return thinking parts as the room decodes them."""
    name = st.just(room.build().system)
    if room.features.item_ids:
        return st.builds(ThinkingPart, texts, signature=st.none() | names, **item_fields(room))
    if room.features.signatures:
        return st.builds(ThinkingPart, texts, signature=names, provider_name=name)
    ids = st.none() if room.features.any_order else st.sampled_from(room.features.thinking_ids)
    return st.builds(ThinkingPart, texts, id=ids, provider_name=name)


@st.composite
def parts(draw: st.DrawFn, room: Room) -> list[ModelResponsePart]:
    """Draw the parts of a response that the API can represent."""
    text = st.builds(TextPart, texts, **item_fields(room))
    if room.features.any_order:
        mixed: list[ModelResponsePart] = draw(
            st.lists(st.one_of(text, thinking_parts(room), tool_calls(room)), min_size=1, max_size=5)
        )
        return _with_distinct_ids(_without_adjacent(mixed) if room.features.merges_adjacent_parts else mixed)
    found: list[ModelResponsePart] = [
        *draw(st.lists(thinking_parts(room), max_size=1)),
        *draw(st.lists(text, max_size=1)),
        *draw(st.lists(tool_calls(room), max_size=3)),
    ]
    return _with_distinct_ids(found or [TextPart('nothing')])


def _without_adjacent(found: list[ModelResponsePart]) -> list[ModelResponsePart]:
    """Drop parts that would be merged with the part before them."""
    kept = found[:1]
    for part in found[1:]:
        if isinstance(part, ToolCallPart) or type(part) is not type(kept[-1]):
            kept.append(part)
    return kept


def _with_distinct_ids(found: list[ModelResponsePart]) -> list[ModelResponsePart]:
    distinct: list[ModelResponsePart] = []
    for index, part in enumerate(found):
        if isinstance(part, ToolCallPart):
            part = replace(part, tool_call_id=f'{part.tool_call_id}{index}')
        if getattr(part, 'id', None) == 'item':
            part = replace(cast('TextPart', part), id=f'item_{index}')  # or another one with an id
        distinct.append(part)
    return distinct


@st.composite
def usages(draw: st.DrawFn, room: Room) -> RequestUsage:
    """Draw consistent usage with the counts that the API has."""
    read, write, fresh, output = draw(counts), draw(counts), draw(counts), draw(counts)
    counted: dict[str, Any] = {
        'input_tokens': read + write + fresh,
        'cache_read_tokens': read,
        'cache_write_tokens': write,
        'output_tokens': output,
    }
    return RequestUsage(**{name: counted[name] for name in room.features.usage_counts})


@st.composite
def responses(draw: st.DrawFn, room: Room) -> ModelResponse:
    """Draw a complete response."""
    model = room.build()
    return ModelResponse(
        draw(parts(room)),
        usage=draw(usages(room)),
        model_name=draw(names) if room.features.has_model_name else model.model_name,
        provider_name=model.system,
        provider_url=model.base_url,
        provider_response_id=draw(ids) if room.features.has_response_id else None,
        finish_reason=draw(st.sampled_from(room.features.finish_reasons)),  # pyright: ignore[reportArgumentType] -- literals
    )


files: SearchStrategy[ImageUrl | BinaryContent] = st.one_of(
    st.builds(ImageUrl, st.just('https://example.com/a.png')),
    st.builds(
        BinaryContent, st.binary(min_size=1, max_size=8), media_type=st.sampled_from(['image/png', 'image/jpeg'])
    ),
)
prompts: SearchStrategy[UserPromptPart] = st.one_of(
    texts, st.lists(st.one_of(texts, files), min_size=1, max_size=3)
).map(UserPromptPart)


@st.composite
def tool_results(draw: st.DrawFn, response: ModelResponse) -> list[ModelRequestPart]:
    """Draw a tool result or a retry prompt for each tool call."""
    results: list[ModelRequestPart] = []
    for call in response.tool_calls:
        content = draw(st.one_of(texts, objects))
        if isinstance(content, str) and draw(st.booleans()):
            results.append(RetryPromptPart(content, tool_name=call.tool_name, tool_call_id=call.tool_call_id))
        else:
            results.append(ToolReturnPart(call.tool_name, content, call.tool_call_id))
    return results


@st.composite
def conversations(draw: st.DrawFn, room: Room) -> list[ModelMessage]:
    """Draw a history that ends with a request."""
    system = draw(st.lists(st.builds(SystemPromptPart, texts), max_size=2))
    instructions = draw(st.none() | texts)
    history: list[ModelMessage] = [ModelRequest([*system, draw(prompts)], instructions=instructions)]
    for turn in range(draw(st.integers(0, 3))):
        response = draw(responses(room))
        unique = [
            replace(part, tool_call_id=f'{part.tool_call_id}_{turn}') if isinstance(part, ToolCallPart) else part
            for part in response.parts
        ]
        response = replace(response, parts=unique)
        results = draw(tool_results(response))
        follow = [*results, *draw(st.lists(prompts, min_size=0 if results else 1, max_size=1))]
        history += [response, ModelRequest(follow, instructions=instructions)]
    return history


tools: SearchStrategy[list[ToolDefinition]] = st.lists(
    st.builds(
        ToolDefinition,
        names,
        st.just({'type': 'object', 'properties': {'city': {'type': 'string'}}, 'required': ['city']}),
        st.none() | texts,
    ),
    max_size=3,
    unique_by=lambda tool: tool.name,
)


@st.composite
def splitters(draw: st.DrawFn) -> Splitter:
    """Draw a function that splits text into pieces of one size."""
    size = draw(st.integers(1, 7))
    return lambda text: [text[at : at + size] for at in range(0, len(text), size)]


chunk_sizes: SearchStrategy[int] = st.integers(1, 64)
"""Numbers of bytes that arrive at a time."""

numbers: SearchStrategy[set[int]] = st.sets(st.integers(0, 40))
"""Numbers of objects in a body."""


def lengths(longest: int) -> st.SearchStrategy[int]:
    """Return numbers of events, from zero."""
    return st.integers(0, longest)


@st.composite
def insertions(draw: st.DrawFn, events: list[Json], others: list[Json]) -> list[Json]:
    """Draw the events with one to four others between them."""
    mixed = [*events]
    for event in draw(st.lists(st.sampled_from(others), min_size=1, max_size=4)):
        mixed.insert(draw(st.integers(0, len(mixed))), event)
    return mixed
