"""Mistral, any server that speaks its API, and its models at Microsoft and Google by a ready client.

The `mistralai` package's own way to send builds bodies from typed values, and answers from bodies. Here its client says
where to send and with which credentials, and the bytes go through the HTTP client inside it.
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
from ..transport import ByteStream, Connection, RawRequest, RawResponse
from ..transport.http import Access, HTTPConnection
from ..transport.loops import LoopClients
from ..transport.pools import HttpClients
from ..transport.spread import spread_over_pools
from .credentials import check_http_client, check_key, check_url, hide_password, read_key
from .provider import Provider

if TYPE_CHECKING:
    from mistralai.azure.client import MistralAzure
    from mistralai.client import Mistral
    from mistralai.gcp.client import MistralGCP

    AnyClient = Mistral | MistralAzure | MistralGCP

__all__ = ('MistralProvider',)

KEY_VARIABLE = 'MISTRAL_API_KEY'
URL_VARIABLE = 'MISTRAL_BASE_URL'
TOKEN_FILE_VARIABLE = 'MISTRAL_SA_TOKEN_PATH'
"""Names a file with the token of a service account, which is read for each request, since it is replaced while it is
used."""

READ_TIMEOUT, CONNECT_TIMEOUT = 300.0, 5.0
"""Seconds that a connection waits, where nothing else is said: for an answer as long as the package does."""

PATHS = {
    'Mistral': '{path}',
    'MistralAzure': '/models/chat/completions',
    'MistralGCP': '/v1/projects/{project}/locations/{region}/publishers/mistralai/models/{model}:{verb}',
}
"""The package's clients, and where each sends requests."""


class MistralProvider(Provider['AnyClient']):
    """Mistral, through the `mistralai` package's own client.

    With a `base_url` of another server (or `MISTRAL_BASE_URL`) no key is needed. `mistral_client` takes a ready client
    with everything that it is set to: a `Mistral`, a `MistralAzure` or a `MistralGCP`; `http_client` an
    `httpx2.AsyncClient`. Raises a `UserError` for a missing key, and for a key or an address that cannot be used.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        mistral_client: AnyClient | None = None,
        http_client: httpx2.AsyncClient | None = None,
    ) -> None:
        sdk = import_extra('mistralai.client', extra='mistral', what=type(self).__name__)
        if mistral_client is not None:
            if any(given is not None for given in (api_key, base_url, http_client)):
                raise UserError('mistral_client= brings its own key, URL and connection: give nothing else beside it')
            self._client: AnyClient = mistral_client
        else:
            address = self._address(base_url)
            self._client = sdk.Mistral(
                api_key=self._key(api_key, needed=address is None),
                server_url=address,
                async_client=check_http_client(http_client, library='httpx2', package='mistralai')
                or spread_over_pools(httpx2.AsyncClient(follow_redirects=True, timeout=_limits(READ_TIMEOUT))),
            )
        self._connection = MistralConnection(self._client, provider_name=self.name)

    def _address(self, base_url: str | None) -> str | None:
        """Where requests go: as given, as in the environment, or (`None`) where the SDK knows. `/v1` is added to it."""
        where, url = ('base_url=', base_url) if base_url is not None else (URL_VARIABLE, os.environ.get(URL_VARIABLE))
        if not url and base_url is None:
            return None
        return check_url(url or '', where=where, provider=self.name).rstrip('/').removesuffix('/v1')

    def _key(self, api_key: str | None, *, needed: bool) -> str | None:
        """The key to send. Only Mistral itself cannot do without one; a service account's token is no key."""
        if api_key is None and os.environ.get(TOKEN_FILE_VARIABLE):
            return None
        if needed or api_key is not None or os.environ.get(KEY_VARIABLE):
            return read_key(api_key, variables=(KEY_VARIABLE,), provider=self.name)
        return None

    @property
    def name(self) -> str:
        """`'mistral'`."""
        return 'mistral'

    @property
    def base_url(self) -> str:
        """Where requests go."""
        return hide_password(self._client.sdk_configuration.get_server_details()[0])

    @property
    def client(self) -> AnyClient:
        """The SDK's client."""
        return self._client

    @property
    def connection(self) -> Connection:
        """The client as a connection."""
        return self._connection

    def model_profile(self, model_name: str) -> ModelProfile | None:
        """What one of Mistral's models can do."""
        return mistral_model_profile(model_name)


class MistralConnection(HTTPConnection):
    """The SDK's client as a connection: its key, address, user agent and time limit, and the HTTP client inside it."""

    def __init__(self, client: AnyClient, *, provider_name: str) -> None:
        self._client: Any = client  # the SDK closes its HTTP clients when this one is collected
        self._kind = _kind_of(client)
        self._settings: Any = client.sdk_configuration
        http_client = check_http_client(self._settings.async_client, library='httpx2', package='mistralai')
        if http_client is None:
            raise UserError('mistral_client= has been closed: give an open one')
        super().__init__(
            LoopClients[Any](http_client, HttpClients()),
            self.access,
            provider_name=provider_name,
            can_renew=True,
            timeout=self._time_limit(http_client),
        )

    def _time_limit(self, http_client: httpx2.AsyncClient) -> httpx2.Timeout:
        """How long to wait: as the SDK's client is set, else as its HTTP client is, unless nobody has set that."""
        if (milliseconds := self._settings.timeout_ms) is not None:
            return httpx2.Timeout(milliseconds / 1000)
        own = http_client.timeout
        return _limits(READ_TIMEOUT) if own == httpx2.Timeout(5.0) else own

    async def send(self, request: RawRequest) -> RawResponse:
        """Send a request and read the whole answer."""
        return await super().send(self._addressed(request, 'rawPredict', accept='application/json'))

    async def open(self, request: RawRequest) -> ByteStream:
        """Send a request and get its answer as it comes."""
        return await super().open(self._addressed(request, 'streamRawPredict', accept='text/event-stream'))

    def _addressed(self, request: RawRequest, verb: str, *, accept: str) -> RawRequest:
        place = {'project': self._client._project_id, 'region': self._client._region} if self._is_google else {}
        path = PATHS[self._kind].format(path=request.path, model=request.model_name, verb=verb, **place)
        return replace(request, path=path, headers={'Accept': accept, **request.headers})

    @property
    def _is_google(self) -> bool:
        return self._kind == 'MistralGCP'

    async def access(self, model_name: str, *, refused: Access | None) -> Access:
        """The address, and the key or the token that is good now. One that must be fetched is, in a thread."""
        headers = {'User-Agent': self._user_agent}
        if key := await self._find_key():
            headers['Authorization'] = key if key.lower().startswith('bearer ') else f'Bearer {key}'
        return Access(self._settings.get_server_details()[0], headers)

    async def _find_key(self) -> str | None:
        security: Any = self._settings.security
        if security is None:
            return await asyncio.to_thread(_token_of_environment)
        found: Any = await asyncio.to_thread(security) if callable(security) else security
        key: str | None = found.api_key
        return key

    @property
    def _user_agent(self) -> str:
        """What the SDK calls itself: its own client says it in fewer words than the generated ones."""
        version, full = self._settings.sdk_version, self._settings.user_agent
        return f'mistral-client-python/{version}' if self._kind == 'Mistral' else str(full)


def _kind_of(client: object) -> str:
    """Which of the SDK's clients it is. Raises a `UserError` for anything else."""
    kinds = [kind.__name__ for kind in type(client).__mro__ if kind.__module__.partition('.')[0] == 'mistralai']
    if (found := next((kind for kind in kinds if kind in PATHS), None)) is None:
        raise UserError(
            'mistral_client= takes a Mistral, a MistralAzure or a MistralGCP, not an object of type '
            f'{type(client).__name__!r}'
        )
    return found


def _limits(seconds: float) -> httpx2.Timeout:
    return httpx2.Timeout(seconds, connect=CONNECT_TIMEOUT)


def _token_of_environment() -> str | None:
    """The token of a service account, else the key. Raises a `UserError` where there is a file that holds none."""
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
