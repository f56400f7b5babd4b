"""Amazon's event streams, as far as LLM services use them: bytes in, frames out, and the other way. Pure.

Follows https://smithy.io/2.0/aws/amazon-eventstream.html: a prelude of two lengths and their checksum, headers, the
payload, and a checksum of it all.
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
"""What the content type of such a stream begins with."""

MAX_FRAME_BYTES = 64 * 1024 * 1024
"""A longer frame is given up."""

PRELUDE = struct.Struct('>III')
"""The length of the frame, the length of its headers, the checksum of these two."""

CHECKSUM = struct.Struct('>I')
SHORT = struct.Struct('>H')

STRING = 7
"""The type of a header that is text, the only one that services send."""

SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""How many bytes the value of a header has, by its type; bytes (6) and text (7) say it themselves."""


class Frame(NamedTuple):
    """One message of a stream."""

    headers: Mapping[str, str]
    """The headers that are text. Those of the protocol's own begin with a colon."""
    payload: bytes
    """What it says, JSON."""


class FrameSplitter:
    """Cuts a stream into frames, however it is cut into chunks."""

    __slots__ = ('_rest',)

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that are whole now. Raises `UnexpectedModelBehavior` where the stream is none, or was damaged."""
        rest = self._rest
        rest += chunk
        frames: list[Frame] = []
        start = 0
        while len(rest) - start >= PRELUDE.size and len(rest) - start >= (length := _length(rest, start)):
            frames.append(_frame(bytes(rest[start : start + length])))
            start += length
        del rest[:start]
        return frames


def _length(data: bytearray, start: int) -> int:
    """The length of the frame that begins here."""
    length, headers, checksum = PRELUDE.unpack_from(data, start)
    if crc32(data[start : start + 8]) != checksum:
        raise _broken('the checksum of its beginning is wrong')
    if not PRELUDE.size + headers + CHECKSUM.size <= length <= MAX_FRAME_BYTES:
        raise _broken(f'it says that it has {length} bytes, {headers} of them headers')
    return int(length)


def _frame(data: bytes) -> Frame:
    if crc32(data[:-4]) != CHECKSUM.unpack_from(data, len(data) - 4)[0]:
        raise _broken('its checksum is wrong')
    end = PRELUDE.size + PRELUDE.unpack_from(data)[1]
    return Frame(_headers(data[PRELUDE.size : end]), data[end:-4])


@lru_cache(maxsize=128)
def _headers(data: bytes) -> Mapping[str, str]:
    """The headers that are text. Most frames of a stream have the same."""
    headers: dict[str, str] = {}
    at = 0
    try:
        while at < len(data):
            name_end = at + 1 + data[at]
            name, kind = data[at + 1 : name_end].decode(), data[name_end]
            at = name_end + 1
            if kind in SIZES:
                at += SIZES[kind]
                continue
            value_end = at + 2 + SHORT.unpack_from(data, at)[0]
            if kind == STRING:
                headers[name] = data[at + 2 : value_end].decode()
            at = value_end
    except (IndexError, UnicodeDecodeError, struct.error) as error:
        raise _broken(f'its headers cannot be read ({error})') from None
    return headers


def _broken(reason: str) -> UnexpectedModelBehavior:
    return UnexpectedModelBehavior(f'A frame of the stream cannot be read: {reason}')


def encode_frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """A frame as bytes."""
    written = b''.join(map(_header, headers.items()))
    lengths = struct.pack('>II', PRELUDE.size + len(written) + len(payload) + CHECKSUM.size, len(written))
    message = lengths + CHECKSUM.pack(crc32(lengths)) + written + payload
    return message + CHECKSUM.pack(crc32(message))


def _header(header: tuple[str, str]) -> bytes:
    name, value = (text.encode() for text in header)
    return bytes([len(name)]) + name + bytes([STRING]) + SHORT.pack(len(value)) + value


def encode_sse(frame: Frame) -> bytes:
    """A frame as a server-sent event: an object with its type as the only key, which is how Amazon's SDKs show it."""
    headers = frame.headers
    match headers.get(':message-type'):
        case 'error':
            said = {'message': headers.get(':error-message', ''), 'code': headers.get(':error-code', '')}
            return b'data: {"error":' + to_json(said) + b'}\n\n'
        case 'exception':
            kind = headers.get(':exception-type', '')
        case _:
            kind = headers.get(':event-type', '')
    payload = frame.payload.replace(b'\n', b' ').replace(b'\r', b' ') or b'{}'
    return b'data: {' + to_json(kind) + b':' + payload + b'}\n\n'
