"""Server-sent events, as far as LLM vendors use them: bytes in, the data of each event out. Pure.

Follows https://html.spec.whatwg.org/multipage/server-sent-events.html for `data`, comments and line ends; `event`, `id`
and `retry` are not needed, since every vendor repeats the event's name in its data.
"""

from __future__ import annotations

from ..exceptions import UnexpectedModelBehavior

__all__ = ('EventSplitter',)

MAX_EVENT_BYTES = 64 * 1024 * 1024
"""An event without an end is given up at this size. Images come as one event."""


class EventSplitter:
    """Cuts a stream into events. An event that the stream's end cuts off is dropped."""

    __slots__ = ('_data', '_rest')

    def __init__(self) -> None:
        self._rest = b''
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that are whole now."""
        text = self._rest + chunk if self._rest else chunk
        lines = text.split(b'\n')
        self._rest = lines.pop()
        if len(self._rest) > MAX_EVENT_BYTES:
            raise UnexpectedModelBehavior(f'An event of the stream is longer than {MAX_EVENT_BYTES} bytes')
        events: list[bytes] = []
        for line in lines:
            if line.startswith(b'data:'):
                self._data.append(line[6:] if line.startswith(b'data: ') else line[5:])
            elif self._data and line in (b'', b'\r'):
                events.append(self._data[0] if len(self._data) == 1 else b'\n'.join(self._data))
                self._data = []
        return events
