"""Server-sent events, as far as LLM vendors use them: bytes in, the data of each event out. Pure.

Follows https://html.spec.whatwg.org/multipage/server-sent-events.html for `data`, comments and line ends (but for a
lone carriage return, which nobody sends); `event`, `id` and `retry` are not needed, since every vendor repeats the
event's name in its data.
"""

from __future__ import annotations

from ..exceptions import UnexpectedModelBehavior

__all__ = ('EventSplitter',)

MAX_EVENT_BYTES = 64 * 1024 * 1024
"""An event without an end is given up at this size. Images come as one event."""

BYTE_ORDER_MARK = b'\xef\xbb\xbf'
"""May stand before the first line."""


class EventSplitter:
    """Cuts a stream into events, however it is cut into chunks. Events without data are none."""

    __slots__ = ('_begun', '_data', '_rest', '_size')

    def __init__(self) -> None:
        self._rest: list[bytes] = []  # the last line, which has no end yet
        self._data: list[bytes] = []  # the lines of the last event, which has no end yet
        self._size = 0  # of the chunks since an event ended
        self._begun = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that are whole now. Raises `UnexpectedModelBehavior` for one that never ends."""
        events: list[bytes] = []
        size = len(chunk)
        if b'\n' in chunk:
            data = self._data
            for line in self._lines(chunk):
                if line.startswith(b'data:'):
                    data.append(line[6:] if line.startswith(b'data: ') else line[5:])
                elif data and not line:
                    event = data[0] if len(data) == 1 else b'\n'.join(data)
                    if event and not event.isspace():
                        events.append(event)
                    data.clear()
        else:
            self._rest.append(chunk)
        self._size = 0 if events else self._size + size
        if self._size > MAX_EVENT_BYTES:
            raise UnexpectedModelBehavior(f'An event of the stream is longer than {MAX_EVENT_BYTES} bytes')
        return events

    def end(self) -> bytes | None:
        """The stream is over: the data of an event whose end is missing. It may be cut anywhere."""
        return next(iter(self.feed(b'\n\n')), None)

    def _lines(self, chunk: bytes) -> list[bytes]:
        """The lines that end in this chunk; what is left waits for the next."""
        if self._rest:
            chunk = b''.join((*self._rest, chunk))
        if b'\r' in chunk:
            chunk = chunk.replace(b'\r\n', b'\n')
        lines = chunk.split(b'\n')
        self._rest = [last] if (last := lines.pop()) else []
        if not self._begun:
            self._begun = True
            lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
        return lines
