from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from pydantic_llm.exceptions import UnexpectedModelBehavior
from pydantic_llm.transport import sse
from pydantic_llm.transport.sse import EventSplitter


def split(*chunks: bytes) -> list[bytes]:
    """Return the events of a stream, including an unfinished last one."""
    splitter = EventSplitter()
    events = [event for chunk in chunks for event in splitter.feed(chunk)]
    last = splitter.end()
    return events if last is None else [*events, last]


def split_at(stream: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[begin:end] for begin, end in pairwise(edges)]


payloads = st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3).map(
    lambda value: json.dumps(value, ensure_ascii=False).encode()
)
noise = st.sampled_from([b': comment\n', b':\n', b'event: ping\n', b'id: 7\n', b'retry: 10\n', b'\n', b'unknown\n'])
places = st.lists(st.integers(min_value=0, max_value=2000), max_size=12)


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """Draw a stream that a server could send, and the data of its events."""
    events = draw(st.lists(payloads, max_size=6))
    lines: list[bytes] = []
    for event in events:
        lines += draw(st.lists(noise, max_size=3))
        space = draw(st.sampled_from([b'', b' ']))
        if event.startswith(b' '):
            space = b' '
        lines += [b'data:', space, event, b'\n']
        lines += [line for line in draw(st.lists(noise, max_size=2)) if line != b'\n']
        lines.append(b'\n')
    stream = b''.join(lines)
    if draw(st.booleans()):
        stream = stream.replace(b'\n', b'\r\n')
    if draw(st.booleans()):
        stream = b'\xef\xbb\xbf' + stream
    return stream, events


@given(streams(), places)
def test_events_are_the_same_for_any_chunks(stream_and_events: tuple[bytes, list[bytes]], where: list[int]) -> None:
    stream, events = stream_and_events
    assert split(*split_at(stream, where)) == events


@given(streams())
def test_events_are_the_same_byte_by_byte(stream_and_events: tuple[bytes, list[bytes]]) -> None:
    stream, events = stream_and_events
    assert split(*(stream[index : index + 1] for index in range(len(stream)))) == events


@given(st.binary(max_size=300), places)
def test_garbage_is_read_the_same_for_any_chunks(garbage: bytes, where: list[int]) -> None:
    assert split(*split_at(garbage, where)) == split(garbage)


@pytest.mark.parametrize(
    ('stream', 'events'),
    [
        pytest.param(b'data: {"a": 1}\n\n', [b'{"a": 1}'], id='one'),
        pytest.param(b'data:{"a": 1}\n\n', [b'{"a": 1}'], id='without a space'),
        pytest.param(b'data:  x\n\n', [b' x'], id='only one space goes'),
        pytest.param(b'data: 1\r\n\r\ndata: [DONE]\r\n\r\n', [b'1', b'[DONE]'], id='CRLF'),
        pytest.param(b'data: {\ndata: "a": 1}\n\n', [b'{\n"a": 1}'], id='several lines'),
        pytest.param(b'data: {\r\ndata: "a": 1}\r\n\r\n', [b'{\n"a": 1}'], id='several lines with CRLF'),
        pytest.param(b'data: {\n: in between\ndata: "a": 1}\n\n', [b'{\n"a": 1}'], id='a comment in between'),
        pytest.param(b': OPENROUTER PROCESSING\n\ndata: 1\n\n', [b'1'], id='a comment'),
        pytest.param(b'event: x\ndata: 1\nid: 1\nretry: 1\n\n', [b'1'], id='other fields'),
        pytest.param(b'\xef\xbb\xbfdata: 1\n\n', [b'1'], id='a byte order mark'),
        pytest.param(b'data: 1\n\n\xef\xbb\xbfdata: 2\n\n', [b'1'], id='a byte order mark elsewhere'),
        pytest.param(b'\n\n\ndata: 1\n\n\n\n', [b'1'], id='empty lines'),
        pytest.param(b'data:\n\ndata: \n\ndata\n\ndata: 1\n\n', [b'1'], id='events without data'),
        pytest.param(b'data: 1\n\ndata: 2', [b'1', b'2'], id='no line end at the end'),
        pytest.param(b'data: 1\n\ndata: 2\n', [b'1', b'2'], id='no empty line at the end'),
        pytest.param(b'data: 1\r\n\r\ndata: 2\r\n', [b'1', b'2'], id='no empty line at the end with CRLF'),
        pytest.param(b'data: 1\n\ndat', [b'1'], id='a truncated field'),
        pytest.param(b'database: 1\n\n', [], id='another field'),
        pytest.param(b' data: 1\n\n', [], id='a space before'),
        pytest.param(b'data: a\rb\n\n', [b'a\rb'], id='a lone carriage return'),
        pytest.param(b'<html>\n<body>\n\n</body>', [], id='a web page'),
        pytest.param(b'', [], id='nothing'),
        pytest.param('data: "é\u2028\x85"\n\n'.encode(), ['"é\u2028\x85"'.encode()], id='line ends of Unicode'),
    ],
)
def test_a_stream_is_read_as_in_the_standard(stream: bytes, events: list[bytes]) -> None:
    assert split(stream) == events
    assert split(*(stream[index : index + 1] for index in range(len(stream)))) == events


def test_an_event_is_returned_as_soon_as_it_is_complete() -> None:
    splitter = EventSplitter()
    assert [splitter.feed(chunk) for chunk in (b'data: 1\n', b'\ndata: ', b'2\n\nda', b'ta: 3\n', b'\n')] == [
        [],
        [b'1'],
        [b'2'],
        [],
        [b'3'],
    ]
    assert splitter.end() is None


@pytest.mark.parametrize('piece', [b'x' * 10, b'data: xxx\n', b': xxxxxxx\n'])
def test_an_endless_event_raises(piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, 'MAX_EVENT_BYTES', 100)
    splitter = EventSplitter()
    for _ in range(10):
        splitter.feed(piece)
    with pytest.raises(UnexpectedModelBehavior, match='longer than 100 bytes'):
        splitter.feed(piece)


def test_a_long_stream_of_short_events_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, 'MAX_EVENT_BYTES', 100)
    splitter = EventSplitter()
    assert sum(len(splitter.feed(b'data: 12345\n\n')) for _ in range(100)) == 100


def test_a_long_event_in_small_pieces_is_joined_once() -> None:
    """Joining at each piece would copy the event six hundred times."""

    class Counting(bytes):
        added = 0

        def __add__(self, other: bytes) -> bytes:  # type: ignore[override]
            Counting.added += 1
            return bytes.__add__(self, other)

        __radd__ = __add__

    pieces = [b'data: ', *(Counting(b'x' * 1000) for _ in range(600)), b'\n\n']
    assert split(*pieces) == [b'x' * 600_000]
    assert Counting.added == 0


@pytest.mark.parametrize('end', [b'\n', b'\r\n'])
@pytest.mark.parametrize('name', [b'', b'event: delta'])
@pytest.mark.parametrize(
    'data', [b'{"a": 1}', b'{"a": "\\n\\r"}', b'{} ', b'{"a":\ndata: 1}', b'[DONE]', b'{', b'', b'{}\r']
)
def test_an_event_that_is_a_chunk_of_its_own_is_split_as_any_other(end: bytes, name: bytes, data: bytes) -> None:
    lines = [*([name] if name else []), b'data: ' + data.replace(b'\n', end), b'', b'']
    event = end.join(lines)
    for before in (b'', b'id: 1' + end, b': ping' + end + end, b'data: x' + end, b'event: '):
        whole, bytewise = EventSplitter(), EventSplitter()
        found = [whole.feed(chunk) for chunk in (before, event, event)]
        expected = [event for byte in before + event + event for event in bytewise.feed(bytes([byte]))]
        assert [event for events in found for event in events] == expected
        assert whole.is_inside_event is bytewise.is_inside_event is False
