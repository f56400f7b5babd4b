"""The vendor's own client as the connection: `AsyncOpenAI`, `AsyncAnthropic`, `AsyncGroq` and their kin.

Such a client does credentials, base URL, default headers, proxies and TLS. The body goes through its low-level `post` as
bytes, and the answer comes back as bytes. Its retries are off for each call: there is one retry budget, and it is ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, Literal

from pydantic_core import from_json

from ..exceptions import (
    LLMError,
    ModelConnectionError,
    ModelTimeoutError,
    StreamInterruptedError,
)
from . import ByteStream, Call, Connection, Reply
from .deadlines import DeadlineExceeded, Watchdog
from .errors import error_from_answer
from .loops import LoopClients

__all__ = ('SDKConnection',)

CLOSING_TIMEOUT = 0.5
"""Seconds that closing a connection may take; it is dropped after that."""

HTTP_LIBRARIES = frozenset({'httpx', 'httpx2', 'httpcore', 'httpcore2', 'aiohttp'})
"""Whose exceptions say that the wire broke."""


class SDKConnection(Connection):
    """Sends through an SDK's client.

    `sdk` is the SDK's module, whose exceptions are translated, and `http` the HTTP library that it is built on. A client
    that `rewrites_body` (Azure puts the model into the address) gets the body as a mapping instead of bytes.
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
        self._provider_name = provider_name
        self._http = http
        self._rewrites_body = rewrites_body

    async def send(self, call: Call) -> Reply:
        """Send a request and read the whole answer."""
        watchdog = Watchdog(call.deadlines)
        try:
            with watchdog:
                response = await self._post(call, stream=False)
        except Exception as error:
            raise self._translate(error, call) from error
        finally:
            watchdog.close()
        return Reply(response.content, response.headers)

    async def open(self, call: Call) -> ByteStream:
        """Send a request and get its answer as it comes."""
        watchdog = Watchdog(call.deadlines)
        try:
            with watchdog:
                response = await self._post(call, stream=True)
        except BaseException as error:
            watchdog.close()
            if isinstance(error, Exception):
                raise self._translate(error, call) from error
            raise
        return _SDKStream(self, response, call, watchdog)

    async def aclose(self) -> None:
        """Close what is open in the running event loop."""
        await self._clients.aclose()

    async def _post(self, call: Call, *, stream: bool) -> Any:
        client = self._clients.get()
        options: dict[str, Any] = {'max_retries': 0, 'headers': {'Content-Type': 'application/json', **call.headers}}
        if call.deadlines.timeout is not None:
            options['timeout'] = call.deadlines.timeout
        content: dict[str, Any] = {'content': call.body}
        if self._rewrites_body:
            content = {'body': from_json(call.body)}
        return await client.post(
            call.path, cast_to=self._response_type(), options=options, stream=stream, stream_cls=None, **content
        )

    def _response_type(self) -> Any:
        return import_module(self._http).Response

    def _translate(self, error: Exception, call: Call) -> Exception:
        """Our exception for the SDK's, or for the transport's below it."""
        if isinstance(error, LLMError):
            return error
        if isinstance(error, DeadlineExceeded):
            return self._timeout(call, error.deadline, error.seconds)
        if isinstance(error, self._sdk.APIStatusError):
            response = error.response
            return error_from_answer(
                response.status_code,
                response.headers,
                response.content,
                model_name=call.model_name,
                provider_name=self._provider_name,
            )
        if isinstance(error, (self._sdk.APITimeoutError, TimeoutError)) or 'Timeout' in type(error).__name__:
            return self._timeout(call, 'timeout', None)
        if isinstance(error, (self._sdk.APIConnectionError, OSError)) or _is_transport_error(error):
            return ModelConnectionError(call.model_name, _sentence(call, error), provider_name=self._provider_name)
        return error

    def _timeout(self, call: Call, deadline: str, seconds: float | None) -> ModelTimeoutError:
        return ModelTimeoutError(call.model_name, deadline=deadline, seconds=seconds, provider_name=self._provider_name)

    def interrupted(self, error: Exception, call: Call) -> Exception:
        """Our exception for a wire that broke after the answer had begun."""
        translated = self._translate(error, call)
        if not isinstance(translated, ModelConnectionError):
            return translated
        return StreamInterruptedError(call.model_name, translated.message, provider_name=self._provider_name)


class _SDKStream(ByteStream):
    """The answer of an SDK's client, as it comes."""

    def __init__(self, connection: SDKConnection, response: Any, call: Call, watchdog: Watchdog) -> None:
        self.headers: Mapping[str, str] = response.headers
        self._connection = connection
        self._response = response
        self._call = call
        self._watchdog = watchdog
        self._chunks: AsyncIterator[bytes] = response.aiter_bytes()
        self._closed = False

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""
        try:
            with self._watchdog:
                return await anext(self._chunks)
        except StopAsyncIteration:
            return b''
        except Exception as error:
            raise self._connection.interrupted(error, self._call) from error

    def progress(self) -> None:
        """An event has come."""
        self._watchdog.progress()

    async def aclose(self) -> None:
        """Close the connection now."""
        if self._closed:
            return
        self._closed = True
        self._watchdog.close()
        try:
            async with asyncio.timeout(CLOSING_TIMEOUT):
                await self._response.aclose()
        except Exception:  # the connection is being thrown away: how it breaks does not matter
            pass


def _is_transport_error(error: Exception) -> bool:
    return any(kind.__module__.partition('.')[0] in HTTP_LIBRARIES for kind in type(error).__mro__)


def _sentence(call: Call, error: Exception) -> str:
    cause = error.__cause__ or error
    words = str(cause) or type(cause).__name__
    return f'No answer from {call.model_name}: {words}'
