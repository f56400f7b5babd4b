"""Reads, limits and closes a response of an HTTP client. `ClientConnection` is the base of `sdk`, `http` and `aws`."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import nullcontext, suppress
from typing import Any

from ..exceptions import LLMError, UnexpectedModelBehavior
from . import ByteStream, Connection, Deadlines, RawRequest, RawResponse
from .client_errors import ErrorTranslator
from .deadlines import CLOSING_TIMEOUT, Watchdog
from .guard import guard
from .keys import find_keys, hide_keys_in_error
from .leaks import close_lost_connections
from .log import RequestLog, start_log
from .loops import LoopClients
from .own_client import OwnClient

__all__ = ('ClientConnection', 'ResponseStream', 'Translate', 'client_timeout', 'limit_wait')

FINISHING_TIMEOUT = 1.0
"""Seconds that a server gets to end a stream after its last event, so that the connection can be reused."""

MAX_BODY_BYTES = 256 * 1024 * 1024
"""The size limit of a complete response. It is high because responses contain images and audio."""

UNGUARDED = nullcontext()

Translate = Callable[[Exception, str], Exception]
"""A function that turns an HTTP client's exception into ours. It gets the exception and the model's name."""


class ClientConnection(Connection):
    """Sends through an HTTP client, or through an SDK built on one. Subclasses implement `post`."""

    def __init__(self, clients: LoopClients[Any], translator: ErrorTranslator) -> None:
        self._clients = clients
        self.translator = translator

    @abstractmethod
    async def post(self, client: Any, request: RawRequest, deadlines: Deadlines) -> Any:
        """Return the HTTP library's response, with its body unread: `ResponseStream` limits the size."""

    def limit_silence(self, client: Any, deadlines: Deadlines) -> float | None:
        """Return the limit of each wait in seconds, for a client that does not enforce it itself."""
        return None

    async def check(self, response: Any, request: RawRequest) -> Any:
        """Return a response with a success status. Raises the exception for any other status."""
        if not response.is_success:
            await response.aread()
            raise self.translator.from_response(response, request.model_name)
        return response

    async def send(self, request: RawRequest) -> RawResponse:
        deadlines = Deadlines(request.deadlines.timeout, waited=request.deadlines.waited)
        stream = await self._open(request, deadlines, self.translator.translate)
        try:
            return RawResponse(await stream.read_all(), stream.headers, stream.find_keys)
        finally:
            await stream.aclose()

    async def open(self, request: RawRequest) -> ByteStream:
        return await self._open(request, request.deadlines, self.translator.translate_in_stream)

    async def aclose(self) -> None:
        await self._clients.aclose()

    async def _open(self, request: RawRequest, deadlines: Deadlines, translate: Translate) -> ResponseStream:
        client = self._clients.get()
        log = start_log(request)
        watchdog = Watchdog(deadlines, silence=self.limit_silence(client, deadlines))
        try:
            with watchdog, UNGUARDED if isinstance(client, OwnClient) else guard(client):
                response = await self.post(client, request, deadlines)
        except Exception as error:  # noqa: BLE001 -- raised below: as its context, this one could show the API key
            watchdog.close()
            failure = self.translator.translate(error, request.model_name)
            close_lost_connections(client)
        except BaseException as error:
            watchdog.close()
            close_lost_connections(client)
            if log is not None:
                log.fail(error)
            raise
        else:
            return ResponseStream(self, client, response, request.model_name, watchdog, translate, log)
        if log is not None:
            log.fail(failure)
        raise failure


class ResponseStream(ByteStream):
    """A response of httpx2 or httpx. `owner` holds the client, which must live as long as the response."""

    def __init__(
        self,
        owner: object,
        client: Any,
        response: Any,
        model_name: str,
        watchdog: Watchdog,
        translate: Translate,
        log: RequestLog | None = None,
    ) -> None:
        self.headers: Mapping[str, str] = response.headers
        self._owner = owner  # a garbage-collected client closes its connections, including this one
        self._client = client
        self._response = response
        self._model_name = model_name
        self._watchdog = watchdog
        self._translate = translate
        # `guard` has decompressed the body of httpx2, whose own decoders cost 1 µs a chunk, unless it was read before
        is_unread = getattr(response, 'is_stream_consumed', True) is False
        self._chunks: AsyncIterator[bytes] = response.aiter_raw() if is_unread else response.aiter_bytes()
        self._log = log
        if log is not None:
            log.begin(response)
            self._chunks = log.count_bytes(self._chunks)
        self._take: Callable[[], bytes] | None = getattr(self._chunks, 'take', None)
        self._closed = False

    async def read(self) -> bytes:
        if self._take is not None and (chunk := self._take()):
            return chunk  # which has taken no time
        try:
            with self._watchdog:
                return await anext(self._chunks)
        except StopAsyncIteration:
            return b''
        except Exception as error:  # noqa: BLE001 -- raised below: as its context, this one could show the API key
            failure = self._translate(error, self._model_name)
        if isinstance(failure, LLMError):
            hide_keys_in_error(failure, self.find_keys())
        raise failure

    async def read_all(self) -> bytes:
        """Return the complete body. Raises `UnexpectedModelBehavior` if it exceeds `MAX_BODY_BYTES`."""
        chunks: list[bytes] = []
        size = 0
        while chunk := await self.read():
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise UnexpectedModelBehavior(
                    f'The response of {self._model_name} is longer than {MAX_BODY_BYTES} bytes'
                )
        return b''.join(chunks)

    def begin(self) -> None:
        self._watchdog.begin()

    def progress(self) -> None:
        self._watchdog.progress()

    def keep_waiting(self) -> None:
        self._watchdog.keep_waiting()

    def find_keys(self) -> Iterable[str]:
        return find_keys(self._response.request)

    async def finish(self) -> None:
        """Read to the end, which makes the connection reusable, and close the response."""
        if not self._response.is_closed:
            with suppress(TimeoutError, LLMError):
                async with asyncio.timeout(FINISHING_TIMEOUT):
                    while await self.read():
                        pass
        await self.aclose()

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._watchdog.close()
        if self._log is not None:
            self._log.end()
        try:
            if not self._response.is_closed:
                with suppress(Exception):  # the connection is discarded, so errors while closing it do not matter
                    async with asyncio.timeout(CLOSING_TIMEOUT):
                        await self._response.aclose()
        finally:
            close_lost_connections(self._client, self._response)


def client_timeout(timeout: Any, own: Any, deadlines: Deadlines) -> Any:
    """Return the HTTP client's timeout for one request.

    `timeout` is the library's `Timeout` class, `own` the client's configured timeout. The limit for connecting stays.
    The others are relaxed, so that the deadlines, and not the client, end a request.
    """
    connect = own.connect if isinstance(own, timeout) else own
    read = own.read if isinstance(own, timeout) else own
    longest = limit_wait(read, deadlines)
    return timeout(None, connect=connect) if longest is None else timeout(None, connect=connect, read=longest)


def limit_wait(read_timeout: float | None, deadlines: Deadlines) -> float | None:
    """Return the limit of each wait for the server, in seconds: the client's, unless a deadline allows more."""
    if deadlines.timeout is not None or read_timeout is None:
        return None
    return max(read_timeout, deadlines.first_token_timeout or 0, deadlines.idle_timeout or 0)
