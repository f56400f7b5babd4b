"""The vendor's own client as the connection: `AsyncOpenAI`, `AsyncAnthropic`, `AsyncGroq` and their kin.

Such a client does credentials, base URL, default headers, proxies and TLS. The body goes through its low-level `post`
as bytes, and the answer comes back as bytes. Its retries are off for each call: there is one retry budget, and it is
ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import Any, Literal

from pydantic_core import from_json

from ..exceptions import LLMError, UnexpectedModelBehavior
from . import ByteStream, Call, Connection, Deadlines, Reply
from .deadlines import Watchdog
from .failures import Failures
from .loops import LoopClients

__all__ = ('SDKConnection',)

CLOSING_TIMEOUT = 0.5
"""Seconds that closing a connection may take; it is dropped after that."""

FINISHING_TIMEOUT = 1.0
"""Seconds that a server may take to end an answer whose last event has come, so that the connection can be kept."""

MAX_BODY_BYTES = 256 * 1024 * 1024
"""A longer whole answer is given up. Images and sound come inside answers."""


class SDKConnection(Connection):
    """Sends through an SDK's client.

    `sdk` is the SDK's module, whose exceptions are translated, and `http` the HTTP library that it is built on. A
    client that `rewrites_body` (Vertex and Bedrock put the model into the address) gets the body as a mapping instead
    of bytes.
    """

    def __init__(
        self,
        clients: LoopClients[Any],
        sdk: ModuleType,
        *,
        provider_name: str,
        http: Literal['httpx', 'httpx2'] = 'httpx2',
        rewrites_body: bool = False,
    ) -> None:
        self._clients = clients
        self._sdk = sdk
        self._http = http
        self._rewrites_body = rewrites_body
        self._failures = Failures(sdk, provider_name)

    async def send(self, call: Call) -> Reply:
        """Send a request and read the whole answer."""
        answer = await self._open(call, Deadlines(call.deadlines.timeout), self._failures.explain)
        try:
            return Reply(await answer.whole(), answer.headers)
        finally:
            await answer.aclose()

    async def open(self, call: Call) -> ByteStream:
        """Send a request and get its answer as it comes."""
        return await self._open(call, call.deadlines, self._failures.interrupted)

    async def aclose(self) -> None:
        """Close what is open in the running event loop."""
        await self._clients.aclose()

    async def _open(self, call: Call, deadlines: Deadlines, explain: Explain) -> _Answer:
        watchdog = Watchdog(deadlines)
        client = self._clients.get()
        try:
            with watchdog:
                response = await self._post(client, call, deadlines)
        except Exception as error:  # noqa: BLE001 -- raised below, where the key that it may hold is no longer its context
            failure = self._failures.explain(error, call.model_name)
        else:
            return _Answer(self, response, call.model_name, watchdog, explain)
        finally:
            watchdog.close()
        raise failure

    async def _post(self, client: Any, call: Call, deadlines: Deadlines) -> Any:
        try:
            return await self._post_once(client, call, deadlines)
        except self._sdk.APIStatusError as error:
            if error.status_code != 401 or client.custom_auth is None or not client._should_retry(error.response):
                raise
        return await self._post_once(client, call, deadlines)  # the client has thrown its token away

    async def _post_once(self, client: Any, call: Call, deadlines: Deadlines) -> Any:
        """The response of the HTTP library, open. `stream` also for whole answers: their size is ours to limit."""
        http = import_module(self._http)
        options: dict[str, Any] = {
            'max_retries': 0,
            'follow_redirects': True,
            'headers': {'Content-Type': 'application/json', **call.headers},
        }
        if deadlines != UNLIMITED:
            options['timeout'] = _limits(http.Timeout, client.timeout, deadlines)
        body = {'body': from_json(call.body)} if self._rewrites_body else {'content': call.body}
        return await client.post(
            call.path, cast_to=http.Response, options=options, stream=True, stream_cls=None, **body
        )


UNLIMITED = Deadlines()

Explain = Callable[[Exception, str], Exception]
"""What an exception means for the model with this name."""


class _Answer(ByteStream):
    """The answer of an SDK's client, as it comes."""

    def __init__(
        self, owner: SDKConnection, response: Any, model_name: str, watchdog: Watchdog, explain: Explain
    ) -> None:
        self.headers: Mapping[str, str] = response.headers
        self._owner = owner  # clients that are collected close their connections, this one too
        self._response = response
        self._model_name = model_name
        self._watchdog = watchdog
        self._explain = explain
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


def _limits(timeout: Any, own: Any, deadlines: Deadlines) -> Any:
    """The connection's own limits where deadlines are set: those for connecting stay, the others give way to ours."""
    connect = own.connect if isinstance(own, timeout) else own
    read = own.read if isinstance(own, timeout) else own
    if deadlines.timeout is not None or read is None:
        return timeout(None, connect=connect)
    patience = max(read, deadlines.first_token_timeout or 0, deadlines.idle_timeout or 0)
    return timeout(None, connect=connect, read=patience)
