"""Requests become files, each within the vendor's limits for one batch: `PartWriter`.

The files are on disk, so that a batch of any size takes little memory.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from ..exceptions import UserError
from ..transport import FileBody
from ..wire.batch_api import BatchApi

__all__ = ('Part', 'PartWriter')


@dataclass(slots=True, eq=False)
class Part:
    """The requests of one batch at the vendor."""

    file: BinaryIO
    is_inline: bool
    """True if the file is the request that creates the batch; false if it is uploaded before."""
    ids: list[str] = field(default_factory=list[str])
    size: int = 0

    def write(self, data: bytes) -> None:
        self.file.write(data)
        self.size += len(data)

    def make_body(self, api: BatchApi) -> FileBody:
        """Return the body that sends the file."""
        if self.is_inline or api.upload is None:
            return FileBody(self.file, self.size)
        return FileBody(self.file, self.size, 'application/jsonl', api.upload.form)


class PartWriter:
    """Writes requests into parts. If the API has both ways, a small batch is inline, and a larger one in files."""

    def __init__(self, api: BatchApi) -> None:
        self._api = api
        self._parts: list[Part] = []
        self._is_inline = api.upload is None
        has_both = api.upload is not None and api.inline is not None
        self._held: list[tuple[str, bytes, int]] | None = [] if has_both else None  # while the batch may be inline
        self._held_size = 0

    def add(self, id: str, body: bytes, *, index: int) -> None:
        """Add a request. Raises `UserError` if it alone is larger than the limit of a batch."""
        if self._held is None:
            self._write_row(id, body, index)
            return
        self._held.append((id, body, index))
        self._held_size += len(body)
        if self._api.inline is None or self._held_size > self._api.inline.max_bytes:
            self._write_held()

    def finish(self) -> list[Part]:
        """Return all parts, complete."""
        if self._held is not None:
            self._is_inline = True
            self._write_held()
        self._end_part()
        return self._parts

    def close(self) -> None:
        """Delete the files on disk."""
        for part in self._parts:
            part.file.close()

    def _write_held(self) -> None:
        held, self._held = self._held or [], None
        for row in held:
            self._write_row(*row)

    def _write_row(self, id: str, body: bytes, index: int) -> None:
        """Write a request to the last part, or to a new one if it does not fit."""
        row = self._encode(id, body)
        limit = self._api.max_bytes - self._count_frame_bytes()
        if len(row) > limit:
            raise UserError(f'requests[{index}] has {len(row)} bytes, and a batch may have at most {limit}')
        part = self._parts[-1] if self._parts else None
        if part is None or len(part.ids) >= self._api.max_requests or part.size + len(row) > limit:
            part = self._begin_part()
        elif self._is_inline:
            part.write(b',')
        part.write(row)
        part.ids.append(id)

    def _encode(self, id: str, body: bytes) -> bytes:
        if self._is_inline:
            assert self._api.inline is not None, 'there is no upload'
            return self._api.inline.encode_row(id, body)
        assert self._api.encode_row is not None, 'there is an upload'
        return self._api.encode_row(id, body) + b'\n'

    def _count_frame_bytes(self) -> int:
        """Return the number of bytes that the frame of an inline batch may add to its requests."""
        inline = self._api.inline
        return len(inline.before) + len(inline.after) + 1 if self._is_inline and inline is not None else 0

    def _begin_part(self) -> Part:
        self._end_part()
        file = cast('BinaryIO', tempfile.TemporaryFile())  # noqa: SIM115 -- `close` closes it
        part = Part(file, self._is_inline)
        if part.is_inline and self._api.inline is not None:
            part.write(self._api.inline.before)
        self._parts.append(part)
        return part

    def _end_part(self) -> None:
        if not self._parts:
            return
        if self._is_inline and self._api.inline is not None:
            self._parts[-1].write(self._api.inline.after)
        self._parts[-1].file.flush()  # httpx asks the operating system for the size of a file in a form
