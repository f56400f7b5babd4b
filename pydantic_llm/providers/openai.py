"""The provider of OpenAI, and of any server that speaks its API, at the `base_url` that is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._extras import import_extra
from ..profiles import ModelProfile
from ..profiles.compatible import azure_profile
from ..profiles.openai import openai_model_profile
from ..transport.loops import LoopClients
from ..transport.pools import SdkClients
from ..transport.sdk import SDKConnection
from ..transport.spread import spread_over_pools
from .azure_connection import AzureConnection
from .credentials import check_alone, check_client, read_key, read_url
from .provider import ClientProvider

if TYPE_CHECKING:
    import httpx
    import httpx2
    from openai import AsyncOpenAI

__all__ = ('OpenAIProvider',)

OPENAI_HEADERS = ('OpenAI-Organization', 'OpenAI-Project')
"""Headers that the SDK fills from environment variables (`OPENAI_ORG_ID`, ...); other services must not get them."""


class OpenAIProvider(ClientProvider['AsyncOpenAI']):
    """OpenAI, through the `openai` package's own client.

    With a `base_url` of another server (or `OPENAI_BASE_URL`) no key is needed. `openai_client` takes a ready client
    (`AsyncOpenAI` or `AsyncAzureOpenAI`), whose configuration is kept; `http_client` takes an `httpx2.AsyncClient` or
    `httpx.AsyncClient`. Raises a `UserError` for a missing key, and for a key or a URL that is invalid.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        openai_client: AsyncOpenAI | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
        organization: str | None = None,
        project: str | None = None,
    ) -> None:
        sdk = import_extra('openai', extra='openai', what=type(self).__name__)
        if openai_client is not None:
            check_alone('openai_client=', api_key, base_url, http_client, organization, project)
            expected = 'openai_client= takes an AsyncOpenAI or an AsyncAzureOpenAI'
            self._client = check_client(openai_client, sdk.AsyncOpenAI, expected=expected)
        else:
            url = self._choose_base_url(base_url)
            self._client = sdk.AsyncOpenAI(
                base_url=url,
                api_key=self._choose_key(api_key, needed=url is None),
                http_client=http_client,
                organization=organization,
                project=project,
                default_headers=self._default_headers(sdk),
                max_retries=0,
            )
            if http_client is None:
                spread_over_pools(self._client)
        self._is_azure = isinstance(self._client, sdk.AsyncAzureOpenAI)
        clients = LoopClients[Any](self._client, SdkClients())
        self._connection = self._connection_class()(clients, sdk, provider_name=self.name)

    def _connection_class(self) -> type[SDKConnection]:
        return AzureConnection if self._is_azure else SDKConnection

    def _choose_base_url(self, base_url: str | None) -> str | None:
        """Return the URL that was given, or the environment's; `None` leaves the choice to the SDK."""
        return read_url(base_url, variables=('OPENAI_BASE_URL',), provider=self.name)

    def _choose_key(self, api_key: str | None, *, needed: bool) -> str:
        """Return the key to send. `needed` is true for the vendor's own server."""
        return read_key(api_key, variables=('OPENAI_API_KEY',), provider=self.name, needed=needed)

    def _default_headers(self, sdk: Any) -> dict[str, Any]:
        """Return default headers, in addition to the SDK's own."""
        return {}

    @property
    def name(self) -> str:
        return 'openai'

    def model_profile(self, model_name: str) -> ModelProfile | None:
        return azure_profile(model_name) if self._is_azure else openai_model_profile(model_name)
