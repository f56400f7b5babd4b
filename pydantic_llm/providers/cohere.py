"""Cohere, and any server that speaks its Chat API: a private deployment, a gateway."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .._extras import import_extra
from ..exceptions import UserError
from ..profiles import ModelProfile
from ..profiles.cohere import cohere_model_profile
from ..transport import Connection, Deadlines, RawRequest
from ..transport.client_errors import ErrorTranslator
from ..transport.loops import LoopClients
from ..transport.pools import HttpClients
from ..transport.response import ClientConnection, client_timeout
from ..transport.spread import spread_over_pools
from .credentials import NO_KEY, check_http_client, check_key, check_url, hide_password, read_key
from .provider import Provider

if TYPE_CHECKING:
    import httpx
    from cohere import AsyncClient

__all__ = ('CohereProvider',)

KEY_VARIABLES = ('CO_API_KEY', 'COHERE_API_KEY')
URL_VARIABLES = ('CO_API_URL', 'CO_BASE_URL')


class CohereProvider(Provider['AsyncClient']):
    """Cohere, through the `cohere` package's own client.

    With a `base_url` of another server (or `CO_API_URL`) no key is needed. `cohere_client` takes a ready
    `AsyncClientV2` with everything that it is set to; `http_client` an `httpx.AsyncClient`, which the `cohere` package
    is built on. Raises a `UserError` for a missing key, and for a key or an address that cannot be used.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        cohere_client: AsyncClient | None = None,
        http_client: httpx.AsyncClient | None = None,
    ) -> None:
        sdk = import_extra('cohere', extra='cohere', what=type(self).__name__)
        if cohere_client is not None:
            if any(given is not None for given in (api_key, base_url, http_client)):
                raise UserError('cohere_client= brings its own key, URL and connection: give nothing else beside it')
            if not isinstance(cohere_client, sdk.AsyncClient):
                kind = type(cohere_client).__name__
                raise UserError(f'cohere_client= takes an AsyncClientV2, not an object of type {kind!r}')
            self._client: AsyncClient = cohere_client
        else:
            address = self._address(base_url)
            self._client = sdk.AsyncClientV2(
                api_key=self._key(api_key, needed=address is None),
                base_url=address,
                httpx_client=check_http_client(http_client, library='httpx', package='cohere'),
            )
            if http_client is None:
                spread_over_pools(_settings_of(self._client).httpx_client.httpx_client)
        self._connection = CohereConnection(self._client, provider_name=self.name)

    def _address(self, base_url: str | None) -> str | None:
        """Where requests go: as given, as in the environment, or (`None`) where the SDK knows. `/v2` is added to it."""
        where, url = 'base_url=', base_url
        if url is None:
            set_ = ((variable, os.environ.get(variable)) for variable in URL_VARIABLES)
            where, url = next(((variable, value) for variable, value in set_ if value), (where, None))
        if url is None:
            return None
        return check_url(url, where=where, provider=self.name).rstrip('/').removesuffix('/v2').removesuffix('/v1')

    def _key(self, api_key: str | None, *, needed: bool) -> str:
        """The key to send. Only Cohere itself cannot do without one."""
        if needed or api_key or any(os.environ.get(variable) for variable in KEY_VARIABLES):
            return read_key(api_key, variables=KEY_VARIABLES, provider=self.name)
        return check_key(NO_KEY, where='api_key=', provider=self.name)

    @property
    def name(self) -> str:
        """`'cohere'`."""
        return 'cohere'

    @property
    def base_url(self) -> str:
        """Where requests go."""
        return hide_password(_settings_of(self._client).get_base_url())

    @property
    def client(self) -> AsyncClient:
        """The SDK's client."""
        return self._client

    @property
    def connection(self) -> Connection:
        """The client as a connection."""
        return self._connection

    def model_profile(self, model_name: str) -> ModelProfile | None:
        """What one of Cohere's models can do."""
        return cohere_model_profile(model_name)


def _settings_of(client: Any) -> Any:
    """Where the SDK's client keeps its key, address, headers and time limit, and the HTTP client."""
    return client._client_wrapper


class CohereConnection(ClientConnection):
    """The SDK's client as a connection: its key, address, headers and time limit, and the `httpx` client inside it.

    The SDK's own way to send would serialise the body and send it again where it fails.
    """

    def __init__(self, client: AsyncClient, *, provider_name: str) -> None:
        self._settings = _settings_of(client)
        http_client = self._settings.httpx_client.httpx_client
        super().__init__(LoopClients[Any](http_client, HttpClients()), ErrorTranslator(provider_name, 'cohere'))

    async def post(self, client: Any, request: RawRequest, deadlines: Deadlines) -> Any:
        """The response of `httpx`, open. The SDK's client may fetch a token first."""
        own = self._settings.get_timeout()
        headers = type(client.headers)({**await self._settings.async_get_headers(), 'Content-Type': 'application/json'})
        headers.update(request.headers)
        http_request = client.build_request(
            'POST',
            self._settings.get_base_url().rstrip('/') + request.path,
            content=request.body,
            headers=headers,
            timeout=client_timeout(type(client.timeout), client.timeout if own is None else own, deadlines),
        )
        response = await client.send(http_request, stream=True)
        if not response.is_success:
            await response.aread()
            raise self.translator.from_response(response, request.model_name)
        return response
