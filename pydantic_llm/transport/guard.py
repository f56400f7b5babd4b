"""Limits what a server can do to an HTTP client of httpx or httpx2: `guard`.

The client's response hook replaces the body before anything reads it: the client itself, which reads the body of a
redirect, an SDK, which reads the body of an error status, and `ResponseStream`. A compressed body is decompressed in
small steps, so that neither the memory nor the event loop depends on what a server sends. A redirect is followed with
the request's body to the same host only, and with a key to the same port only.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import httpx2

from ..exceptions import UnexpectedModelBehavior
from .keys import KEY_HEADERS

__all__ = (
    'ACCEPTED_ENCODINGS',
    'MAX_ERROR_BYTES',
    'REDIRECT_HEADER',
    'drop_keys',
    'find_redirect',
    'guard',
    'limit_body',
)

ACCEPTED_ENCODINGS = 'gzip, deflate'
"""The `Accept-Encoding` of every request. The decoders of other encodings cannot limit the size of their output."""

MAX_ERROR_BYTES = 256 * 1024
"""The bytes that are read of a response with an error status or a redirect. The rest is never requested."""

STEP = 64 * 1024
"""The bytes that are decompressed at a time."""

REDIRECT_HEADER = 'x-refused-location'
"""The name that `Location` gets if the redirect is not followed."""

_is_guarded: ContextVar[bool] = ContextVar('pydantic_llm_is_guarded', default=False)


@contextmanager
def guard(client: Any) -> Generator[None]:
    """Guard the requests that a client, or the client of an SDK, sends inside the block.

    Requests of the client's owner outside the block are left alone.
    """
    hooks: dict[str, list[Any]] = getattr(client, '_client', client).event_hooks
    if _guard_response not in hooks['response']:
        hooks['request'].append(_guard_request)
        hooks['response'].insert(0, _guard_response)  # before hooks of the client's owner, which may read the body
    token = _is_guarded.set(True)
    try:
        yield
    finally:
        _is_guarded.reset(token)


async def _guard_request(request: Any) -> None:
    if _is_guarded.get():
        request.headers['accept-encoding'] = ACCEPTED_ENCODINGS


async def _guard_response(response: Any) -> None:
    if not _is_guarded.get():
        return
    if response.has_redirect_location:
        _limit_redirect(response)
    encoding = response.headers.get('content-encoding', '').strip().lower()
    if response.is_success and encoding in ('', 'identity'):
        return
    if encoding:
        del response.headers['content-encoding']
    limit = None if response.is_success else MAX_ERROR_BYTES
    response.stream = _make_limited_stream(type(response).__module__.partition('.')[0])(
        response.stream, encoding, limit
    )


def _limit_redirect(response: Any) -> None:
    """Hide the target of a redirect that must not be followed. Drop the keys if it leads to another port.

    The library itself drops only `Authorization` there.
    """
    request = response.request
    target = find_redirect(str(request.url), response.status_code, response.headers)
    if target is None:
        response.headers[REDIRECT_HEADER] = response.headers['location']
        del response.headers['location']
    elif not target.keeps_port:
        for name in KEY_HEADERS:
            request.headers.pop(name, None)  # the next request is a copy


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirect that may be followed."""

    url: str
    keeps_port: bool
    """False if the target is another server of the same host, which must not get the key."""


def find_redirect(url: str, status: int, headers: Mapping[str, str]) -> Redirect | None:
    """Return the redirect of a response to a request to `url`, if it may be followed.

    It must keep the method, the body, the host and the encryption of its request.
    """
    if status not in (307, 308) or 'location' not in headers:
        return None
    source = httpx2.URL(url)
    try:
        target = source.join(headers['location'])
    except httpx2.InvalidURL:
        return None
    keeps_encryption = target.scheme == 'https' or target.scheme == source.scheme
    if target.host != source.host or not keeps_encryption:
        return None
    return Redirect(str(target), target.port == source.port)


def drop_keys(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return the headers without those that may hold a key."""
    return {name: value for name, value in headers.items() if name.lower() not in KEY_HEADERS}


@cache
def _make_limited_stream(library: str) -> type[Any]:
    """Return the class of limited bodies for a library, `'httpx'` or `'httpx2'`."""

    class LimitedStream(import_module(library).AsyncByteStream):  # type: ignore[misc]  # the library is not known here
        def __init__(self, stream: Any, encoding: str, limit: int | None) -> None:
            self._stream = stream
            self._encoding = encoding
            self._limit = limit

        def __aiter__(self) -> AsyncGenerator[bytes]:
            return limit_body(self._stream, encoding=self._encoding, limit=self._limit)

        async def aclose(self) -> None:
            await self._stream.aclose()

    return LimitedStream


async def limit_body(stream: Any, *, encoding: str, limit: int | None) -> AsyncGenerator[bytes]:
    """Yield the first `limit` bytes of a body, without its compression."""
    left = limit
    async for piece in _decompress(stream, encoding, must_end=limit is None):
        if left is not None and len(piece) >= left:
            yield piece[:left]
            return
        left = None if left is None else left - len(piece)
        yield piece


async def _decompress(stream: Any, encoding: str, *, must_end: bool) -> AsyncGenerator[bytes]:
    """Yield a body without its compression, in pieces of at most `STEP` bytes if it is compressed.

    With `must_end`, raises `ConnectionAbortedError` if a compressed body is truncated.
    """
    if encoding in ('', 'identity'):
        async for chunk in stream:
            yield chunk
        return
    inflate = _Inflater(encoding)
    async for chunk in stream:
        for piece in inflate(chunk):
            yield piece
            await asyncio.sleep(0)  # a small chunk can hold a thousand pieces, and others need the event loop too
    if must_end and not inflate.has_ended:
        raise ConnectionAbortedError('the server ended its compressed response too early')


class _Inflater:
    """Decompresses the chunks of a body, step by step."""

    def __init__(self, encoding: str) -> None:
        if encoding not in ('gzip', 'x-gzip', 'deflate'):
            raise UnexpectedModelBehavior(
                f'The server compressed its response with {encoding!r}, which was not requested'
            )
        self._state = zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: the header decides between gzip and zlib
        self._has_begun = False
        self._may_be_raw = encoding == 'deflate'  # some servers send it without a header: RFC 9110, 8.4.1.2

    @property
    def has_ended(self) -> bool:
        """True if the end of the compressed data has arrived, or none of its beginning."""
        return self._state.eof or not self._has_begun

    def __call__(self, chunk: bytes) -> Iterator[bytes]:
        self._has_begun = True
        while piece := self._inflate(chunk):
            yield piece
            chunk = self._state.unconsumed_tail

    def _inflate(self, chunk: bytes) -> bytes:
        raw, self._may_be_raw = self._may_be_raw, False
        try:
            return self._state.decompress(chunk, STEP)
        except zlib.error as error:
            if raw:
                self._state = zlib.decompressobj(-zlib.MAX_WBITS)
                return self._inflate(chunk)
            raise UnexpectedModelBehavior(f'The server compressed its response wrongly: {error}') from None
