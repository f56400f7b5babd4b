"""The time of every room grows with the size of its responses, its streams and its histories only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from pydantic_core import from_json, to_json

from pydantic_llm.messages import (
    BinaryContent,
    CachePoint,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    ResponseState,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.testing.exchange import decode_body, decode_bytes, decode_events, encode_events
from pydantic_llm.testing.room import Room
from pydantic_llm.tools.definition import ToolDefinition
from pydantic_llm.wire.serving import ServedRequest
from tests.conformance.rooms import ROOMS
from tests.faults.scaling import Work, assert_linear

# ---------------------------------------------------------------------- responses


def _own(room: Room, index: int) -> dict[str, Any]:
    return {'id': f'item_{index}', 'provider_name': room.build().system} if room.features.item_ids else {}


def text(room: Room, index: int, content: str = 'Hello.') -> TextPart:
    return TextPart(content, **_own(room, index))


def thinking(room: Room, index: int, content: str = 'Hm.') -> ThinkingPart:
    name = room.build().system
    if room.features.item_ids:
        return ThinkingPart(content, signature='sig', **_own(room, index))
    if room.features.signatures:
        return ThinkingPart(content, signature='sig', provider_name=name)
    return ThinkingPart(content, id=room.features.thinking_ids[0], provider_name=name)


def tool_call(room: Room, index: int, args: str = '{"a":1}') -> ToolCallPart:
    own = _own(room, index) or ({'provider_name': room.build().system} if room.features.signs_tool_calls else {})
    value = args if room.features.arguments_as_text else from_json(args)
    return ToolCallPart('look', value, f'call_{index:08}', **own)


def mixed(room: Room, count: int) -> list[ModelResponsePart]:
    kinds = (text, thinking, tool_call) if room.features.any_order else (tool_call,) * 3
    return [kinds[index % 3](room, index) for index in range(count)]


SHAPES: dict[str, tuple[Callable[[Room, int], list[ModelResponsePart]], int]] = {
    'text': (lambda room, count: [text(room, 0, 'abcd' * count)], 200),
    'thinking': (lambda room, count: [thinking(room, 0, 'abcd' * count), text(room, 1)], 200),
    'arguments': (lambda room, count: [tool_call(room, 0, to_json({'a': 'abcd' * count}).decode())], 200),
    'parts': (mixed, 100),
}
"""The parts of responses, by the number of their fragments or parts, and the units of the smallest size."""


def respond(room: Room, shape: str, count: int) -> ModelResponse:
    parts = SHAPES[shape][0](room, count)
    return ModelResponse(parts, model_name='m', provider_name=room.build().system, finish_reason='stop')


def split(content: str) -> list[str]:
    return [content[at : at + 4] for at in range(0, len(content), 4)]


def make_whole(room: Room, count: int) -> Callable[[], object]:
    response = respond(room, 'parts', count)
    return lambda: decode_body(room, from_json(to_json(room.encode_response(response, ServedRequest('m', [])))))


def make_stream(room: Room, shape: str, count: int) -> Callable[[], object]:
    response = respond(room, shape, count)

    def stream() -> None:
        begun, ended = encode_events(room, response, split)
        decode_events(room, [*begun, *ended])

    return stream


def make_bytes(room: Room, size: int, count: int) -> Callable[[], object]:
    begun, ended = encode_events(room, respond(room, 'text', count), split)
    return lambda: decode_bytes(room, [*begun, *ended], size)


RESPONSES = [
    *(Work(f'{room}-whole', partial(make_whole, room), 100) for room in ROOMS),
    *(
        Work(f'{room}-stream-of-{shape}', partial(make_stream, room, shape), units)
        for room in ROOMS
        for shape, (_, units) in SHAPES.items()
    ),
    *(
        Work(f'{room}-{name}', partial(make_bytes, room, size), 20)
        for room in ROOMS
        for name, size in (('byte-by-byte', 1), ('bytes-at-once', 10**9))
    ),
]


@pytest.mark.parametrize('work', RESPONSES, ids=repr)
def test_the_time_of_a_response_grows_with_its_size(work: Work) -> None:
    assert_linear(work)


# ---------------------------------------------------------------------- histories


def ask(*parts: ModelRequestPart) -> ModelRequest:
    return ModelRequest([*parts])


def answer(*parts: ModelResponsePart, state: ResponseState = 'complete') -> ModelResponse:
    return ModelResponse([*parts], model_name='m', state=state)


def calls(count: int, args: str = '{"a":1}') -> list[ToolCallPart]:
    return [ToolCallPart(f'look {index}', args, f'call {index}') for index in range(count)]


def results(count: int) -> list[ToolReturnPart]:
    return [ToolReturnPart(f'look {index}', 'Fog.', f'call {index}') for index in range(count)]


def natives(maker: str, count: int) -> list[ModelResponsePart]:
    """Return native calls and their results, each with a tool of its own."""
    return [
        part
        for index in range(count)
        for part in (
            NativeToolCallPart(f'web_search{index}', {'query': 'x'}, f'id{index}', provider_name=maker),
            NativeToolReturnPart(f'web_search{index}', {'results': []}, f'id{index}', provider_name=maker),
        )
    ]


HELLO, SAME_CALL, SAME_RESULT = (
    ask(UserPromptPart('Hello?')),
    ToolCallPart('look', {}, 'c'),
    ToolReturnPart('look', 1, 'c'),
)

HISTORIES: dict[str, tuple[Callable[[str, int], list[ModelMessage]], int]] = {
    'turns': (
        lambda _, n: [
            *(m for _ in range(n) for m in (HELLO, answer(TextPart('Hi.')))),
            ask(SystemPromptPart('s')),
            HELLO,
        ],
        150,
    ),
    'adjacent requests': (lambda _, n: [ask(UserPromptPart(f'x{i}')) for i in range(n)], 250),
    'adjacent responses': (lambda _, n: [HELLO, *(answer(TextPart('Hi.')) for _ in range(n)), HELLO], 250),
    'calls, results apart': (lambda _, n: [HELLO, answer(*calls(n)), *(ask(part) for part in results(n)), HELLO], 100),
    'calls without results': (lambda _, n: [HELLO, answer(*calls(n, '{"a')), answer(*calls(n)), HELLO], 100),
    'results without calls': (lambda _, n: [ask(UserPromptPart('x'), *results(n))], 150),
    'one id': (lambda _, n: [HELLO, *(m for _ in range(n) for m in (answer(SAME_CALL), ask(SAME_RESULT)))], 100),
    'items': (
        lambda _, n: [
            ask(
                UserPromptPart(
                    [item for _ in range(n) for item in ('x', CachePoint(), BinaryContent(b'', media_type='image/png'))]
                )
            )
        ],
        100,
    ),
    'thinking': (
        lambda _, n: [
            HELLO,
            answer(*(ThinkingPart('t', signature='s', provider_name=f'p{i}') for i in range(n))),
            HELLO,
        ],
        250,
    ),
    'native tools': (
        lambda own, n: [HELLO, answer(*natives(own, n), *natives('another', n), TextPart('x')), HELLO],
        100,
    ),
    'truncated native calls': (
        lambda own, n: [
            HELLO,
            *(answer(part, state='interrupted') for part in natives(own, n) if part.part_kind != 'builtin-tool-return'),
            HELLO,
        ],
        100,
    ),
}
"""Messages, by the name of the provider and the number of units; and the units of the smallest size."""

TOOLS = ModelRequestParameters([ToolDefinition('look')])


def make_history(room: Room, name: str, count: int) -> Callable[[], object]:
    """Return the encoding of a history and its decoding by the server of the room."""
    model = room.build()
    messages = HISTORIES[name][0](model.system, count)

    def encode() -> None:
        body = model.encode(room.prepare(messages, {'max_tokens': 99}, TOOLS))
        room.decode_request(from_json(to_json(body)))

    return encode


@pytest.mark.parametrize('name', HISTORIES)
@pytest.mark.parametrize('room', ROOMS, ids=repr)
def test_the_time_of_a_history_grows_with_its_size(room: Room, name: str) -> None:
    assert_linear(Work(f'{room}-{name}', partial(make_history, room, name), HISTORIES[name][1]))
