"""The provider of Groq, and of any server that speaks its API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._extras import import_extra
from ..profiles import ModelProfile
from ..profiles.groq import groq_model_profile
from ..transport.called_keys import ApiKey
from ..transport.loops import LoopClients
from ..transport.pools import SdkClients
from ..transport.sdk import SDKConnection
from .credentials import check_alone, check_client, check_http_client, read_key, read_url
from .provider import SDKProvider
from .vendor import Vendor

if TYPE_CHECKING:
    import httpx
    import httpx2
    from groq import AsyncGroq

__all__ = ('GroqProvider',)

GROQ = Vendor(name='groq', base_url='https://api.groq.com', custom_headers_variable='GROQ_CUSTOM_HEADERS')

READ_TIMEOUT = 60.0
"""The default read timeout in seconds: that of the `groq` package."""


class GroqProvider(SDKProvider['AsyncGroq']):
    """Groq. The `groq` package is not needed.

    With a `base_url` of another server (or `GROQ_BASE_URL`) no key is needed. `groq_client` takes a ready `AsyncGroq`
    of that package, which then sends the requests; `http_client` takes an `httpx2.AsyncClient` or `httpx.AsyncClient`.
    Raises a `UserError` for a missing key, and for a key or a URL that is invalid.
    """

    def __init__(
        self,
        *,
        api_key: ApiKey | None = None,
        base_url: str | None = None,
        groq_client: AsyncGroq | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        if groq_client is not None:
            check_alone('groq_client=', api_key, base_url, http_client)
            sdk = import_extra('groq', extra='groq', what='groq_client=')
            check_client(groq_client, sdk.AsyncGroq, expected='groq_client= takes an AsyncGroq')
            clients = LoopClients[Any](groq_client, SdkClients())
            self._use_client(groq_client, SDKConnection(clients, sdk, provider_name=self.name, http='httpx'))
            return
        url = read_url(base_url, variables=('GROQ_BASE_URL',), provider=self.name, drop=('/openai/v1',))
        needs_key = url is None or api_key is not None
        key = read_key(api_key, variables=('GROQ_API_KEY',), provider=self.name, needed=needs_key)

        def make_client() -> AsyncGroq:
            sdk = import_extra('groq', extra='groq', what='GroqProvider.client')
            http = check_http_client(http_client, library='httpx', package='groq')
            client: AsyncGroq = sdk.AsyncGroq(api_key=key, base_url=url, http_client=http, max_retries=0)
            return client

        self._use_access(GROQ.make_access(url, key), http_client, make_client, read_timeout=READ_TIMEOUT)

    @property
    def name(self) -> str:
        return 'groq'

    def model_profile(self, model_name: str) -> ModelProfile | None:
        return groq_model_profile(model_name)
