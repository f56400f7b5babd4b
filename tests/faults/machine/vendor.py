"""A vendor of chat completions behind an HTTP transport: it serves a `Fate` per request and records what it sent.

Everything above the transport is real: the vendor's SDK, the HTTP client, the deadlines, the decoders.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import httpx2

from pydantic_llm.usage import RequestUsage

Break = Literal['reset', 'eof', 'half event', 'half event reset', 'silence', 'error event', 'junk']
"""How a body breaks off."""

BREAKS: tuple[Break, ...] = ('reset', 'eof', 'half event', 'half event reset', 'silence', 'error event', 'junk')

Ending = Literal['done', 'no done', 'open', 'junk', 'reset']
"""What follows a complete response."""

ENDINGS: tuple[Ending, ...] = ('done', 'no done', 'open', 'junk', 'reset')

REQUEST = re.compile(rb'request-(\d+)')


@dataclass(frozen=True, repr=False)
class ShortRepr:
    """The base of dataclasses that show the fields which differ from their defaults."""

    def __repr__(self) -> str:
        shown = [
            f'{each.name}={getattr(self, each.name)!r}'
            for each in fields(self)
            if getattr(self, each.name) != each.default
        ]  # type: ignore[arg-type]
        return f'{type(self).__name__}({", ".join(shown)})'


@dataclass(frozen=True, repr=False)
class Fate(ShortRepr):
    """What happens to one request. The default is a good response at once."""

    status: int = 200
    retry_after: str | None = None
    refuses: bool = False
    """The connection fails instead of a response."""
    latency: float = 0.0
    """Seconds before the head of the response; a silent server never sends it."""
    pause: float = 0.0
    """Seconds before each piece of the body."""
    breaks: Break | None = None
    breaks_after: int = 0
    """The number of events before the break."""
    ending: Ending = 'done'
    counts_early: bool = False
    """The usage is in each event, not only in the last one."""
    truncated: bool = False
    """The response ends without a finish reason."""


GOOD = Fate()
SILENCE = 1e9


@dataclass
class Visit:
    """One request that reached the vendor, and what the vendor sent."""

    number: int
    caller: int
    leaf: str
    fate: Fate
    arrived: float
    is_open: bool = True
    is_complete: bool = False
    """The end of a good response was sent."""
    pieces: list[str] = field(default_factory=list[str])
    """The pieces of text that were sent."""
    usage: RequestUsage = field(default_factory=RequestUsage)
    """The usage that was sent last."""

    def piece(self, number: int) -> str:
        return f'<{self.number}.{number}>'

    def count(self, pieces: int) -> dict[str, int]:
        return {
            'prompt_tokens': 10 + self.number,
            'completion_tokens': pieces,
            'total_tokens': 10 + self.number + pieces,
        }


PIECES = 3
"""The number of pieces of text in a response."""

Sent = tuple[bytes, int, bool]
"""Bytes of a body; the number of pieces after them; whether the usage is in them."""


class Vendor(httpx2.AsyncBaseTransport):
    """Serves the fates of `plan`, then those of `standing` by leaf, then good responses."""

    def __init__(self) -> None:
        self.plan: deque[Fate] = deque()
        self.standing: dict[str, Fate] = {}
        self.visits: list[Visit] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        leaf = body['model']
        fate = self.plan.popleft() if self.plan else self.standing.get(leaf, GOOD)
        found = REQUEST.search(request.content)
        caller = int(found[1]) if found else -1
        visit = Visit(len(self.visits), caller, leaf, fate, asyncio.get_running_loop().time())
        self.visits.append(visit)
        try:
            response = await self._respond(request, visit, streams=bool(body.get('stream')))
        except BaseException:
            visit.is_open = False
            raise
        return response

    async def _respond(self, request: httpx2.Request, visit: Visit, *, streams: bool) -> httpx2.Response:
        fate = visit.fate
        limit = request.extensions['timeout'].get('read')
        if fate.refuses:
            raise httpx2.ConnectError(f'refused {visit.number}', request=request)
        await _sleep(fate.latency, limit, request)
        if fate.status != 200:
            content = json.dumps({'error': {'message': f'status {visit.number}'}}).encode()
            headers = {} if fate.retry_after is None else {'retry-after': fate.retry_after}
            visit.is_open = False
            return httpx2.Response(fate.status, content=content, headers=headers, request=request)
        kind = 'text/event-stream' if streams else 'application/json'
        sent = list(stream_of(visit) if streams else whole_of(visit))
        return httpx2.Response(
            200, headers={'content-type': kind}, stream=Body(sent, visit, request, limit, streams=streams)
        )


async def _sleep(seconds: float, limit: float | None, request: httpx2.Request) -> None:
    """Wait, but not longer than the client's own time limit."""
    if limit is not None and seconds > limit:
        await asyncio.sleep(limit)
        raise httpx2.ReadTimeout('the time limit of the client', request=request)
    if seconds:
        await asyncio.sleep(seconds)


class Body(httpx2.AsyncByteStream):
    """The body of a response, with its break."""

    def __init__(
        self, sent: list[Sent], visit: Visit, request: httpx2.Request, limit: float | None, *, streams: bool
    ) -> None:
        self.sent, self.visit, self.request, self.limit, self.streams = sent, visit, request, limit, streams
        self._closed = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        fate, visit = self.visit.fate, self.visit
        for number, (data, pieces, has_usage) in enumerate(self.sent):
            if fate.breaks is not None and number == min(fate.breaks_after, len(self.sent) - 1):
                async for piece in self._break_off(fate.breaks, data):
                    yield piece
                return
            await self._wait(fate.pause)
            visit.pieces = [visit.piece(n) for n in range(pieces)]
            if has_usage:
                visit.usage = RequestUsage(input_tokens=10 + visit.number, output_tokens=pieces)
            visit.is_complete = number == len(self.sent) - 1
            yield data
        if self.streams:
            async for piece in self._finish(fate.ending):
                yield piece

    async def _break_off(self, how: Break, data: bytes) -> AsyncGenerator[bytes]:
        half = data[: len(data) // 2]
        if how in ('half event', 'half event reset'):
            yield half
        if how in ('reset', 'half event reset'):
            raise httpx2.ReadError(f'reset {self.visit.number}', request=self.request)
        if how == 'silence':
            await self._wait(SILENCE)
        if how == 'error event':
            error = {'error': {'message': f'error event {self.visit.number}', 'code': 503, 'type': 'server_error'}}
            yield _event(error) if self.streams else json.dumps(error).encode()
        if how == 'junk':
            yield b'data: <html>\n\n' if self.streams else b'<html>'

    async def _finish(self, ending: Ending) -> AsyncGenerator[bytes]:
        if ending == 'done':
            yield b'data: [DONE]\n\n'
        if ending == 'open':
            await self._wait(SILENCE)
        if ending == 'junk':
            yield b'data: {junk\n\n'
        if ending == 'reset':
            raise httpx2.ReadError(f'reset {self.visit.number}', request=self.request)

    async def _wait(self, seconds: float) -> None:
        """Wait; a close of the connection ends the wait, as it does for a socket."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, self.limit or seconds)):
                await self._closed.wait()
            raise httpx2.ReadError('closed', request=self.request)
        if self.limit is not None and seconds > self.limit:
            raise httpx2.ReadTimeout('the time limit of the client', request=self.request)

    async def aclose(self) -> None:
        self.visit.is_open = False
        self._closed.set()


def _event(data: Any) -> bytes:
    return b'data: ' + json.dumps(data).encode() + b'\n\n'


def stream_of(visit: Visit) -> list[Sent]:
    """Return the events of a response: its role, its text, its finish reason, its usage."""
    fate, found = visit.fate, list[Sent]()
    common = {'id': f'c{visit.number}', 'object': 'chat.completion.chunk', 'model': visit.leaf}

    def add(delta: dict[str, Any] | None, pieces: int, *, finish: str | None = None, counts: bool = False) -> None:
        choices = [] if delta is None else [{'index': 0, 'delta': delta, 'finish_reason': finish}]
        usage = {'usage': visit.count(pieces)} if counts else {}
        found.append((_event({**common, 'choices': choices, **usage}), pieces, counts))

    add({'role': 'assistant', 'content': ''}, 0)
    for number in range(PIECES):
        add({'content': visit.piece(number)}, number + 1, counts=fate.counts_early)
    if not fate.truncated:
        add({}, PIECES, finish='stop')
    add(None, PIECES, counts=True)
    return found


def whole_of(visit: Visit) -> list[Sent]:
    """Return the body of a whole response in one piece."""
    text = ''.join(visit.piece(n) for n in range(PIECES))
    finish = None if visit.fate.truncated else 'stop'
    choice = {'index': 0, 'message': {'role': 'assistant', 'content': text}, 'finish_reason': finish}
    body = {'id': f'c{visit.number}', 'object': 'chat.completion', 'model': visit.leaf, 'choices': [choice]}
    return [(json.dumps({**body, 'usage': visit.count(PIECES)}).encode(), PIECES, True)]
