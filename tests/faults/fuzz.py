"""Decodes randomly mutated responses: `python -m tests.faults.fuzz 100000` decodes 100,000 of them.

The original is a response of our server side, or a recorded one if the recordings are installed. Each must soon become
a response or one of our errors. A response can be stored, and sent to its own vendor and to others: their validators
accept the request that continues the conversation.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from json import dumps
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

from pydantic_llm.exceptions import LLMError
from pydantic_llm.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.retries.budget import NO_RETRIES, Budget
from pydantic_llm.testing.room import Room
from pydantic_llm.transport import ByteStream
from pydantic_llm.wire.model import WireModel
from pydantic_llm.wire.stream import WireStream
from tests.conformance.histories import INSIDE, Case, find_problems
from tests.conformance.rooms import ROOMS
from tests.faults.vendors import VENDORS, Vendor

HELLO = [ModelRequest.user_text_prompt('Hello?')]

SLOW = 2.0
"""The limit of CPU time for decoding one response, in seconds."""

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**63, 10**400, 0.5),
    *('', ' ', 'x', '7', '<think>', '\x00', '\ud83d', 'x' * 10_000),
    *([], {}, [None], [[]], {'x': None}, {'type': 'x'}, {'type': None}, {'index': -1}, {'index': 'a'}),
    *({'text': 7}, {'function': None}, {'id': []}),
)
"""The values that replace others."""


@dataclass(frozen=True)
class Seed:
    """A response to mutate."""

    vendor: str
    body: bytes
    stream: bool
    content_type: str


class RecordedStream(ByteStream):
    """A stream of bytes in memory."""

    def __init__(self, chunks: list[bytes], content_type: str) -> None:
        self.headers: Mapping[str, str] = {'content-type': content_type}
        self._chunks = [b'', *reversed(chunks)]

    async def read(self) -> bytes:
        return self._chunks.pop() if self._chunks else b''

    def progress(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


@cache
def model(vendor: Vendor) -> WireModel:
    made = vendor.make('http://127.0.0.1:1')
    assert isinstance(made, WireModel)
    return made


def seeds() -> list[Seed]:
    """Return the responses of our server side, and the recorded ones."""
    found: list[Seed] = []
    for vendor in VENDORS:
        if vendor.name != 'bedrock':  # the transport decodes Bedrock's frames, which this test leaves out
            found.append(Seed(vendor.name, b''.join(vendor.frames()), stream=True, content_type='text/event-stream'))
        found.append(Seed(vendor.name, vendor.body(), stream=False, content_type='application/json'))
    return [*found, *load_recordings()]


NAMES = {'openai-chat': 'openai', 'azure-chat': 'azure', 'bedrock-converse': 'bedrock'}
"""Our names of the vendors in the recordings."""


def load_recordings() -> Iterator[Seed]:
    from tests.wire.folder import FOLDER, FOUND

    if not FOUND:
        return
    known = {vendor.name for vendor in VENDORS}
    for file in sorted(Path(FOLDER).glob('corpus/shared/exchanges/*.json')):
        case = from_json(file.read_bytes())
        name, response = NAMES.get(case['vendor'], case['vendor']), case['exchanges'][0]['response']
        if name in known and response['status'] == 200 and response['body_kind'] in ('json', 'sse'):
            stream = response['body_kind'] == 'sse'
            body = response['body'].encode() if stream else to_json(response['body'])
            yield Seed(name, body, stream, 'text/event-stream' if stream else 'application/json')


# ---------------------------------------------------------------------- mutating


def mutate(seed: Seed, chance: random.Random) -> bytes:
    """Return the body with a few values, events or bytes changed."""
    if chance.random() < 0.25:
        return _mutate_bytes(seed.body, chance)
    if not seed.stream:
        return dumps(_mutate_value(from_json(seed.body), chance)).encode()
    events = seed.body.replace(b'\r\n', b'\n').split(b'\n\n')
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(events))
        match chance.randrange(6):
            case 0:
                events.insert(at, chance.choice(events))
            case 1:
                del events[at]
                events = events or [b'']
            case 2:
                other = chance.randrange(len(events))
                events[at], events[other] = events[other], events[at]
            case _:
                events[at] = _mutate_event(events[at], chance)
    return b'\n\n'.join(events)


def _mutate_event(event: bytes, chance: random.Random) -> bytes:
    head, mark, data = event.rpartition(b'data: ')
    try:
        value = from_json(data)
    except ValueError:
        return event
    return head + mark + dumps(_mutate_value(value, chance)).encode()


def _mutate_bytes(body: bytes, chance: random.Random) -> bytes:
    data = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(3):
            case 0:
                del data[at:]
            case 1:
                data[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 4)))
            case _:
                del data[at : at + chance.randint(1, 9)]
    return bytes(data)


def _mutate_value(value: Any, chance: random.Random) -> Any:
    places = list(_iterate_places(value))
    for _ in range(chance.randint(1, 3)):
        if not places:
            return chance.choice(ODD)
        holder, key = chance.choice(places)
        try:
            match chance.randrange(4):
                case 0:
                    del holder[key]
                case 1:
                    holder[key] = _nest(chance.randint(2, 100))
                case _:
                    holder[key] = chance.choice(ODD)
        except LookupError:
            continue
    return value


def _nest(depth: int) -> Any:
    value: Any = 'x'
    for _ in range(depth):
        value = [value] if depth % 2 else {'x': value}
    return value


def _iterate_places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield value, key
            yield from _iterate_places(inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield value, index
            yield from _iterate_places(inner)


# ---------------------------------------------------------------------- decoding


async def read(seed: Seed, body: bytes, chance: random.Random) -> ModelResponse | LLMError:
    """Return the decoded response or our error. Any other exception is a bug."""
    made = model(next(vendor for vendor in VENDORS if vendor.name == seed.vendor))
    request = made.prepare(HELLO, {'max_tokens': 10}, stream=seed.stream)
    try:
        if not seed.stream:
            reader = made.new_reader()
            reader.read_body(body, {'content-type': seed.content_type})
            return reader.draft.get()
        size = chance.choice([len(body) or 1, 1000, 17])
        chunks = [body[at : at + size] for at in range(0, len(body), size)]
        stream = WireStream(
            RecordedStream(chunks, seed.content_type),
            request.parameters,
            budget=Budget(NO_RETRIES),
            new_reader=made.new_reader,
            open_bytes=_retry,
        )
        async for _ in stream:
            pass
        return stream.get()
    except LLMError as error:
        return error


async def _retry() -> ByteStream:
    raise AssertionError('a fuzzed stream is not retried')


def check(result: ModelResponse | LLMError, seconds: float) -> None:
    """Check that the result came in time, and that a response can be stored as JSON and loaded again."""
    assert seconds < SLOW, f'it took {seconds:.1f} s'
    if isinstance(result, ModelResponse):
        assert result.state in ('complete', 'incomplete'), result.state
        kept = ModelMessagesTypeAdapter.dump_json([*HELLO, result])
        ModelMessagesTypeAdapter.validate_json(kept)


# ---------------------------------------------------------------------- sending it back

OWN_ROOMS = {'openai': 'openai-chat', 'azure': 'openai-chat'}
"""Vendor → its room, if that has another name."""

ERROR = re.compile(r'\w+Error: |.*ValueError')
"""Problems that no room may have: an exception, and a body that is not JSON. Others are no fault at the vendor's own
room if only a mutation of the vendor's own blocks or citations, which go back as they came, made them."""

OTHERS = 2
"""Number of other rooms that each response is sent to."""


def choose_rooms(vendor: str, chance: random.Random) -> list[Room]:
    """Return the vendor's own room and a few others."""
    own = OWN_ROOMS.get(vendor, vendor)
    return [room for room in ROOMS if room.name == own] + chance.sample(
        [room for room in ROOMS if room.name != own], OTHERS
    )


def continue_conversation(response: ModelResponse) -> list[ModelMessage]:
    """Return a history that goes on after the response: with tool results, or else with a question."""
    results = [ToolReturnPart(call.tool_name, 'ok', call.tool_call_id) for call in response.tool_calls]
    return [*HELLO, response, ModelRequest(results or [UserPromptPart('And?')])]


def _counts_for_own_room(problem: str, response: ModelResponse) -> bool:
    has_own_blocks = any(isinstance(part, NativeToolCallPart | NativeToolReturnPart) for part in response.parts)
    return bool(ERROR.match(problem)) or not (has_own_blocks or INSIDE.search(problem))


def check_round_trip(vendor: str, response: ModelResponse, chance: random.Random) -> None:
    """Check that the response can be part of the next request, at its own vendor and at others."""
    case = Case(continue_conversation(response), {}, ModelRequestParameters(), stream=False)
    for room in choose_rooms(vendor, chance):
        problems = find_problems(room, case)
        if room.name == OWN_ROOMS.get(vendor, vendor):
            problems = [problem for problem in problems if _counts_for_own_room(problem, response)]
        assert not problems, f'{room.name} refuses the response: {problems}'


# ---------------------------------------------------------------------- a run


async def fuzz(count: int, number: int, report: Callable[[str], None] = lambda line: None) -> dict[str, int]:
    """Decode `count` randomly mutated responses, and return the number of results of each class."""
    chance, found = random.Random(number), seeds()
    for vendor in VENDORS:
        model(vendor)  # make the client first, because that takes longer than decoding
    ends: dict[str, int] = {}
    for n in range(count):
        seed = chance.choice(found)
        body = mutate(seed, chance)
        began = time.process_time()
        try:
            result = await read(seed, body, chance)
            check(result, time.process_time() - began)
            if isinstance(result, ModelResponse):
                check_round_trip(seed.vendor, result, chance)
        except Exception as error:
            raise AssertionError(f'{seed.vendor} (number {number}, response {n}) decoded {body[:3000]!r}') from error
        name = type(result).__name__
        ends[name] = ends.get(name, 0) + 1
        if n % 10_000 == 9_999:
            report(f'{n + 1}: {ends}')
    return ends


if __name__ == '__main__':
    wanted, start = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(2**32)
    sys.stdout.write(f'number {start}\n')
    asyncio.run(fuzz(wanted, start, lambda line: sys.stdout.write(f'{line}\n') and None))
