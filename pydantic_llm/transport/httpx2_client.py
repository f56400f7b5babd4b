"""Sends with httpx2: `Httpx2Client`, and `Httpx2Clients`, the operations on it for `LoopClients`.

A request goes straight to a transport of an `httpx2.AsyncClient`. The cookies, hooks, authentication and redirects of
the client, and the layers around its streams, take a fifth of the CPU time of a request, and are not used here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from copy import copy
from typing import Any

import httpx2

from .file_body import FileBody
from .outgoing import OutgoingRequest
from .own_client import OwnClient, OwnResponse
from .pools import HttpClients

__all__ = ('Httpx2Client', 'Httpx2Clients')


class Httpx2Client(OwnClient):
    """A client over the transports of an `httpx2.AsyncClient`."""

    def __init__(self, client: httpx2.AsyncClient, *, user_agent: str) -> None:
        super().__init__(timeout=client.timeout, user_agent=user_agent)
        self._client: Any = client

    async def send_once(self, request: OutgoingRequest, *, connect_timeout: float | None) -> OwnResponse:
        url = request.target.parsed
        sent = httpx2.Request(
            request.method,
            url,
            headers=request.fields,
            stream=_make_stream(request.body),
            extensions={'timeout': {'connect': connect_timeout, 'read': None, 'write': None, 'pool': None}},
        )
        try:
            response = await self._client._transport_for_url(url).handle_async_request(sent)
        except httpx2.RequestError as error:
            error.request = sent
            raise
        return _Response(request, response)


class _FileStream(httpx2.AsyncByteStream):
    def __init__(self, body: FileBody) -> None:
        self._body = body

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._body)


def _make_stream(body: bytes | FileBody) -> httpx2.AsyncByteStream:
    return _FileStream(body) if isinstance(body, FileBody) else httpx2.ByteStream(body)


class _Response(OwnResponse):
    def __init__(self, request: OutgoingRequest, response: httpx2.Response) -> None:
        stream: Any = response.stream
        super().__init__(request, response.status_code, response.headers, aiter(stream))
        self._stream = stream
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            await self._stream.aclose()


class Httpx2Clients:
    """The operations on `Httpx2Client` for `LoopClients`."""

    def __init__(self) -> None:
        self._http = HttpClients()

    def is_fresh(self, client: Any) -> bool:
        return self._http.is_fresh(client._client)

    def fork(self, client: Any) -> Any:
        twin = copy(client)
        twin._client = self._http.fork(client._client)
        return twin

    async def release(self, client: Any) -> None:
        await self._http.release(client._client)

    def abandon(self, client: Any) -> None:
        self._http.abandon(client._client)
