"""Sends requests and receives responses, as bytes. Every await on the network is in this folder.

This module is the contract: a `Connection` sends a `RawRequest` and returns a `RawResponse` or a `ByteStream`.

| subject | module |
| --- | --- |
| sending through a vendor's SDK, an HTTP client, boto3 | `sdk`, `http`, `aws` (with `aws_credentials`, `aws_http`) |
| the HTTP client of a provider that is given none | `clients` |
| what these three share: read, limit and close a response | `response` |
| timeouts (`timeout`, `first_token_timeout`, `idle_timeout`) | `deadlines` |
| size limits, decompression, redirects | `guard` |
| connection errors, and exceptions of HTTP clients and SDKs | `client_errors`, `keys` |
| HTTP errors: a status and a body become an exception | `errors` |
| rate-limit headers | `rate_limits` |
| the clients of both HTTP libraries | `own_client`, `aiohttp_client`, `httpx2_client` |
| the request that they send; the proxies of the environment | `outgoing`, `proxies` |
| one client per event loop; the connections inside a client; several pools per client | `loops`, `pools`, `spread` |
| server-sent events; Amazon's event stream | `sse`, `eventstream` |
| files that a vendor cannot download itself | `download` |
| a body that is read from a file | `file_body` |
| the log of requests | `log` |

`client_errors`, `keys`, `errors`, `outgoing`, `rate_limits`, `sse` and `eventstream` are pure: they do no I/O.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..exceptions import UserError
from ..settings import ModelSettings
from .file_body import FileBody

__all__ = ('ByteStream', 'Connection', 'Deadlines', 'FileBody', 'RawRequest', 'RawResponse')


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The time limits of one request, in seconds. `None` leaves only the HTTP client's own limits."""

    timeout: float | None = None
    first_token_timeout: float | None = None
    idle_timeout: float | None = None
    waited: float = 0.0
    """Seconds of `timeout` that earlier attempts have used."""

    @classmethod
    def from_settings(cls, settings: ModelSettings) -> Deadlines:
        """Return the deadlines in these settings. Raises `UserError` if one is not a positive number."""
        if DEADLINES.isdisjoint(settings):
            return NO_DEADLINES
        return cls(
            _check_seconds('timeout', settings.get('timeout')),
            _check_seconds('first_token_timeout', settings.get('first_token_timeout')),
            _check_seconds('idle_timeout', settings.get('idle_timeout')),
        )


DEADLINES = frozenset({'timeout', 'first_token_timeout', 'idle_timeout'})
"""The settings that are deadlines."""

NO_DEADLINES = Deadlines()


def _check_seconds(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return value
    raise UserError(f'{name} is {value!r}: give a number of seconds above 0, or leave it out to wait without a limit')


@dataclass(frozen=True, slots=True)
class RawRequest:
    """One request as bytes."""

    path: str
    """The path below the connection's base URL; with two slashes at its beginning, the path below the host."""
    body: bytes
    """The body, as JSON; empty for `GET` and `DELETE`."""
    model_name: str
    """The requested model, for error messages."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Headers that override the connection's own."""
    deadlines: Deadlines = NO_DEADLINES
    method: Literal['POST', 'GET', 'PATCH', 'DELETE'] = 'POST'
    """The HTTP method. Connections through an SDK's client support all but `PATCH`, boto3's only `POST`."""
    file: FileBody | None = None
    """A body that is sent in place of `body`."""


@dataclass(frozen=True, slots=True)
class RawResponse:
    """A complete response with a success status."""

    body: bytes = field(repr=False)
    """The complete body, decompressed."""
    headers: Mapping[str, str] = field(repr=False)
    """The headers, with case-insensitive names."""
    find_keys: Callable[[], Iterable[str]] = tuple[str, ...]
    """Returns the keys of the request, which an exception must not show."""


class ByteStream(ABC):
    """A response with a success status whose body is still arriving."""

    headers: Mapping[str, str]

    @abstractmethod
    async def read(self) -> bytes:
        """Return the next bytes, or `b''` at the end. Raises `ModelTimeoutError` or `StreamInterruptedError`."""

    @abstractmethod
    def progress(self) -> None:
        """Report to the deadlines that a part of the response has arrived. Pings and comments are not progress."""

    def begin(self) -> None:
        """Report to the deadlines that the first event has arrived. Overridden by streams with deadlines."""

    def keep_waiting(self) -> None:
        """Report to the deadlines that the last bytes held no event. Overridden by streams with deadlines."""

    def find_keys(self) -> Iterable[str]:
        """Return the keys of the request, which an exception must not show. Overridden by streams that have any."""
        return ()

    @abstractmethod
    async def aclose(self) -> None:
        """Close the connection at once, even if data is still arriving. May be called twice; raises nothing."""

    async def finish(self) -> None:
        """Release the connection after the last event. Overridden by streams that can reuse their connection."""
        await self.aclose()


class Connection(ABC):
    """A connection to one vendor, with its credentials. Can be used from any event loop."""

    async def load(self) -> None:
        """Load the packages that the first request needs, which no deadline counts. Overridden if that takes long."""

    @abstractmethod
    async def send(self, request: RawRequest) -> RawResponse:
        """Send a request and return the complete response. Raises `ModelAPIError` for every failure."""

    @abstractmethod
    async def open(self, request: RawRequest) -> ByteStream:
        """Send a request and return the response as a stream. Raises `ModelAPIError` for every failure."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close what is open in the running event loop. The connection can be used again afterwards."""
