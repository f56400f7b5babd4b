"""Splits a stream of server-sent events into the data of each event: `EventSplitter`. Pure.

Follows https://html.spec.whatwg.org/multipage/server-sent-events.html for `data`, comments and line ends, with two
exceptions: a lone carriage return does not end a line, because no vendor sends it, and JSON without its field is data
(`UNFRAMED`), over several lines too. Other lines without a field, such as the text of a proxy, are kept in `stray`. The
fields `event`, `id` and `retry` are skipped, because every vendor repeats the event's name in its data.
"""

from __future__ import annotations

from ..exceptions import UnexpectedModelBehavior

__all__ = ('NEWLINE', 'EventSplitter')

MAX_EVENT_BYTES = 64 * 1024 * 1024
"""The size limit of an unfinished event. It is high because an image arrives as one event."""

ERROR_FIELD = b'error:'
"""A field that the format does not have; older servers of llama.cpp send an error in it: llama.cpp#16109"""

UNFRAMED = (ERROR_FIELD, b'{')
"""The beginnings of lines that are data without its field: an error of the server behind a proxy (lemonade#2826)"""

FIELDS = (b'data', b'error', b'event', b'id')
"""The fields whose lines belong to an event."""

SKIPPED = (b'event:', b'id:', b'retry:', b':')
"""The beginnings of lines without content."""

MAX_STRAY_LINES = 20
MAX_STRAY_BYTES = 500
"""The most lines without a field, and bytes of each, that are kept."""

NEWLINE = 10
"""The code of a newline. Bytes find a number in 0.02 µs, and one byte in 0.2."""

BYTE_ORDER_MARK = b'\xef\xbb\xbf'
"""The mark that the first line may begin with."""


class EventSplitter:
    """Splits a stream into events, independent of its chunks. Events without data are skipped."""

    __slots__ = ('_data', '_has_begun', '_last_line', '_rest', '_size', '_unframed', 'stray')

    def __init__(self) -> None:
        self._rest: list[bytes] = []  # the pieces of the last line, whose end has not arrived
        self._last_line = b''  # the last line whose end has arrived
        self._data: list[bytes] = []  # the data lines of the last event, whose end has not arrived
        self._size = 0  # bytes since the last finished event
        self._has_begun = False
        self._unframed: bytes | None = None  # the last data line without its field
        self.stray: list[bytes] = []
        """The first lines that have no field of the format."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the data of the events that are complete now. Raises `UnexpectedModelBehavior` for a huge event."""
        # 2.4 µs an event without this, 0.5 with it: servers send most events in a chunk of their own
        if not (self._rest or self._data) and (event := _read_single_event(chunk)):
            self._has_begun, self._size, self._last_line = True, 0, b''
            return [event]
        events: list[bytes] = []
        size = len(chunk)
        if b'\n' in chunk:
            data = self._data
            for line in self._take_lines(chunk):
                if line.startswith(b'data:'):
                    data.append(line[6:] if line.startswith(b'data: ') else line[5:])
                elif line.startswith(UNFRAMED):
                    self._unframed = line.removeprefix(ERROR_FIELD).strip()
                    data.append(self._unframed)
                elif data and not line:
                    event = data[0] if len(data) == 1 else b'\n'.join(data)
                    if event and not event.isspace():
                        events.append(event)
                    data.clear()
                elif line and not line.startswith(SKIPPED):
                    self._add_stray(line)
        else:
            self._rest.append(chunk)
        self._size = 0 if events else self._size + size
        if self._size > MAX_EVENT_BYTES:
            raise UnexpectedModelBehavior(f'An event of the stream is longer than {MAX_EVENT_BYTES} bytes')
        return events

    @property
    def is_between_events(self) -> bool:
        """True if nothing of an event that is not complete has arrived."""
        return not (self._rest or self._data or self._last_line)

    @property
    def is_inside_event(self) -> bool:
        """True if the stream so far ends after the beginning of an event and before the empty line that ends it."""
        line = b''.join(self._rest) or self._last_line
        field = line.partition(b':')[0]
        is_in_field = field != b'' and any(name.startswith(field) for name in FIELDS)
        return bool(self._data) or is_in_field or line.startswith(UNFRAMED)

    def end(self) -> bytes | None:
        """Return the data of an unfinished last event at the end of the stream. It may be truncated anywhere."""
        return next(iter(self.feed(b'\n\n')), None)

    def _add_stray(self, line: bytes) -> None:
        """Add a line to the JSON without a field that has begun, else to `stray`."""
        if self._data and self._data[0] is self._unframed:
            self._data.append(line)
        elif len(self.stray) < MAX_STRAY_LINES:
            self.stray.append(line[:MAX_STRAY_BYTES])

    def _take_lines(self, chunk: bytes) -> list[bytes]:
        """Return the lines that end in this chunk, and keep the rest for the next chunk."""
        if self._rest:
            chunk = b''.join((*self._rest, chunk))
        if b'\r' in chunk:
            chunk = chunk.replace(b'\r\n', b'\n')
        lines = chunk.split(b'\n')
        self._rest = [last] if (last := lines.pop()) else []
        if not self._has_begun:
            self._has_begun = True
            lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
        self._last_line = lines[-1]
        return lines


def _read_single_event(chunk: bytes) -> bytes | None:
    """Return the data of a chunk that is one whole event with one line of JSON, after at most its name."""
    start = chunk.find(b'\n') + 1 if chunk.startswith(b'event: ') else 0
    if not (chunk.startswith(b'data: {', start) and chunk.endswith((b'}\n\n', b'}\r\n\r\n'))):
        return None
    data = chunk[start + 6 :].rstrip()
    return data if NEWLINE not in data else None
