"""An answer of an HTTP library's client, as it comes: reading, deadlines, closing. What the connections share."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any

from ..exceptions import LLMError, UnexpectedModelBehavior
from . import ByteStream, Connection, Deadlines, RawRequest, RawResponse
from .client_errors import ErrorTranslator
from .deadlines import CLOSING_TIMEOUT, Watchdog
from .loops import LoopClients

__all__ = ('ClientConnection', 'ResponseStream', 'Translate', 'client_timeout')

FINISHING_TIMEOUT = 1.0
"""Seconds that a server may take to end an answer whose last event has come, so that the connection can be kept."""

MAX_BODY_BYTES = 256 * 1024 * 1024
"""A longer whole answer is given up. Images and sound come inside answers."""

Translate = Callable[[Exception, str], Exception]
"""What an exception means for the model with this name."""


class ClientConnection(Connection):
    """Sends through a client of an HTTP library, or of an SDK that is built on one. Subclasses say how: `post`."""

    def __init__(self, clients: LoopClients[Any], translator: ErrorTranslator) -> None:
        self._clients = clients
        self.translator = translator
        """What explains what the client raises."""

    @abstractmethod
    async def post(self, client: Any, request: RawRequest, deadlines: Deadlines) -> Any:
        """The response of the HTTP library, open. Also for whole answers: their size is ours to limit."""

    async def send(self, request: RawRequest) -> RawResponse:
        """Send a request and read the whole answer."""
        deadlines = Deadlines(request.deadlines.timeout, waited=request.deadlines.waited)
        answer = await self._open(request, deadlines, self.translator.translate)
        try:
            return RawResponse(await answer.whole(), answer.headers)
        finally:
            await answer.aclose()

    async def open(self, request: RawRequest) -> ByteStream:
        """Send a request and get its answer as it comes."""
        return await self._open(request, request.deadlines, self.translator.translate_in_stream)

    async def aclose(self) -> None:
        """Close what is open in the running event loop."""
        await self._clients.aclose()

    async def _open(self, request: RawRequest, deadlines: Deadlines, translate: Translate) -> ResponseStream:
        watchdog = Watchdog(deadlines)
        client = self._clients.get()
        try:
            with watchdog:
                response = await self.post(client, request, deadlines)
        except Exception as error:  # noqa: BLE001 -- raised below, where the key that it may hold is no longer its context
            failure = self.translator.translate(error, request.model_name)
        else:
            return ResponseStream(self, response, request.model_name, watchdog, translate)
        finally:
            watchdog.close()
        raise failure


class ResponseStream(ByteStream):
    """The answer of a client of httpx2 or httpx. `owner` holds the client, which must live as long as the answer."""

    def __init__(self, owner: object, response: Any, model_name: str, watchdog: Watchdog, translate: Translate) -> None:
        self.headers: Mapping[str, str] = response.headers
        self._owner = owner  # clients that are collected close their connections, this one too
        self._response = response
        self._model_name = model_name
        self._watchdog = watchdog
        self._explain = translate
        self._chunks: AsyncIterator[bytes] = response.aiter_bytes()
        self._closed = False

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""
        try:
            with self._watchdog:
                return await anext(self._chunks)
        except StopAsyncIteration:
            return b''
        except Exception as error:  # noqa: BLE001 -- raised below, without this one as its context
            failure = self._explain(error, self._model_name)
        raise failure

    async def whole(self) -> bytes:
        """All bytes. Raises `UnexpectedModelBehavior` where there is no end to them."""
        chunks: list[bytes] = []
        size = 0
        while chunk := await self.read():
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise UnexpectedModelBehavior(f'The answer of {self._model_name} is longer than {MAX_BODY_BYTES} bytes')
        return b''.join(chunks)

    def progress(self) -> None:
        """An event has come."""
        self._watchdog.progress()

    async def finish(self) -> None:
        """Read to the end, for only then the connection can be used again, and close."""
        with suppress(TimeoutError, LLMError):
            async with asyncio.timeout(FINISHING_TIMEOUT):
                while await self.read():
                    pass
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection now."""
        if self._closed:
            return
        self._closed = True
        self._watchdog.close()
        with suppress(Exception):  # thrown away: how a connection breaks does not matter
            async with asyncio.timeout(CLOSING_TIMEOUT):
                await self._response.aclose()


def client_timeout(timeout: Any, own: Any, deadlines: Deadlines) -> Any:
    """The connection's own limits where deadlines are set: those for connecting stay, the others give way to ours."""
    connect = own.connect if isinstance(own, timeout) else own
    read = own.read if isinstance(own, timeout) else own
    if deadlines.timeout is not None or read is None:
        return timeout(None, connect=connect)
    patience = max(read, deadlines.first_token_timeout or 0, deadlines.idle_timeout or 0)
    return timeout(None, connect=connect, read=patience)
