"""The provider of Groq, and of any server that speaks its API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._extras import import_extra
from ..profiles import ModelProfile
from ..profiles.groq import groq_model_profile
from ..transport.loops import LoopClients
from ..transport.pools import SdkClients
from ..transport.sdk import SDKConnection
from ..transport.spread import spread_over_pools
from .credentials import check_alone, check_client, check_http_client, read_key, read_url
from .provider import ClientProvider

if TYPE_CHECKING:
    import httpx
    from groq import AsyncGroq

__all__ = ('GroqProvider',)


class GroqProvider(ClientProvider['AsyncGroq']):
    """Groq, through the `groq` package's own client.

    With a `base_url` of another server (or `GROQ_BASE_URL`) no key is needed. `groq_client` takes a ready `AsyncGroq`,
    whose configuration is kept; `http_client` takes an `httpx.AsyncClient`, which the `groq` package is built on.
    Raises a `UserError` for a missing key, and for a key or a URL that is invalid.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        groq_client: AsyncGroq | None = None,
        http_client: httpx.AsyncClient | None = None,
    ) -> None:
        sdk = import_extra('groq', extra='groq', what=type(self).__name__)
        if groq_client is not None:
            check_alone('groq_client=', api_key, base_url, http_client)
            self._client = check_client(groq_client, sdk.AsyncGroq, expected='groq_client= takes an AsyncGroq')
        else:
            url = read_url(base_url, variables=('GROQ_BASE_URL',), provider=self.name, drop=('/openai/v1',))
            needs_key = url is None or api_key is not None
            self._client = sdk.AsyncGroq(
                api_key=read_key(api_key, variables=('GROQ_API_KEY',), provider=self.name, needed=needs_key),
                base_url=url,
                http_client=check_http_client(http_client, library='httpx', package='groq'),
                max_retries=0,
            )
            if http_client is None:
                spread_over_pools(self._client)
        clients = LoopClients[Any](self._client, SdkClients())
        self._connection = SDKConnection(clients, sdk, provider_name=self.name, http='httpx')

    @property
    def name(self) -> str:
        return 'groq'

    def model_profile(self, model_name: str) -> ModelProfile | None:
        return groq_model_profile(model_name)
