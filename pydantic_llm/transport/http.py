"""Sends through a plain HTTP client (`httpx2.AsyncClient` or `httpx.AsyncClient`), for APIs that need no SDK."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..exceptions import AuthenticationError
from . import Deadlines, RawRequest
from .client_errors import ErrorTranslator
from .loops import LoopClients
from .outgoing import OwnClient, merge_headers
from .response import ClientConnection, client_timeout

__all__ = ('Access', 'AccessSource', 'HTTPConnection')

JSON_HEADERS = {'Content-Type': 'application/json'}


@dataclass(frozen=True, slots=True)
class Access:
    """A base URL with the credentials for it."""

    base_url: str
    """The URL before the path of each request, without a slash at its end."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """The headers that authorize a request."""
    path_prefix: str = ''
    """Vertex AI's `/projects/.../locations/...`, inserted before paths that do not begin with `/projects/`."""

    def url(self, path: str) -> str:
        return self.base_url + ('' if path.startswith('/projects/') else self.path_prefix) + path


class AccessSource(Protocol):
    """Returns the credentials for a request, and fetches or renews them if needed."""

    def __call__(self, model_name: str, *, refused: Access | None) -> Awaitable[Access]:
        """Return the access for the next request to a model. `refused` is one that the server refused with 401."""
        ...


class HTTPConnection(ClientConnection):
    """Sends through a client of httpx2 or httpx, with the URL and the credentials that `access` returns.

    If `can_renew` is true, a 401 response leads to one more attempt with renewed credentials. Redirects are not
    followed, because the library would send an API key in a header to the new host too. `timeout` replaces the client's
    own timeout.
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
        self._can_renew = can_renew
        self._timeout = timeout

    async def post(self, client: Any, request: RawRequest, deadlines: Deadlines) -> Any:
        access = await self._access(request.model_name, refused=None)
        response = await self._send(client, request, deadlines, access)
        if response.status_code == 401 and self._can_renew:
            response = await self._retry_with_renewed_access(client, request, deadlines, access, response)
        return await self.check(response, request)

    async def _retry_with_renewed_access(
        self, client: Any, request: RawRequest, deadlines: Deadlines, refused: Access, response: Any
    ) -> Any:
        """Return the response to a second attempt, or the 401 response if the renewed credentials are the same."""
        await response.aread()
        try:
            access = await self._access(request.model_name, refused=refused)
        except AuthenticationError as error:
            raise self.translator.from_response(response, request.model_name) from error
        if access.headers == refused.headers:
            return response
        return await self._send(client, request, deadlines, access)

    async def _send(self, client: Any, request: RawRequest, deadlines: Deadlines, access: Access) -> Any:
        headers = (JSON_HEADERS, access.headers, request.headers)
        timeout = self._find_timeout(client, deadlines)
        url = access.url(request.path)
        if isinstance(client, OwnClient):
            return await client.send(request.method, url, headers, request.body, timeout=timeout)
        http_request = client.build_request(
            request.method, url, content=request.body, headers=merge_headers(*headers), timeout=timeout
        )
        return await client.send(http_request, stream=True, follow_redirects=False)

    def limit_silence(self, client: Any, deadlines: Deadlines) -> float | None:
        return self._find_timeout(client, deadlines).read if isinstance(client, OwnClient) else None

    def _find_timeout(self, client: Any, deadlines: Deadlines) -> Any:
        own = client.timeout if self._timeout is None else self._timeout
        return client_timeout(type(client.timeout), own, deadlines)
