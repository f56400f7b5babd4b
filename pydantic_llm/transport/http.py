"""Sends through a plain HTTP client (`httpx2.AsyncClient` or `httpx.AsyncClient`), without a vendor's SDK."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import urljoin

from ..exceptions import AuthenticationError, ModelConnectionError
from . import Deadlines, RawRequest
from .called_keys import KeyHeader
from .client_errors import ErrorTranslator
from .clients import CONNECT_TIMEOUT, READ_TIMEOUT
from .guard import drop_keys, find_redirect
from .loops import LoopClients
from .outgoing import merge_headers
from .own_client import OwnClient
from .response import ClientConnection, client_timeout, limit_wait

__all__ = ('Access', 'AccessSource', 'HTTPConnection', 'make_fixed_access')

LIBRARY_TIMEOUT = 5.0
"""The default of every timeout of httpx and httpx2, in seconds. It is too short for a model."""

JSON_HEADERS = {'Content-Type': 'application/json'}

MAX_REDIRECTS = 20
"""The number of redirects that are followed for one request: as many as httpx follows."""

HeaderGroups = tuple[Mapping[str, str], ...]
"""Groups of headers. A later one replaces an earlier one of the same name."""


@dataclass(frozen=True, slots=True)
class Access:
    """A base URL with the credentials for it."""

    base_url: str
    """The URL before the path of each request, without a slash at its end."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """The headers that authorize a request."""
    path_prefix: str = ''
    """Vertex AI's `/projects/.../locations/...`, inserted before paths that do not begin with `/projects/`."""
    query: str = ''
    """The query of each URL, with its `?`: Azure's `?api-version=...`."""
    key_header: KeyHeader | None = field(default=None, repr=False)
    """The header whose key a function returns for each request; one in `headers` replaces it."""

    def url(self, path: str) -> str:
        if path.startswith('//'):
            return urljoin(self.base_url, path[1:])
        return self.base_url + ('' if path.startswith('/projects/') else self.path_prefix) + path + self.query


class AccessSource(Protocol):
    """Returns the credentials for a request, and fetches or renews them if needed."""

    def __call__(self, model_name: str, *, refused: Access | None) -> Awaitable[Access]:
        """Return the access for the next request to a model. `refused` is one that the server refused with 401."""
        ...


def make_fixed_access(access: Access) -> AccessSource:
    """Return a source that returns the same access for every request."""

    async def get_access(model_name: str, *, refused: Access | None) -> Access:
        return access

    return get_access


class HTTPConnection(ClientConnection):
    """Sends through a client of httpx2 or httpx, with the URL and the credentials that `access` returns.

    If `can_renew` is true, a 401 response leads to one more attempt with renewed credentials. If `follow_redirects` is
    true, redirects to the same host are followed, by the rules of `guard`. `timeout` replaces the client's own
    timeout; one that is the library's default is replaced by `default_timeout`, the limits for reading and connecting.
    """

    def __init__(
        self,
        clients: LoopClients[Any],
        access: AccessSource,
        *,
        provider_name: str,
        can_renew: bool = False,
        follow_redirects: bool = False,
        timeout: Any = None,
        default_timeout: tuple[float, float] = (READ_TIMEOUT, CONNECT_TIMEOUT),
    ) -> None:
        super().__init__(clients, ErrorTranslator(provider_name, 'httpx2'))
        self._access = access
        self._can_renew = can_renew
        self._follow_redirects = follow_redirects
        self._timeout = timeout
        self._default_timeout = default_timeout

    async def post(self, client: Any, request: RawRequest, deadlines: Deadlines) -> Any:
        access = await self._get_access(request.model_name)
        response = await self._send(client, request, deadlines, access)
        if response.status_code == 401 and (self._can_renew or access.key_header is not None):
            response = await self._retry_with_renewed_access(client, request, deadlines, access, response)
        return await self.check(response, request)

    async def _get_access(self, model_name: str, *, refused: Access | None = None) -> Access:
        """Return the access for a request, with the key if a function returns it."""
        access = await self._access(model_name, refused=refused)
        if (header := access.key_header) is None:
            return access
        key = {header.name: header.form.format(await header.key.get())}
        return replace(access, headers=merge_headers(key, access.headers))

    async def _retry_with_renewed_access(
        self, client: Any, request: RawRequest, deadlines: Deadlines, refused: Access, response: Any
    ) -> Any:
        """Return the response to a second attempt, or the 401 response if the renewed credentials are the same."""
        await response.aread()
        try:
            access = await self._get_access(request.model_name, refused=refused)
        except AuthenticationError as error:
            raise self.translator.from_response(response, request.model_name) from error
        if access.headers == refused.headers:
            return response
        return await self._send(client, request, deadlines, access)

    async def _send(self, client: Any, request: RawRequest, deadlines: Deadlines, access: Access) -> Any:
        """Return the response, after redirects if they are followed."""
        url = access.url(request.path)
        headers: HeaderGroups = (_describe_body(request), access.headers, request.headers)
        own = self._find_timeout(client)
        for _ in range(MAX_REDIRECTS + 1):
            response = await _send_once(client, request, url, headers, own, deadlines)
            if response.is_success or not self._follow_redirects:
                return response
            target = find_redirect(url, response.status_code, response.headers)
            if target is None:
                return response
            await response.aclose()
            if not target.keeps_port:
                headers = tuple(map(drop_keys, headers))
            url = target.url
        raise self._make_redirects_error(request, url)

    def _make_redirects_error(self, request: RawRequest, url: str) -> ModelConnectionError:
        message = f'No answer from {request.model_name}: more than {MAX_REDIRECTS} redirects, the last to {url!r}'
        return ModelConnectionError(request.model_name, message, provider_name=self.translator.provider_name)

    def limit_silence(self, client: Any, deadlines: Deadlines) -> float | None:
        return limit_wait(self._find_timeout(client).read, deadlines) if isinstance(client, OwnClient) else None

    def _find_timeout(self, client: Any) -> Any:
        return self._replace_default_timeout(client.timeout) if self._timeout is None else self._timeout

    def _replace_default_timeout(self, own: Any) -> Any:
        """Return the timeout of a client, or the default one if the client's is only its library's default."""
        if own.connect == own.read == own.write == own.pool == LIBRARY_TIMEOUT:
            read, connect = self._default_timeout
            return type(own)(read, connect=connect)
        return own


def _describe_body(request: RawRequest) -> Mapping[str, str]:
    if request.file is not None:
        return request.file.headers
    return JSON_HEADERS if request.body else {}


async def _send_once(
    client: Any, request: RawRequest, url: str, headers: HeaderGroups, own: Any, deadlines: Deadlines
) -> Any:
    """Return the response, without following redirects. `own` is the timeout without deadlines."""
    if isinstance(client, OwnClient):
        sent = request.file or request.body
        return await client.send(request.method, url, headers, sent, connect_timeout=own.connect)
    timeout = client_timeout(type(client.timeout), own, deadlines)
    body = request.file or request.body or None
    if request.file is not None:
        headers = *headers, {'Content-Length': str(len(request.file))}
    merged = merge_headers(*headers)
    http_request = client.build_request(request.method, url, content=body, headers=merged, timeout=timeout)
    return await client.send(http_request, stream=True, follow_redirects=False)
