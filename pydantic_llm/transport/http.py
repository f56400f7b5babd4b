"""A plain HTTP client as the connection, for APIs that need no SDK: `httpx2.AsyncClient`, or `httpx.AsyncClient`."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..exceptions import AuthenticationError
from . import Deadlines, RawRequest
from .client_errors import ErrorTranslator
from .loops import LoopClients
from .response import ClientConnection, client_timeout

__all__ = ('Access', 'AccessSource', 'HTTPConnection')


@dataclass(frozen=True, slots=True)
class Access:
    """Where to send, and with which credentials."""

    base_url: str
    """What comes before the path of every call, without a slash at its end."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """The headers that authorize a request."""
    place: str = ''
    """What stands between the two: the project and the region of a cloud, unless the path names its own."""

    def url(self, path: str) -> str:
        """The whole address of a call."""
        return self.base_url + ('' if path.startswith('/projects/') else self.place) + path


class AccessSource(Protocol):
    """Credentials that may have to be fetched, and fetched again once they have expired."""

    def __call__(self, model_name: str, *, refused: Access | None) -> Awaitable[Access]:
        """The access for the next request to a model. `refused` is one that the server did not take (401)."""
        ...


class HTTPConnection(ClientConnection):
    """Sends through a client of httpx2 or httpx; `access` says where to, and with which credentials.

    Credentials that can be renewed (`renews`) are, once, where a request is refused. Redirects are not followed: the
    key may stand in a header, which the library would send along to whatever machine the answer names. `timeout` is the
    time limit of a client that has none of its own, as the library writes it.
    """

    def __init__(
        self,
        clients: LoopClients[Any],
        access: AccessSource,
        *,
        provider_name: str,
        can_renew: bool = False,
        timeout: Any = None,
    ) -> None:
        super().__init__(clients, ErrorTranslator(provider_name, 'httpx2'))
        self._access = access
        self._renews = can_renew
        self._timeout = timeout

    async def post(self, client: Any, request: RawRequest, deadlines: Deadlines) -> Any:
        """The response, open. A request that is refused (401) is sent once more, with renewed credentials."""
        access = await self._access(request.model_name, refused=None)
        response = await self._send(client, request, deadlines, access)
        if response.status_code == 401 and self._renews:
            response = await self._post_again(client, request, deadlines, access, response)
        if not response.is_success:
            await response.aread()
            raise self.translator.from_response(response, request.model_name)
        return response

    async def _post_again(
        self, client: Any, request: RawRequest, deadlines: Deadlines, refused: Access, response: Any
    ) -> Any:
        """The answer to the renewed credentials; the refusal, where they cannot be renewed."""
        await response.aread()
        try:
            access = await self._access(request.model_name, refused=refused)
        except AuthenticationError as error:
            raise self.translator.from_response(response, request.model_name) from error
        if access.headers == refused.headers:
            return response
        return await self._send(client, request, deadlines, access)

    async def _send(self, client: Any, request: RawRequest, deadlines: Deadlines, access: Access) -> Any:
        headers = {'Content-Type': 'application/json', **access.headers, **request.headers}
        own = client.timeout if self._timeout is None else self._timeout
        timeout = client_timeout(type(client.timeout), own, deadlines)
        url = access.url(request.path)
        http_request = client.build_request('POST', url, content=request.body, headers=headers, timeout=timeout)
        return await client.send(http_request, stream=True, follow_redirects=False)
