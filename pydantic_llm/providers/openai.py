"""The provider of OpenAI, and of any server that speaks its API, at the `base_url` that is given."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from .._extras import import_extra
from ..exceptions import UserError
from ..profiles import ModelProfile
from ..profiles.compatible import azure_profile
from ..profiles.openai import openai_model_profile
from ..transport import Connection
from ..transport.loops import LoopClients
from ..transport.pools import SdkClients
from ..transport.sdk import SDKConnection
from ..transport.spread import spread_over_pools
from .azure_connection import AzureConnection
from .credentials import NO_KEY, check_key, check_url, hide_password, read_key
from .provider import Provider

if TYPE_CHECKING:
    import httpx
    import httpx2
    from openai import AsyncOpenAI

__all__ = ('OpenAIProvider',)

OPENAI_HEADERS = ('OpenAI-Organization', 'OpenAI-Project')
"""Headers that the SDK fills from environment variables (`OPENAI_ORG_ID`, ...); other services must not get them."""


class OpenAIProvider(Provider['AsyncOpenAI']):
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
            if any(given is not None for given in (api_key, base_url, http_client, organization, project)):
                raise UserError('openai_client= brings its own key, URL and connection: give nothing else with it')
            if not isinstance(openai_client, sdk.AsyncOpenAI):
                kind = type(openai_client).__name__
                raise UserError(
                    f'openai_client= takes an AsyncOpenAI or an AsyncAzureOpenAI, not an object of type {kind!r}'
                )
            self._client: AsyncOpenAI = openai_client
        else:
            self._client = sdk.AsyncOpenAI(
                base_url=self._choose_base_url(base_url),
                api_key=self._choose_key(api_key, base_url),
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
        where, url = 'base_url=', base_url
        if url is None:
            where, url = 'OPENAI_BASE_URL', os.environ.get('OPENAI_BASE_URL') or None
        return None if url is None else check_url(url, where=where, provider=self.name)

    def _choose_key(self, api_key: str | None, base_url: str | None) -> str:
        """Return the key to send. It may be missing for any server but OpenAI's own."""
        if not (base_url or os.environ.get('OPENAI_BASE_URL')):
            return read_key(api_key, variables=('OPENAI_API_KEY',), provider=self.name)
        where = 'api_key=' if api_key else 'OPENAI_API_KEY'
        return check_key(api_key or os.environ.get('OPENAI_API_KEY') or NO_KEY, where=where, provider=self.name)

    def _default_headers(self, sdk: Any) -> dict[str, Any]:
        """Return default headers, in addition to the SDK's own."""
        return {}

    @property
    @override
    def name(self) -> str:
        return 'openai'

    @property
    @override
    def base_url(self) -> str:
        return hide_password(str(self._client.base_url))

    @property
    @override
    def client(self) -> AsyncOpenAI:
        return self._client

    @property
    @override
    def connection(self) -> Connection:
        return self._connection

    @override
    def model_profile(self, model_name: str) -> ModelProfile | None:
        return azure_profile(model_name) if self._is_azure else openai_model_profile(model_name)
