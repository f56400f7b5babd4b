"""Amazon's frames, decoded and encoded. botocore's own parser is the oracle."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Any
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, strategies as st
from pydantic_core import from_json

from pydantic_llm.exceptions import UnexpectedModelBehavior
from pydantic_llm.transport.eventstream import Frame, FrameSplitter, encode_frame, encode_sse

names = st.text(min_size=1, max_size=20).filter(lambda text: len(text.encode()) < 128)
headers = st.dictionaries(names, st.text(max_size=50), max_size=5)
frames = st.lists(st.builds(Frame, headers, st.binary(max_size=300)), max_size=5)
HELLO = Frame({':event-type': 'hello', ':message-type': 'event'}, b'{"a":1}')


def encode_frames(frames: list[Frame]) -> bytes:
    return b''.join(encode_frame(frame.headers, frame.payload) for frame in frames)


def raw_frame(headers: bytes, payload: bytes = b'{}') -> bytes:
    lengths = struct.pack('>II', 16 + len(headers) + len(payload), len(headers))
    message = lengths + struct.pack('>I', crc32(lengths)) + headers + payload
    return message + struct.pack('>I', crc32(message))


@given(sent=frames, cuts=st.lists(st.integers(0, 2000), max_size=6))
def test_frames_are_read_for_any_chunks(sent: list[Frame], cuts: list[int]) -> None:
    data, splitter = encode_frames(sent), FrameSplitter()
    edges = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    read = [frame for start, end in pairwise(edges) for frame in splitter.feed(data[start:end])]
    assert [(dict(frame.headers), frame.payload) for frame in read] == [(f.headers, f.payload) for f in sent]


@given(sent=frames)
def test_botocore_reads_encoded_frames(sent: list[Frame]) -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(encode_frames(sent))
    assert [(event.headers, event.payload) for event in buffer] == [(frame.headers, frame.payload) for frame in sent]


def test_a_frame_is_read_byte_by_byte() -> None:
    splitter = FrameSplitter()
    read = [frame for byte in encode_frames([HELLO, HELLO]) for frame in splitter.feed(bytes([byte]))]
    assert read == [HELLO, HELLO]


VALUES: list[tuple[int, bytes, Any]] = [
    (0, b'', None),
    (1, b'', None),
    (2, b'\x07', None),
    (3, b'\x00\x07', None),
    (4, b'\x00\x00\x00\x07', None),
    (5, b'\x00' * 7 + b'\x07', None),
    (6, b'\x00\x03abc', None),
    (7, b'\x00\x03abc', 'abc'),
    (8, b'\x00' * 8, None),
    (9, b'\x00' * 16, None),
]


@pytest.mark.parametrize(('kind', 'value', 'read'), VALUES)
def test_headers_of_other_types_are_skipped_and_texts_read(kind: int, value: bytes, read: Any) -> None:
    data = raw_frame(b'\x01a' + bytes([kind]) + value + b'\x01b\x07\x00\x01c')
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    assert next(buffer).headers['b'] == 'c'
    [frame] = FrameSplitter().feed(data)
    assert frame.headers == ({} if read is None else {'a': read}) | {'b': 'c'}


GOOD = encode_frames([HELLO])


@pytest.mark.parametrize(
    ('data', 'words'),
    [
        (GOOD[:-1] + bytes([GOOD[-1] ^ 1]), 'its checksum is wrong'),
        (GOOD[:30] + bytes([GOOD[30] ^ 1]) + GOOD[31:], 'its checksum is wrong'),
        (GOOD[:9] + bytes([GOOD[9] ^ 1]) + GOOD[10:], 'the checksum of its beginning'),
        (struct.pack('>III', 8, 0, crc32(struct.pack('>II', 8, 0))), 'it says that it has 8 bytes'),
        (struct.pack('>III', 20, 9, crc32(struct.pack('>II', 20, 9))), '9 of them headers'),
        (struct.pack('>III', 2**31, 0, crc32(struct.pack('>II', 2**31, 0))), 'it says that it has'),
        (raw_frame(b'\x09a'), 'its headers cannot be read'),
        (raw_frame(b'\x01a\x07\x00'), 'its headers cannot be read'),
        (raw_frame(b'\x01\xff\x00'), 'its headers cannot be read'),
        (raw_frame(b'\x01a'), 'its headers cannot be read'),
    ],
)
def test_an_invalid_frame_raises(data: bytes, words: str) -> None:
    with pytest.raises(UnexpectedModelBehavior, match=words):
        FrameSplitter().feed(data + b'\x00' * 16)


def test_text_in_place_of_a_frame_is_passed_on() -> None:
    splitter = FrameSplitter()
    frames = [*splitter.feed(GOOD + b'{"error'), *splitter.feed('": "é"}'.encode()), *splitter.feed(b'\xe9 ')]
    assert frames[0] == HELLO
    assert b''.join(map(encode_sse, frames[1:])) == '{"error": "é"}'.encode() + b'\xe9 '
    assert not splitter.is_inside_frame


def test_an_incomplete_frame_waits() -> None:
    splitter = FrameSplitter()
    assert splitter.feed(GOOD[:-1]) == []
    assert splitter.feed(GOOD[-1:]) == [HELLO]


@pytest.mark.parametrize(
    ('frame', 'event'),
    [
        (HELLO, {'hello': {'a': 1}}),
        (Frame({':message-type': 'event', ':event-type': 'metadata'}, b''), {'metadata': {}}),
        (Frame({':message-type': 'event', ':event-type': 'x'}, b'{\r\n "a":\n1}'), {'x': {'a': 1}}),
        (
            Frame({':message-type': 'exception', ':exception-type': 'throttlingException'}, b'{"message":"no"}'),
            {'throttlingException': {'message': 'no'}},
        ),
        (
            Frame({':message-type': 'error', ':error-code': 'InternalError', ':error-message': 'no'}, b''),
            {'error': {'message': 'no', 'code': 'InternalError'}},
        ),
        (Frame({}, b'{}'), {'': {}}),
    ],
)
def test_a_frame_is_encoded_as_an_event_with_its_type_as_the_key(frame: Frame, event: Any) -> None:
    data = encode_sse(frame)
    assert data.startswith(b'data: ')
    assert data.endswith(b'\n\n')
    assert data.count(b'\n') == 2
    assert from_json(data[6:]) == event


def test_a_long_stream_is_read_in_small_chunks() -> None:
    sent = [Frame({':event-type': 'n'}, b'%d' % number) for number in range(500)]
    splitter = FrameSplitter()
    data = encode_frames(sent)
    read = [frame for at in range(0, len(data), 100) for frame in splitter.feed(data[at : at + 100])]
    assert read == sent
