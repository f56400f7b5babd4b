"""A plain HTTP client as the connection, for APIs that need no SDK: `httpx2.AsyncClient`, or `httpx.AsyncClient`."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from . import Call, Deadlines
from .answer import ClientConnection, limits
from .failures import Failures
from .loops import LoopClients

__all__ = ('Access', 'HTTPConnection', 'Renewable')


@dataclass(frozen=True, slots=True)
class Access:
    """Where to send, and with which credentials."""

    base_url: str
    """What comes before the path of every call, without a slash at its end."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """The headers that authorize a request."""


class Renewable(Protocol):
    """Credentials that may have to be fetched, and fetched again once they have expired."""

    def __call__(self, *, renew: bool) -> Awaitable[Access]:
        """The access for the next request. `renew`: the last one was refused (401)."""
        ...


class HTTPConnection(ClientConnection):
    """Sends through a client of httpx2 or httpx; `access` says where to, and with which credentials.

    Credentials that can be renewed (`renews`) are, once, where a request is refused.
    """

    def __init__(
        self, clients: LoopClients[Any], access: Renewable, *, provider_name: str, renews: bool = False
    ) -> None:
        super().__init__(clients, Failures(provider_name, 'httpx2'))
        self._access = access
        self._renews = renews

    async def post(self, client: Any, call: Call, deadlines: Deadlines) -> Any:
        """The response, open. A request that is refused (401) is sent once more, with renewed credentials."""
        response = await self._post_once(client, call, deadlines, renew=False)
        if response.status_code == 401 and self._renews:
            await response.aclose()
            response = await self._post_once(client, call, deadlines, renew=True)
        if not response.is_success:  # a redirect too: the key may stand in a header that would go with it
            await response.aread()
            raise self.failures.answered(response, call.model_name)
        return response

    async def _post_once(self, client: Any, call: Call, deadlines: Deadlines, *, renew: bool) -> Any:
        access = await self._access(renew=renew)
        headers = {'Content-Type': 'application/json', **access.headers, **call.headers}
        timeout = limits(type(client.timeout), client.timeout, deadlines)
        request = client.build_request(
            'POST', access.base_url + call.path, content=call.body, headers=headers, timeout=timeout
        )
        return await client.send(request, stream=True)
