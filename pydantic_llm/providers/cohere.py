"""The provider of Cohere, and of any server that speaks its Chat API, such as a private deployment or a gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._extras import import_extra
from ..profiles import ModelProfile
from ..profiles.cohere import cohere_model_profile
from ..transport import Deadlines, RawRequest
from ..transport.client_errors import ErrorTranslator
from ..transport.loops import LoopClients
from ..transport.pools import HttpClients
from ..transport.response import ClientConnection, client_timeout
from ..transport.spread import spread_over_pools
from .credentials import check_alone, check_client, check_http_client, hide_password, read_key, read_url
from .provider import ClientProvider

if TYPE_CHECKING:
    import httpx
    from cohere import AsyncClient

__all__ = ('CohereProvider',)

KEY_VARIABLES = ('CO_API_KEY', 'COHERE_API_KEY')
URL_VARIABLES = ('CO_API_URL', 'CO_BASE_URL')


class CohereProvider(ClientProvider['AsyncClient']):
    """Cohere, through the `cohere` package's own client.

    With a `base_url` of another server (or `CO_API_URL`) no key is needed. `cohere_client` takes a ready
    `AsyncClientV2`, whose configuration is kept; `http_client` takes an `httpx.AsyncClient`, which the `cohere` package
    is built on. Raises a `UserError` for a missing key, and for a key or a URL that is invalid.
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
            check_alone('cohere_client=', api_key, base_url, http_client)
            self._client = check_client(
                cohere_client, sdk.AsyncClient, expected='cohere_client= takes an AsyncClientV2'
            )
        else:
            url = read_url(base_url, variables=URL_VARIABLES, provider=self.name, drop=('/v2', '/v1'))
            self._client = sdk.AsyncClientV2(
                api_key=read_key(api_key, variables=KEY_VARIABLES, provider=self.name, needed=url is None),
                base_url=url,
                httpx_client=check_http_client(http_client, library='httpx', package='cohere'),
            )
            if http_client is None:
                spread_over_pools(_wrapper_of(self._client).httpx_client.httpx_client)
        self._connection = CohereConnection(self._client, provider_name=self.name)

    @property
    def name(self) -> str:
        return 'cohere'

    @property
    def base_url(self) -> str:
        return hide_password(_wrapper_of(self._client).get_base_url())

    def model_profile(self, model_name: str) -> ModelProfile | None:
        return cohere_model_profile(model_name)


def _wrapper_of(client: Any) -> Any:
    """Return the object in the SDK's client that holds its key, URL, headers, timeout and HTTP client."""
    return client._client_wrapper


class CohereConnection(ClientConnection):
    """Sends requests through the `httpx` client in the SDK's client, with the latter's key, URL, headers and timeout.

    The SDK's own methods would serialise the body again and retry.
    """

    def __init__(self, client: AsyncClient, *, provider_name: str) -> None:
        self._wrapper = _wrapper_of(client)
        http_client = self._wrapper.httpx_client.httpx_client
        super().__init__(LoopClients[Any](http_client, HttpClients()), ErrorTranslator(provider_name, 'cohere'))

    async def post(self, client: Any, request: RawRequest, deadlines: Deadlines) -> Any:
        """Return the open response of `httpx`. The SDK's client may fetch a token first."""
        timeout = self._wrapper.get_timeout()
        headers = type(client.headers)({**await self._wrapper.async_get_headers(), 'Content-Type': 'application/json'})
        headers.update(request.headers)
        http_request = client.build_request(
            'POST',
            self._wrapper.get_base_url().rstrip('/') + request.path,
            content=request.body,
            headers=headers,
            timeout=client_timeout(type(client.timeout), client.timeout if timeout is None else timeout, deadlines),
        )
        return await self.check(await client.send(http_request, stream=True, follow_redirects=False), request)
