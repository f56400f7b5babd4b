"""OpenAI, and any server that speaks its API: `base_url=` is all that such a server needs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .._extras import import_extra
from ..exceptions import UserError
from ..profiles import ModelProfile
from ..profiles.openai import openai_model_profile
from ..transport import Connection
from ..transport.loops import LoopClients, SdkClients
from ..transport.sdk import SDKConnection
from . import Provider, read_key

if TYPE_CHECKING:
    import httpx
    import httpx2
    from openai import AsyncOpenAI

__all__ = ('OpenAIProvider',)

NO_KEY = 'api-key-not-set'
"""What is sent to servers that need no key; the SDK insists on one."""


class OpenAIProvider(Provider['AsyncOpenAI']):
    """OpenAI, through the `openai` package's own client.

    With a `base_url` of another server no key is needed. `openai_client` takes a ready client (`AsyncOpenAI` or
    `AsyncAzureOpenAI`) with everything that it is set to; `http_client` an `httpx2.AsyncClient` or `httpx.AsyncClient`.
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
            self._client = openai_client
        else:
            self._client = sdk.AsyncOpenAI(
                api_key=self._key(api_key, base_url),
                base_url=base_url,
                http_client=http_client,
                organization=organization,
                project=project,
                max_retries=0,
            )
        self._connection = SDKConnection(
            LoopClients[Any](self._client, SdkClients()),
            sdk,
            provider_name=self.name,
            rewrites_body=isinstance(self._client, sdk.AsyncAzureOpenAI),
        )

    def _key(self, api_key: str | None, base_url: str | None) -> str:
        if base_url or os.environ.get('OPENAI_BASE_URL'):
            return api_key or os.environ.get('OPENAI_API_KEY') or NO_KEY
        return read_key(api_key, variables=('OPENAI_API_KEY',), provider=self.name)

    @property
    def name(self) -> str:
        """`'openai'`."""
        return 'openai'

    @property
    def base_url(self) -> str:
        """Where requests go."""
        return str(self._client.base_url)

    @property
    def client(self) -> AsyncOpenAI:
        """The SDK's client."""
        return self._client

    @property
    def connection(self) -> Connection:
        """The client as a connection."""
        return self._connection

    def model_profile(self, model_name: str) -> ModelProfile | None:
        """What one of OpenAI's models can do."""
        return openai_model_profile(model_name)
