"""The provider of Cohere, and of any server that speaks its Chat API, such as a private deployment or a gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._extras import import_extra
from ..profiles import ModelProfile
from ..profiles.cohere import cohere_model_profile
from ..transport import Deadlines, RawRequest
from ..transport.called_keys import ApiKey
from ..transport.client_errors import ErrorTranslator
from ..transport.loops import LoopClients
from ..transport.pools import HttpClients
from ..transport.response import ClientConnection, client_timeout
from .credentials import check_alone, check_client, check_http_client, hide_password, read_key, read_url
from .provider import SDKProvider
from .vendor import Vendor

if TYPE_CHECKING:
    import httpx
    import httpx2
    from cohere import AsyncClient

__all__ = ('CohereProvider',)

KEY_VARIABLES = ('CO_API_KEY', 'COHERE_API_KEY')
URL_VARIABLES = ('CO_API_URL', 'CO_BASE_URL')

COHERE = Vendor(name='cohere', base_url='https://api.cohere.com', headers={})

READ_TIMEOUT = 300.0
"""The default read timeout in seconds: that of the `cohere` package."""


class CohereProvider(SDKProvider['AsyncClient']):
    """Cohere. The `cohere` package is not needed.

    With a `base_url` of another server (or `CO_API_URL`) no key is needed. `cohere_client` takes a ready
    `AsyncClientV2` of that package, whose configuration is kept; `http_client` takes an `httpx2.AsyncClient` or
    `httpx.AsyncClient`. Raises a `UserError` for a missing key, and for a key or a URL that is invalid.
    """

    def __init__(
        self,
        *,
        api_key: ApiKey | None = None,
        base_url: str | None = None,
        cohere_client: AsyncClient | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        if cohere_client is not None:
            check_alone('cohere_client=', api_key, base_url, http_client)
            sdk = import_extra('cohere', extra='cohere', what='cohere_client=')
            check_client(cohere_client, sdk.AsyncClient, expected='cohere_client= takes an AsyncClientV2')
            self._use_client(cohere_client, CohereConnection(cohere_client, provider_name=self.name))
            return
        url = read_url(base_url, variables=URL_VARIABLES, provider=self.name, drop=('/v2', '/v1'))
        key = read_key(api_key, variables=KEY_VARIABLES, provider=self.name, needed=url is None)

        def make_client() -> AsyncClient:
            sdk = import_extra('cohere', extra='cohere', what='CohereProvider.client')
            http = check_http_client(http_client, library='httpx', package='cohere')
            client: AsyncClient = sdk.AsyncClientV2(api_key=key, base_url=url, httpx_client=http)
            return client

        access = COHERE.make_access(url, key)
        self._use_access(access, http_client, make_client, read_timeout=READ_TIMEOUT, follow_redirects=False)

    @property
    def name(self) -> str:
        return 'cohere'

    @property
    def base_url(self) -> str:
        access = self._access
        return hide_password(_find_wrapper(self._client).get_base_url() if access is None else access.base_url)

    def model_profile(self, model_name: str) -> ModelProfile | None:
        return cohere_model_profile(model_name)


def _find_wrapper(client: Any) -> Any:
    """Return the object in the SDK's client that holds its key, URL, headers, timeout and HTTP client."""
    return client._client_wrapper


class CohereConnection(ClientConnection):
    """Sends requests through the `httpx` client in the SDK's client, with the latter's key, URL, headers and timeout.

    The SDK's own methods would serialise the body again and retry.
    """

    def __init__(self, client: AsyncClient, *, provider_name: str) -> None:
        self._wrapper = _find_wrapper(client)
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
