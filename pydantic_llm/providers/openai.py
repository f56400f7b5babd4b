"""OpenAI, and any server that speaks its API: `base_url=` is all that such a server needs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

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
    (`AsyncOpenAI` or `AsyncAzureOpenAI`) with everything that it is set to; `http_client` an `httpx2.AsyncClient` or
    `httpx.AsyncClient`. Raises a `UserError` for a missing key, and for a key or an address that cannot be used.
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
                raise UserError('openai_client= brings its own key, URL and connection: give nothing else beside it')
            if not isinstance(openai_client, sdk.AsyncOpenAI):
                kind = type(openai_client).__name__
                raise UserError(
                    f'openai_client= takes an AsyncOpenAI or an AsyncAzureOpenAI, not an object of type {kind!r}'
                )
            self._client: AsyncOpenAI = openai_client
        else:
            self._client = sdk.AsyncOpenAI(
                base_url=self._address(base_url),
                api_key=self._key(api_key, base_url),
                http_client=http_client,
                organization=organization,
                project=project,
                default_headers=self._headers(sdk),
                max_retries=0,
            )
            if http_client is None:
                spread_over_pools(self._client)
        self._is_azure = isinstance(self._client, sdk.AsyncAzureOpenAI)
        connection = self._connection_kind()
        self._connection = connection(LoopClients[Any](self._client, SdkClients()), sdk, provider_name=self.name)

    def _connection_kind(self) -> type[SDKConnection]:
        return AzureConnection if self._is_azure else SDKConnection

    def _address(self, base_url: str | None) -> str | None:
        """Where requests go: as given, as in the environment, or (`None`) where the SDK knows."""
        where, url = 'base_url=', base_url
        if url is None:
            where, url = 'OPENAI_BASE_URL', os.environ.get('OPENAI_BASE_URL') or None
        return None if url is None else check_url(url, where=where, provider=self.name)

    def _key(self, api_key: str | None, base_url: str | None) -> str:
        """The key to send. Only OpenAI itself cannot do without one."""
        if not (base_url or os.environ.get('OPENAI_BASE_URL')):
            return read_key(api_key, variables=('OPENAI_API_KEY',), provider=self.name)
        where = 'api_key=' if api_key else 'OPENAI_API_KEY'
        return check_key(api_key or os.environ.get('OPENAI_API_KEY') or NO_KEY, where=where, provider=self.name)

    def _headers(self, sdk: Any) -> dict[str, Any]:
        """Headers of every request beside the SDK's own."""
        return {}

    @property
    def name(self) -> str:
        """`'openai'`."""
        return 'openai'

    @property
    def base_url(self) -> str:
        """Where requests go."""
        return hide_password(str(self._client.base_url))

    @property
    def client(self) -> AsyncOpenAI:
        """The SDK's client."""
        return self._client

    @property
    def connection(self) -> Connection:
        """The client as a connection."""
        return self._connection

    def model_profile(self, model_name: str) -> ModelProfile | None:
        """What one of OpenAI's models can do, or one at Azure behind a client of Azure's."""
        return azure_profile(model_name) if self._is_azure else openai_model_profile(model_name)
