"""The log of requests: the logger `pydantic_llm.http`, at the level DEBUG.

Method, URL, sizes and times; no headers, so that no key is in it. Bodies are logged if the environment variable
`PYDANTIC_LLM_LOG_BODIES` is 1.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from . import RawRequest
from .keys import find_keys, hide_keys

__all__ = ('RequestLog', 'WireExchange', 'capture_exchanges', 'start_log')

BODIES_VARIABLE = 'PYDANTIC_LLM_LOG_BODIES'

MAX_BODY = 100_000
"""The most bytes of a body that are logged."""

logger: logging.Logger = logging.getLogger('pydantic_llm.http')

_numbers = count(1)


@dataclass(slots=True)
class WireExchange:
    """One request to an API, as it was sent, and what came back. It has no headers, so that no key is in it."""

    method: str
    url: str
    """The URL without its query; until the headers of the response have arrived, its path."""
    request: str
    """The body of the request."""
    status: int | None = None
    """The HTTP status; `None` if there was no response."""
    response: str = ''
    """The body of the response: of a stream, what was read of it."""
    error: str | None = None
    seconds: float = 0.0


_captured: ContextVar[list[WireExchange] | None] = ContextVar('pydantic_llm_exchanges', default=None)


@contextmanager
def capture_exchanges() -> Generator[list[WireExchange]]:
    """Collect the requests that are sent in the block, in the order in which they begin."""
    exchanges: list[WireExchange] = []
    token = _captured.set(exchanges)
    try:
        yield exchanges
    finally:
        _captured.reset(token)


def start_log(request: RawRequest) -> RequestLog | None:
    """Return the log of a request that is sent now; `None` if no handler reads it."""
    exchanges = _captured.get()
    if exchanges is None and not logger.isEnabledFor(logging.DEBUG):
        return None
    log = RequestLog(request, keeps_bodies=exchanges is not None)
    if exchanges is not None:
        exchanges.append(log.exchange)
    return log


class RequestLog:
    """The lines of one request. They begin with its number, since several requests can be under way."""

    def __init__(self, request: RawRequest, *, keeps_bodies: bool) -> None:
        self._number = next(_numbers)
        self._began = time.perf_counter()
        self._logs_bodies = os.environ.get(BODIES_VARIABLE) == '1'
        self._bodies: list[bytes] | None = [] if keeps_bodies or self._logs_bodies else None
        body = '' if self._bodies is None else _decode(request.body)
        self.exchange: WireExchange = WireExchange(request.method, request.path, body)
        """What is known of the request so far; without bodies, unless they are kept or logged."""
        self._size = 0
        self._keys: list[str] = []
        size = len(request.body if request.file is None else request.file)
        self._write('%s %s of %s: sending %d bytes', request.method, request.path, request.model_name, size)
        if self._logs_bodies and request.body:
            self._write('request body: %s', self.exchange.request)

    def begin(self, response: Any) -> None:
        """Log the status of the response, whose headers have arrived."""
        sent = response.request
        self._keys = [*find_keys(sent)]
        url = _without_secrets(str(getattr(sent, 'url', '')))
        self.exchange.url, self.exchange.status = url, response.status_code
        self._write('%s from %s after %.3f s', response.status_code, url, self._seconds)

    def fail(self, error: BaseException) -> None:
        """Log the error of a request that has no response with a success status."""
        self.exchange.error = f'{type(error).__name__}: {error}'
        self.exchange.seconds = self._seconds
        self._write('failed after %.3f s: %s', self._seconds, self.exchange.error)

    async def count_bytes(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the chunks of the response."""
        async for chunk in chunks:
            self._size += len(chunk)
            if self._bodies is not None:
                self._bodies.append(chunk)
            yield chunk

    def end(self) -> None:
        """Log what has arrived, when the response is closed."""
        self.exchange.seconds = self._seconds
        self._write('received %d bytes in %.3f s', self._size, self._seconds)
        if self._bodies:
            self.exchange.response = hide_keys(_decode(b''.join(self._bodies)), self._keys)
            if self._logs_bodies:
                self._write('response body: %s', self.exchange.response)

    @property
    def _seconds(self) -> float:
        return time.perf_counter() - self._began

    def _write(self, message: str, *values: object) -> None:
        logger.debug(f'[%d] {message}', self._number, *values)  # noqa: G004 -- the message is constant


def _decode(body: bytes) -> str:
    text = body[:MAX_BODY].decode(errors='replace')
    return text if len(body) <= MAX_BODY else f'{text}… ({len(body)} bytes)'


def _without_secrets(url: str) -> str:
    """Return a URL without a user's name, a password and a query, where some servers expect a key."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition('@')[2], query='', fragment='').geturl()
