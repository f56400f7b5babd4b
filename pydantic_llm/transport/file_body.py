"""`FileBody`: the body of a request that is read from a file while it is sent, and so is never in memory as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import BinaryIO

__all__ = ('FileBody',)

CHUNK_BYTES = 64 * 1024
"""The bytes that are read from the file at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class FileBody:
    """A file as the body of a request, by itself or as the field `file` of a form.

    It can be iterated again for each attempt. The file belongs to the caller, and stays open.
    """

    file: BinaryIO
    """The file, open for reading. All of it is sent."""
    size: int
    """The size of the file in bytes."""
    content_type: str = 'application/json'
    form: Mapping[str, str] | None = None
    """The other fields of the form; `None` if the file itself is the body."""
    name: str = 'requests.jsonl'
    """The name of the file in the form."""
    boundary: str = field(default_factory=lambda: token_hex(16), repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """The headers that describe the body."""
        kind = self.content_type if self.form is None else f'multipart/form-data; boundary={self.boundary}'
        return {'Content-Type': kind}

    def __len__(self) -> int:
        """Return the size of the body in bytes."""
        return self.size + len(self._encode_head()) + len(self._encode_tail())

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if head := self._encode_head():
            yield head
        position = 0
        while position < self.size:
            self.file.seek(position)  # an earlier attempt may still hold the file
            if not (chunk := self.file.read(CHUNK_BYTES)):
                break
            position += len(chunk)
            yield chunk
        if tail := self._encode_tail():
            yield tail

    def _encode_head(self) -> bytes:
        """Return what precedes the file in a form (RFC 7578, section 4)."""
        if self.form is None:
            return b''
        start = f'--{self.boundary}\r\nContent-Disposition: form-data; name='
        fields = [f'{start}"{name}"\r\n\r\n{value}\r\n' for name, value in self.form.items()]
        file = f'{start}"file"; filename="{self.name}"\r\nContent-Type: {self.content_type}\r\n\r\n'
        return ''.join([*fields, file]).encode()

    def _encode_tail(self) -> bytes:
        return b'' if self.form is None else f'\r\n--{self.boundary}--\r\n'.encode()
