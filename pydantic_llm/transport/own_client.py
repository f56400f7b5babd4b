"""`OwnClient`, `OwnResponse`: the clients that providers make, on aiohttp (`aiohttp_client`) or on `httpx2_client`.

They need no `guard`, since their responses limit themselves, and they leave each wait for the server to a `Watchdog`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

import httpx2

from .file_body import FileBody
from .guard import MAX_ERROR_BYTES, limit_body
from .outgoing import CONTENT_LENGTH, OutgoingRequest, Target, complete_headers, find_target

__all__ = ('OwnClient', 'OwnResponse')

MAX_KNOWN_HEADERS = 256
"""The number of sets of headers that a client keeps, so that they are not merged and checked for each request."""


class OwnClient(ABC):
    """A client for `HTTPConnection`. Subclasses implement `send_once`."""

    timeout: httpx2.Timeout
    """The limits for connecting and for each wait."""

    def __init__(self, *, timeout: httpx2.Timeout, user_agent: str) -> None:
        self.timeout = timeout
        self._user_agent = user_agent
        self._known_headers: dict[tuple[object, ...], dict[str, str]] = {}

    async def send(
        self,
        method: str,
        url: str,
        groups: Iterable[Mapping[str, str]],
        body: bytes | FileBody,
        *,
        connect_timeout: float | None,
    ) -> OwnResponse:
        """Return the response, with its body unread. A later group of headers replaces an earlier one's.

        Redirects are not followed.
        """
        target = find_target(url)
        fields = self._complete_headers(target, tuple(groups), len(body))
        return await self.send_once(OutgoingRequest(method, target, fields, body), connect_timeout=connect_timeout)

    @abstractmethod
    async def send_once(self, request: OutgoingRequest, *, connect_timeout: float | None) -> OwnResponse:
        """Return the response, with its body unread."""

    def _complete_headers(self, target: Target, groups: Sequence[Mapping[str, str]], size: int) -> dict[str, str]:
        key = (target.host, target.authorization, size > 0, *(item for group in groups for item in group.items()))
        known = self._known_headers.get(key)
        if known is None:
            known = complete_headers(groups, user_agent=self._user_agent, target=target, has_body=size > 0)
            if len(self._known_headers) >= MAX_KNOWN_HEADERS:
                self._known_headers.clear()
            self._known_headers[key] = known
        return {**known, CONTENT_LENGTH: str(size)} if size else known


class OwnResponse(ABC):
    """A response with the attributes and methods of one of httpx2 that `response` uses.

    `chunks` are those of the body as they arrive. Subclasses implement `is_closed` and `aclose`.
    """

    def __init__(
        self, request: OutgoingRequest, status_code: int, headers: Mapping[str, str], chunks: AsyncIterator[bytes]
    ) -> None:
        self.request = request
        self.status_code = status_code
        self.headers = headers
        self.content: bytes | None = None
        self._chunks = chunks

    @property
    def is_success(self) -> bool:
        return 200 <= self.status_code <= 299

    @property
    @abstractmethod
    def is_closed(self) -> bool:
        """True if the connection is closed, or free for the next request."""

    @abstractmethod
    async def aclose(self) -> None:
        """Free the connection if the response is complete, else close it."""

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Return the chunks of the body, decompressed and limited as `guard` does it for other clients."""
        encoding = self.headers.get('content-encoding', '').strip().lower()
        if self.is_success and encoding in ('', 'identity'):
            return self._chunks
        return limit_body(self._chunks, encoding=encoding, limit=None if self.is_success else MAX_ERROR_BYTES)

    async def aread(self) -> bytes:
        """Return the body, read into `content`, and close the response."""
        try:
            if self.content is None:
                self.content = b''.join([chunk async for chunk in self.aiter_bytes()])
        finally:
            await self.aclose()
        return self.content
