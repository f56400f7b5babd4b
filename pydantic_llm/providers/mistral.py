"""The provider of Mistral, of any server that speaks its API, and of its models at Microsoft and Google.

The `mistralai` package's own methods build bodies from typed values, and typed values from responses. A ready client of
it only provides the URL and the credentials, and the bytes go through the HTTP client in it.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

from .._extras import import_extra
from ..exceptions import UserError
from ..profiles import ModelProfile
from ..profiles.mistral import mistral_model_profile
from ..transport import ByteStream, RawRequest, RawResponse
from ..transport.called_keys import ApiKey, CalledKey
from ..transport.http import Access, AccessSource, HTTPConnection
from ..transport.loops import LoopClients
from ..transport.pools import HttpClients
from .credentials import check_alone, check_http_client, check_key, hide_password, read_key, read_url
from .provider import SDKProvider
from .vendor import Vendor

if TYPE_CHECKING:
    import httpx
    from mistralai.azure.client import MistralAzure
    from mistralai.client import Mistral
    from mistralai.gcp.client import MistralGCP

    AnyClient = Mistral | MistralAzure | MistralGCP

__all__ = ('MistralProvider',)

KEY_VARIABLE = 'MISTRAL_API_KEY'
TOKEN_FILE_VARIABLE = 'MISTRAL_SA_TOKEN_PATH'
"""The variable with the path of a file that holds the token of a service account. The file is read for each request,
since the token in it is replaced from time to time."""

READ_TIMEOUT, CONNECT_TIMEOUT = 300.0, 5.0
"""Default timeouts in seconds. The read timeout is that of the package."""

MISTRAL = Vendor(name='mistral', base_url='https://api.mistral.ai', headers={})

PATHS = {
    'Mistral': '{path}',
    'MistralAzure': '/models/chat/completions',
    'MistralGCP': '/v1/projects/{project}/locations/{region}/publishers/mistralai/models/{model}:{verb}',
}
"""The path of requests, by the name of the package's client."""


class MistralProvider(SDKProvider['AnyClient']):
    """Mistral. The `mistralai` package is not needed.

    With a `base_url` of another server (or `MISTRAL_BASE_URL`) no key is needed. `mistral_client` takes a ready client
    of that package, whose configuration is kept: a `Mistral`, a `MistralAzure` or a `MistralGCP`; `http_client` takes
    an `httpx2.AsyncClient` or `httpx.AsyncClient`. Raises a `UserError` for a missing key, and for a key or a URL that
    is invalid.
    """

    def __init__(
        self,
        *,
        api_key: ApiKey | None = None,
        base_url: str | None = None,
        mistral_client: AnyClient | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        if mistral_client is not None:
            check_alone('mistral_client=', api_key, base_url, http_client)
            connection = MistralConnection(mistral_client, provider_name=self.name)
            self._use_client(mistral_client, connection)
            self.has_batches: bool = connection.has_batches
            return
        url = read_url(base_url, variables=('MISTRAL_BASE_URL',), provider=self.name, drop=('/v1',))
        key = self._choose_key(api_key, needed=url is None)

        def make_client() -> AnyClient:
            sdk = import_extra('mistralai.client', extra='mistral', what='MistralProvider.client')
            http = check_http_client(http_client, library='httpx2', package='mistralai')
            http = http or httpx2.AsyncClient(follow_redirects=True, timeout=_make_timeout(READ_TIMEOUT))
            client: AnyClient = sdk.Mistral(api_key=key, server_url=url, async_client=http)
            return client

        access = MISTRAL.make_access(url, key if isinstance(key, CalledKey) else None)
        self._use_access(
            access,
            http_client,
            make_client,
            source=_make_source(access, key),
            connection=MistralHTTPConnection,
            read_timeout=READ_TIMEOUT,
            can_renew=True,
            follow_redirects=False,
        )

    def _choose_key(self, api_key: ApiKey | None, *, needed: bool) -> str | CalledKey | None:
        """Return the key to send. It may be missing for any server but Mistral's own, and if there is a token file."""
        if api_key is None and os.environ.get(TOKEN_FILE_VARIABLE):
            return None
        if needed or api_key is not None or os.environ.get(KEY_VARIABLE):
            return read_key(api_key, variables=(KEY_VARIABLE,), provider=self.name)
        return None

    @property
    def name(self) -> str:
        return 'mistral'

    @property
    def base_url(self) -> str:
        client: Any = None if self._access is not None else self._client
        url = self._access.base_url if self._access is not None else client.sdk_configuration.get_server_details()[0]
        return hide_password(url)

    def model_profile(self, model_name: str) -> ModelProfile | None:
        return mistral_model_profile(model_name)


def _make_source(access: Access, key: str | CalledKey | None) -> AccessSource:
    """Return the source of the access with the key. Without a key, each request reads a service account's token."""

    async def get_access(model_name: str, *, refused: Access | None) -> Access:
        if isinstance(key, CalledKey):
            return access
        token = await asyncio.to_thread(_read_token) if key is None else key
        return access if token is None else replace(access, headers={**access.headers, **_authorize(token)})

    return get_access


def _authorize(key: str) -> dict[str, str]:
    return {'Authorization': key if key.lower().startswith('bearer ') else f'Bearer {key}'}


class MistralHTTPConnection(HTTPConnection):
    """Sends through a connection of our own."""

    async def send(self, request: RawRequest) -> RawResponse:
        return await super().send(self._prepare(request, 'rawPredict', accept='application/json'))

    async def open(self, request: RawRequest) -> ByteStream:
        return await super().open(self._prepare(request, 'streamRawPredict', accept='text/event-stream'))

    def _prepare(self, request: RawRequest, verb: str, *, accept: str) -> RawRequest:
        """Return the request as Mistral expects it. Only Google's path has the verb."""
        return replace(request, headers={'Accept': accept, **request.headers})


class MistralConnection(MistralHTTPConnection):
    """Sends requests through the HTTP client in the SDK's client, with its key, URL, user agent and timeout."""

    def __init__(self, client: AnyClient, *, provider_name: str) -> None:
        self._client: Any = client  # the SDK closes its HTTP clients when this one is collected
        self._kind = _find_kind(client)
        self._settings: Any = client.sdk_configuration
        http_client = check_http_client(self._settings.async_client, library='httpx2', package='mistralai')
        if http_client is None:
            raise UserError('mistral_client= has been closed: give an open one')
        super().__init__(
            LoopClients[Any](http_client, HttpClients()),
            self.access,
            provider_name=provider_name,
            can_renew=True,
            timeout=self._choose_timeout(http_client),
        )

    @property
    def has_batches(self) -> bool:
        """True for the client of Mistral itself; the other ones have no jobs."""
        return self._kind == 'Mistral'

    def _choose_timeout(self, http_client: httpx2.AsyncClient) -> httpx2.Timeout:
        """Return the timeout of the SDK's client, else that of the HTTP client if it is not the library's default."""
        if (milliseconds := self._settings.timeout_ms) is not None:
            return httpx2.Timeout(milliseconds / 1000)
        own = http_client.timeout
        return _make_timeout(READ_TIMEOUT) if own == httpx2.Timeout(5.0) else own

    def _prepare(self, request: RawRequest, verb: str, *, accept: str) -> RawRequest:
        is_google = self._kind == 'MistralGCP'
        place = {'project': self._client._project_id, 'region': self._client._region} if is_google else {}
        path = PATHS[self._kind].format(path=request.path, model=request.model_name, verb=verb, **place)
        return super()._prepare(replace(request, path=path), verb, accept=accept)

    async def access(self, model_name: str, *, refused: Access | None) -> Access:
        """Return the base URL, and the key or token to send now. A token that must be fetched is, in a thread."""
        headers = {'User-Agent': self._user_agent}
        if key := await self._find_key():
            headers |= _authorize(key)
        return Access(self._settings.get_server_details()[0], headers)

    async def _find_key(self) -> str | None:
        security: Any = self._settings.security
        if security is None:
            return await asyncio.to_thread(_read_token)
        resolved: Any = await asyncio.to_thread(security) if callable(security) else security
        key: str | None = resolved.api_key
        return key

    @property
    def _user_agent(self) -> str:
        """The SDK's user agent, which the `Mistral` client shortens and the clients for clouds do not."""
        version, full = self._settings.sdk_version, self._settings.user_agent
        return f'mistral-client-python/{version}' if self._kind == 'Mistral' else str(full)


def _find_kind(client: object) -> str:
    """Return the name of the SDK's client class, a key of `PATHS`. Raises a `UserError` for any other object."""
    names = [kind.__name__ for kind in type(client).__mro__ if kind.__module__.partition('.')[0] == 'mistralai']
    if (found := next((name for name in names if name in PATHS), None)) is None:
        raise UserError(
            'mistral_client= takes a Mistral, a MistralAzure or a MistralGCP, not an object of type '
            f'{type(client).__name__!r}'
        )
    return found


def _make_timeout(seconds: float) -> httpx2.Timeout:
    return httpx2.Timeout(seconds, connect=CONNECT_TIMEOUT)


def _read_token() -> str | None:
    """Read the token of a service account, else the key. Raises a `UserError` if the file has no valid token."""
    path = os.environ.get(TOKEN_FILE_VARIABLE)
    if not path:
        return os.environ.get(KEY_VARIABLE)
    try:
        token = Path(path).read_text(encoding='utf-8').strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'The file that {TOKEN_FILE_VARIABLE} names cannot be read: {type(error).__name__}') from None
    if not token:
        raise UserError(f'The file that {TOKEN_FILE_VARIABLE} names is empty')
    return check_key(token, where=TOKEN_FILE_VARIABLE, provider='mistral')
