"""Bytes: the only awaits on the wire. One request goes out, one answer comes back, whole or in pieces.

A `Connection` sends; `sdk` sends through a vendor's own client, `aws` what boto3 signed. `deadlines` ends waits that
take too long, `loops` keeps a client for each event loop and `pools` knows the connections inside it, `sse` (pure) cuts
a stream into events and `eventstream` (pure) Amazon's, `errors` (pure) turns an answer into an exception and `failures`
(pure) the want of one, `download` fetches a file that a vendor cannot fetch itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..exceptions import UserError
from ..settings import ModelSettings

__all__ = ('ByteStream', 'Connection', 'Deadlines', 'RawRequest', 'RawResponse')


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a request may take, in seconds; `None` is as long as the connection's own limits allow."""

    timeout: float | None = None
    """Until the whole answer is here."""
    first_token_timeout: float | None = None
    """Until the first event of a stream is here."""
    idle_timeout: float | None = None
    """Between two events of a stream."""
    waited: float = 0.0
    """Seconds of `timeout` that earlier tries have used."""

    @classmethod
    def from_settings(cls, settings: ModelSettings) -> Deadlines:
        """The deadlines that settings name. Raises a `UserError` for one that is no time to wait."""
        return cls(
            _seconds('timeout', settings.get('timeout')),
            _seconds('first_token_timeout', settings.get('first_token_timeout')),
            _seconds('idle_timeout', settings.get('idle_timeout')),
        )


def _seconds(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return value
    raise UserError(f'{name} is {value!r}: give a number of seconds above 0, or leave it out to wait without a limit')


@dataclass(frozen=True, slots=True)
class RawRequest:
    """One request as bytes."""

    path: str
    """Where to, below the connection's base URL."""
    body: bytes
    """The body, JSON."""
    model_name: str
    """The model that is asked, for errors."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Headers beside the connection's own."""
    deadlines: Deadlines = Deadlines()
    """How long it may take."""
    method: Literal['POST', 'GET'] = 'POST'
    """`GET` for what is only looked up, with an empty body. Connections over an SDK's client know it."""


@dataclass(frozen=True, slots=True)
class RawResponse:
    """A whole answer with a good status."""

    body: bytes
    """The body."""
    headers: Mapping[str, str]
    """The headers; names are found in any case."""


class ByteStream(ABC):
    """An answer with a good status that is still coming."""

    headers: Mapping[str, str]
    """The headers; names are found in any case."""

    @abstractmethod
    async def read(self) -> bytes:
        """The next bytes, as they come; empty at the end. Raises `ModelTimeoutError`, `StreamInterruptedError`."""

    @abstractmethod
    def progress(self) -> None:
        """Tell the deadlines that something that counts has come: an event, not a keep-alive comment."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close the connection now, whatever the vendor still sends. May be called twice. Raises nothing."""

    async def finish(self) -> None:
        """The last event has come: let go of the connection. Overridden where it can be used again."""
        await self.aclose()


class Connection(ABC):
    """A way to one vendor, with its credentials. Works from any event loop."""

    @abstractmethod
    async def send(self, request: RawRequest) -> RawResponse:
        """Send a request and read the whole answer. Raises `ModelAPIError` for everything that goes wrong."""

    @abstractmethod
    async def open(self, request: RawRequest) -> ByteStream:
        """Send a request and get its answer as it comes. Raises `ModelAPIError` for everything that goes wrong."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close what is open in the running event loop. The connection can be used again."""
