"""Splits Amazon's event streams into frames (`FrameSplitter`), and encodes frames (`encode_frame`, `encode_sse`). Pure.

Follows https://smithy.io/2.0/aws/amazon-eventstream.html as far as LLM services use it. A frame is a prelude (two
lengths and their checksum), headers, the payload, and a checksum of all bytes before it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

from pydantic_core import to_json

from ..exceptions import UnexpectedModelBehavior

__all__ = ('CONTENT_TYPE', 'Frame', 'FrameSplitter', 'encode_frame', 'encode_sse')

CONTENT_TYPE = 'application/vnd.amazon.eventstream'
"""The beginning of the content type of such a stream."""

MAX_FRAME_BYTES = 64 * 1024 * 1024

TEXT_BYTES = range(0x09, 0x80)
"""The first bytes of text in ASCII. A frame begins with its length, whose first byte is 4 at most."""

TEXT: Mapping[str, str] = {}
"""The headers of what is no frame, but text: an error of a server between Amazon and here."""

PRELUDE = struct.Struct('>III')
"""The length of the frame, the length of its headers, the checksum of these two."""

CHECKSUM = struct.Struct('>I')
VALUE_LENGTH = struct.Struct('>H')

STRING = 7
"""The type of a text header, the only type that services send."""

VALUE_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""The size of a header's value in bytes, by the header's type. Bytes (6) and text (7) begin with their length."""


class Frame(NamedTuple):
    """One message of a stream."""

    headers: Mapping[str, str]
    """The text headers. The names of the protocol's own headers begin with a colon."""
    payload: bytes
    """The content, as JSON."""


class FrameSplitter:
    """Splits a stream into frames, independent of its chunks."""

    __slots__ = ('_is_text', '_rest')

    def __init__(self) -> None:
        self._rest = bytearray()
        self._is_text = False  # all that follows is text

    @property
    def is_inside_frame(self) -> bool:
        """True if the stream so far ends inside a frame."""
        return bool(self._rest)

    def feed(self, chunk: bytes) -> list[Frame]:
        """Return the frames that are complete now, and text in place of frames as one with the headers `TEXT`.

        Raises `UnexpectedModelBehavior` for invalid or damaged data.
        """
        rest = self._rest
        rest += chunk
        frames: list[Frame] = []
        start = 0
        while len(rest) > start and not self._starts_text(start):
            if len(rest) - start < PRELUDE.size or len(rest) - start < (length := _read_length(rest, start)):
                break
            frames.append(_decode_frame(bytes(rest[start : start + length])))
            start += length
        if self._is_text:
            frames.append(Frame(TEXT, bytes(rest[start:])))
            start = len(rest)
        del rest[:start]
        return frames

    def _starts_text(self, start: int) -> bool:
        """Return whether text follows in place of a frame."""
        self._is_text = self._is_text or self._rest[start] in TEXT_BYTES
        return self._is_text


def _read_length(data: bytearray, start: int) -> int:
    """Return the length in bytes of the frame that begins at `start`."""
    length, headers, checksum = PRELUDE.unpack_from(data, start)
    if crc32(data[start : start + 8]) != checksum:
        raise _make_frame_error('the checksum of its beginning is wrong')
    if not PRELUDE.size + headers + CHECKSUM.size <= length <= MAX_FRAME_BYTES:
        raise _make_frame_error(f'it says that it has {length} bytes, {headers} of them headers')
    return int(length)


def _decode_frame(data: bytes) -> Frame:
    if crc32(data[:-4]) != CHECKSUM.unpack_from(data, len(data) - 4)[0]:
        raise _make_frame_error('its checksum is wrong')
    end = PRELUDE.size + PRELUDE.unpack_from(data)[1]
    return Frame(_decode_headers(data[PRELUDE.size : end]), data[end:-4])


@lru_cache(maxsize=128)
def _decode_headers(data: bytes) -> Mapping[str, str]:
    """Return the text headers. Cached, because most frames of a stream have the same headers."""
    headers: dict[str, str] = {}
    at = 0
    try:
        while at < len(data):
            name_end = at + 1 + data[at]
            name, kind = data[at + 1 : name_end].decode(), data[name_end]
            at = name_end + 1
            if kind in VALUE_SIZES:
                at += VALUE_SIZES[kind]
                continue
            value_end = at + 2 + VALUE_LENGTH.unpack_from(data, at)[0]
            if kind == STRING:
                headers[name] = data[at + 2 : value_end].decode()
            at = value_end
    except (IndexError, UnicodeDecodeError, struct.error) as error:
        raise _make_frame_error(f'its headers cannot be read ({error})') from None
    return headers


def _make_frame_error(reason: str) -> UnexpectedModelBehavior:
    return UnexpectedModelBehavior(f'A frame of the stream cannot be read: {reason}')


def encode_frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Encode a frame with text headers."""
    encoded = b''.join(map(_encode_header, headers.items()))
    lengths = struct.pack('>II', PRELUDE.size + len(encoded) + len(payload) + CHECKSUM.size, len(encoded))
    message = lengths + CHECKSUM.pack(crc32(lengths)) + encoded + payload
    return message + CHECKSUM.pack(crc32(message))


def _encode_header(header: tuple[str, str]) -> bytes:
    name, value = (text.encode() for text in header)
    return bytes([len(name)]) + name + bytes([STRING]) + VALUE_LENGTH.pack(len(value)) + value


def encode_sse(frame: Frame) -> bytes:
    """Encode a frame as a server-sent event, with the frame's type as the only key, as in Amazon's SDKs."""
    headers = frame.headers
    if headers is TEXT:
        return frame.payload
    match headers.get(':message-type'):
        case 'error':
            error = {'message': headers.get(':error-message', ''), 'code': headers.get(':error-code', '')}
            return b'data: {"error":' + to_json(error) + b'}\n\n'
        case 'exception':
            kind = headers.get(':exception-type', '')
        case _:
            kind = headers.get(':event-type', '')
    payload = frame.payload.replace(b'\n', b' ').replace(b'\r', b' ') or b'{}'
    return b'data: {' + to_json(kind) + b':' + payload + b'}\n\n'
