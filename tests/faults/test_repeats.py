"""Events that only repeat the event before them with another text lead to what decoding each in full leads to."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from json import dumps
from typing import Any

import pytest
from pydantic_core import from_json, to_json

from pydantic_llm import ModelRequestParameters, ToolDefinition
from pydantic_llm.exceptions import LLMError
from pydantic_llm.wire.reader import ResponseReader
from pydantic_llm.wire.repeats import REPEATS
from tests.faults.fuzz import Seed, model, mutate, seeds
from tests.faults.vendors import VENDORS

EVENT_END = re.compile(rb'(?<=\n\n)|(?<=\r\n\r\n)')
GENERATED_ID = re.compile('call_[0-9a-f]{32}')
STREAMS = [seed for seed in seeds() if seed.stream]
BY_VENDOR = {name: [seed for seed in STREAMS if seed.vendor == name] for name in {seed.vendor for seed in STREAMS}}


@dataclass(frozen=True)
class Request:
    """What a request has that decides how the text of its response is read."""

    finds_calls: bool = False
    stop_sequences: tuple[str, ...] = ()


PARAMETERS = ModelRequestParameters([ToolDefinition('look')])
PLAIN = Request()
READING = (
    Request(finds_calls=True),
    Request(stop_sequences=('STOP',)),
    Request(finds_calls=True, stop_sequences=('STOP',)),
)


class FullReader(ResponseReader):
    """Decodes every event in full, and looks at every line."""

    def feed(self, chunk: bytes) -> None:
        for piece in filter(None, (chunk[:1], chunk[1:])):
            self._read_events(self._splitter.feed(piece))

    def decode_event(self, event: object) -> None:
        self.decoder.repeats.forget()
        super().decode_event(event)


def make_reader(seed: Seed, kind: type[ResponseReader], request: Request = PLAIN) -> ResponseReader:
    made: Any = copy.copy(model(next(vendor for vendor in VENDORS if vendor.name == seed.vendor)))
    made._profile = replace(made.profile, text_tool_calls=request.finds_calls)
    known = made.new_reader(parameters=PARAMETERS, stop_sequences=request.stop_sequences)
    return kind(known.decoder, api_name=known.api_name, base_url=known.base_url)


def list_results(seed: Seed, chunks: list[bytes], kind: type[ResponseReader], request: Request) -> list[str]:
    """Return the events and the response after each chunk, and the error that ends the stream, if any does."""
    reader = make_reader(seed, kind, request)
    found: list[str] = []
    try:
        for chunk in chunks:
            reader.feed(chunk)
            found.append(f'{reader.draft.parts.take_events()} {reader.draft.get()} {reader.draft.usage}')
        reader.end_stream({})
    except LLMError as error:
        found.append(f'{type(error).__name__} {error}')
    found.append(f'{reader.draft.parts.take_events()} {reader.draft.get()}')
    today = reader.draft.started
    now = re.compile(rf'datetime\.datetime\({today.year}, {today.month}, {today.day}, [^)]*\)')
    return [now.sub('now', GENERATED_ID.sub('call', line)) for line in found]


def stretch(seed: Seed, chance: random.Random) -> Seed:
    """Return a stream with its events up to three times, and some so often that a template is made of them."""
    counts = (1, 1, 1, 2, 2, 3, 3, 3, REPEATS + 3)
    events = [event for event in split(seed.body) for _ in range(chance.choice(counts))]
    return Seed(seed.vendor, b''.join(events), stream=True, content_type=seed.content_type)


def split(body: bytes) -> list[bytes]:
    return [event for event in EVENT_END.split(body) if event]


def compare(seed: Seed, body: bytes, chunks: list[bytes] | None = None, request: Request = PLAIN) -> None:
    chunks = split(body) if chunks is None else chunks
    found, expected = (list_results(seed, chunks, kind, request) for kind in (ResponseReader, FullReader))
    assert found == expected, body


def iterate_mutations(vendor: str, count: int, number: int) -> Iterator[tuple[Seed, bytes]]:
    chance = random.Random(f'{vendor} {number}')
    for _ in range(count):
        seed = stretch(chance.choice(BY_VENDOR[vendor]), chance)
        yield seed, mutate(seed, chance)


@pytest.mark.parametrize('vendor', sorted(BY_VENDOR))
def test_repeated_events_are_decoded_as_others(vendor: str) -> None:
    for seed in BY_VENDOR[vendor]:
        compare(seed, seed.body)
        compare(seed, stretch(seed, random.Random(1)).body)


@pytest.mark.parametrize('vendor', sorted(BY_VENDOR))
def test_repeated_events_are_decoded_as_others_in_changed_streams(vendor: str) -> None:
    for seed, body in iterate_mutations(vendor, 30, 1):
        compare(seed, body)


@pytest.mark.parametrize('vendor', sorted(BY_VENDOR))
def test_most_text_is_not_decoded_in_full(vendor: str) -> None:
    seed = BY_VENDOR[vendor][0]  # that of our server side
    reader = make_reader(seed, ResponseReader)
    decode, full = reader.decoder.decode_event, list[object]()
    reader.decoder.decode_event = lambda event: full.append(event) or decode(event)  # type: ignore[method-assign]
    for chunk in split(seed.body):
        for _ in range(10):
            reader.feed(chunk)
    assert len(full) < reader.event_count


@pytest.mark.parametrize('vendor', sorted(BY_VENDOR))
def test_most_text_of_a_long_stream_is_not_parsed(vendor: str) -> None:
    seed = BY_VENDOR[vendor][0]
    reader = make_reader(seed, ResponseReader)
    read, parsed = reader.read_event, list[bytes]()
    reader.read_event = lambda data: parsed.append(data) or read(data)  # type: ignore[method-assign]
    for chunk in split(seed.body):
        for _ in range(4 * REPEATS):
            reader.feed(chunk)
    assert len(parsed) < reader.event_count


LOGPROBS = [{'token': 'a', 'logprob': -0.1, 'bytes': [97], 'top_logprobs': []}]
CHUNK = {'id': '1', 'model': 'm', 'created': 1}


def make_choice(text: object, **more: Any) -> dict[str, Any]:
    return {'index': 0, 'delta': {'content': text}, **more}


def make_candidate(text: str, **more: Any) -> dict[str, Any]:
    return {'content': {'parts': [{'text': text}], 'role': 'model'}, **more}


def count(prompt: int | None, candidates: object, total: int, **more: Any) -> dict[str, Any]:
    return {'promptTokenCount': prompt, 'candidatesTokenCount': candidates, 'totalTokenCount': total, **more}


def make_output(text: str, **more: Any) -> dict[str, Any]:
    event = {'type': 'response.output_text.delta', 'item_id': 'i', 'output_index': 0, 'content_index': 0}
    return {**event, 'delta': text, **more}


EFFECTS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    'log probabilities, chat': ('openai', [{'choices': [make_choice('a', logprobs={'content': LOGPROBS})]}] * 3),
    'log probabilities, responses': ('openai-responses', [make_output('a', logprobs=LOGPROBS)] * 3),
    'a finish reason': ('openai', [{'choices': [make_choice('a', finish_reason='stop')]}] * 3),
    'a model that changes back': (
        'openai',
        [{**CHUNK, 'model': model, 'choices': [make_choice('a')]} for model in ('m', 'm', 'n', 'm', 'm')],
    ),
    'numbers of another type': (
        'openai',
        [{**CHUNK, 'citations': [number], 'choices': [make_choice('a')]} for number in (1, 1, True, True, 1.0, 1)],
    ),
    'text and a tool call': (
        'openai',
        [{'choices': [make_choice('a'), make_choice('b')]}] * 2
        + [{'choices': [{'delta': {'content': 'a', 'tool_calls': [{'function': {'name': 'f'}}]}}]}] * 2,
    ),
    'thinking, then text': (
        'openai',
        [{'choices': [{'delta': {'reasoning_content': text, 'content': None}}]} for text in 'abc']
        + [{'choices': [{'delta': {'reasoning_content': None, 'content': text}}]} for text in ('a', 'b', '', 'c')],
    ),
    'text of another type': ('openai', [{'choices': [make_choice('a')]}] * 2 + [{'choices': [make_choice(7)]}]),
    'counts that shrink to nothing': (
        'gemini',
        [
            {'candidates': [make_candidate('a')], 'usageMetadata': counts}
            for counts in (count(2, 1, 3), count(2, 2, 4), count(2, 0, 4), count(2, 3, 9), count(2, 4, 9), {})
        ],
    ),
    'counts of earlier chunks': (
        'gemini',
        [
            {'candidates': [make_candidate('a')], 'usageMetadata': counts}
            for counts in (count(2, 1, 3, thoughtsTokenCount=5), count(0, 1, 9), count(0, 2, 9), count(0, 3, 3))
        ],
    ),
    'counts that are none': (
        'gemini',
        [
            {'candidates': [make_candidate('a')], 'usageMetadata': counts}
            for counts in (count(2, 1, 3), count(2, True, 3), count(2, '7', 3), count(None, 1, 3), count(3, 4, 7))
        ],
    ),
    'other candidates': ('gemini', [{'candidates': [make_candidate('a', index=1)]}] * 3),
    'citations': ('gemini', [{'candidates': [make_candidate('a', citationMetadata={'citations': [{}]})]}] * 3),
    'log probabilities, Gemini': (
        'gemini',
        [{'candidates': [make_candidate('a', logprobsResult={'chosenCandidates': [{'token': 'a'}]})]}] * 3,
    ),
    'a signature': (
        'gemini',
        [{'candidates': [{'content': {'parts': [{'text': 'a', 'thoughtSignature': 'eA=='}]}}]}] * 3,
    ),
    'log probabilities, Cohere': (
        'cohere',
        [
            {
                'type': 'content-delta',
                'index': 0,
                'delta': {'message': {'content': {'text': 'a'}}},
                'logprobs': {'text': 'a', 'logprobs': [-0.1]},
            }
        ]
        * 3,
    ),
}
"""Vendor and events that are equal but for a text, and yet have another effect each time."""


@pytest.mark.parametrize('name', EFFECTS)
def test_an_event_with_an_effect_each_time_is_not_taken_for_a_repeat(name: str) -> None:
    vendor, events = EFFECTS[name]
    body = b''.join(b'data: ' + to_json(event) + b'\n\n' for event in events)
    compare(Seed(vendor, body, stream=True, content_type='text/event-stream'), body)


ODD_PIECES = (
    'a',
    ' ',
    '"',
    '\\',
    '\n',
    '\r\n\r\n',
    '\u2028',
    'é',
    '🌍',
    '\ud83c',
    '}]}',
    '","delta":"',
    'data: {"a"',
    '7',
)
"""Pieces of texts, of which some are JSON or the format of the stream if they are not escaped."""


def make_odd_events(vendor: str, chance: random.Random) -> list[bytes]:
    """Return events that differ in texts of odd pieces, as JSON with escapes or without, and now and then in more."""
    is_ascii, is_padded, line_end = chance.random() < 0.5, chance.random() < 0.5, chance.choice((b'\n\n', b'\r\n\r\n'))
    events: list[bytes] = []
    for number in range(4 * REPEATS):
        length = 0 if chance.random() < 0.02 else chance.randint(1, 4)
        text = ''.join(chance.choice(ODD_PIECES) for _ in range(length))
        event: dict[str, Any] = {'choices': [make_choice(text)], **({'obfuscation': text[::-1]} if is_padded else {})}
        if vendor == 'gemini':
            event = {'candidates': [make_candidate(text)], 'usageMetadata': count(3, number, number + 3)}
        elif vendor == 'openai-responses':
            event = make_output(text, sequence_number=number, obfuscation='x' * chance.randint(1, 9))
        if chance.random() < 0.02:
            event['more'] = number
        data = dumps(event) if is_ascii else dumps(event, ensure_ascii=False, separators=(',', ':'))
        events.append(b'data: ' + data.encode(errors='replace') + line_end)
    return events


@pytest.mark.parametrize('vendor', ['gemini', 'openai', 'openai-responses'])
def test_odd_texts_in_chunks_of_any_size_are_read_as_others(vendor: str) -> None:
    chance = random.Random(vendor)
    seed = BY_VENDOR[vendor][0]
    for _ in range(30):
        chunks = make_odd_events(vendor, chance)
        if chance.random() < 0.5:  # several events in a chunk, and events in several
            body = b''.join(chunks)
            cuts = sorted(chance.sample(range(1, len(body)), 10))
            chunks = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
        compare(seed, b''.join(chunks), chunks)


CALL_PIECES = (
    *(
        'a',
        ' ',
        'Hello',
        '<tool_call>',
        '</tool_call>',
        '{"name": "look", "arguments": {}}',
        '{',
        '}',
        '```',
        '[look()]',
    ),
    *('STOP', 'ST', 'OP', '<think>', '</think>', '{"a": 1}'),
)
"""Pieces of text that become tool calls or thinking, or that end the response."""

TEXT_FIELDS = frozenset({'content', 'text', 'delta', 'arguments', 'thinking', 'partial_json', 'reasoning_content'})


def list_texts(value: Any) -> list[tuple[Any, Any]]:
    """Return the holder and the name of each text of the model in an event."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[tuple[Any, Any]] = []
    for name, item in items:
        found += [(value, name)] if isinstance(item, str) and name in TEXT_FIELDS else list_texts(item)
    return found


def iterate_call_events(seed: Seed, chance: random.Random) -> Iterator[bytes]:
    """Yield the events of a stream; those with text several times, with other texts."""
    for event in split(seed.body):
        head, mark, data = event.partition(b'data: ')
        value: Any = from_json(data) if data.startswith(b'{') else None
        texts = list_texts(value)
        for _ in range(chance.choice((1, 2, REPEATS + 3)) if texts else 1):
            for holder, name in texts:
                holder[name] = ''.join(chance.choices(CALL_PIECES, k=chance.choice((1, 1, 2))))
            yield head + mark + to_json(value) + b'\n\n' if texts else event


@pytest.mark.parametrize('vendor', sorted(BY_VENDOR))
def test_text_that_becomes_calls_or_ends_the_response_is_read_as_other_text(vendor: str) -> None:
    chance = random.Random(vendor)
    short = [seed for seed in BY_VENDOR[vendor] if len(seed.body) < 20_000]
    for number in range(15):
        seed = chance.choice(short)
        chunks = list(iterate_call_events(seed, chance))
        compare(seed, b''.join(chunks), chunks, READING[number % len(READING)])
