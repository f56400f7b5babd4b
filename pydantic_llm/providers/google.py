"""What Google's two APIs share: a plain HTTP client, and the profiles of Google's models."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import httpx2

from ..profiles import ModelProfile
from ..profiles.gemini import gemini_model_profile
from ..transport import Connection
from ..transport.http import Access, HTTPConnection
from ..transport.loops import HttpClients, LoopClients
from . import Provider

if TYPE_CHECKING:
    import httpx

__all__ = ('GoogleProvider',)


class GoogleProvider(Provider[Any]):
    """One of Google's APIs, over `httpx2` or `httpx`. Subclasses say where it is and how it is authorized."""

    def __init__(self, http_client: httpx2.AsyncClient | httpx.AsyncClient | None, *, renews: bool) -> None:
        self._client = http_client or httpx2.AsyncClient(timeout=httpx2.Timeout(600, connect=5), follow_redirects=True)
        clients = LoopClients[Any](self._client, HttpClients())
        self._connection = HTTPConnection(clients, self.access, provider_name=self.name, renews=renews)

    @abstractmethod
    async def access(self, *, renew: bool) -> Access:
        """Where to send, and with which credentials; `renew` where the last ones were refused."""

    @property
    def client(self) -> Any:
        """The HTTP client."""
        return self._client

    @property
    def connection(self) -> Connection:
        """The client as a connection."""
        return self._connection

    def model_profile(self, model_name: str) -> ModelProfile | None:
        """What one of Google's models can do."""
        return gemini_model_profile(model_name)
