"""The provider of OpenAI, and of any server that speaks its API, at the `base_url` that is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from .._extras import import_extra
from ..profiles import ModelProfile
from ..profiles.openai import openai_model_profile
from ..transport.called_keys import ApiKey, CalledKey
from ..transport.http import Access, AccessSource, make_fixed_access
from ..transport.loops import LoopClients
from ..transport.pools import SdkClients
from ..transport.sdk import SDKConnection
from .credentials import check_alone, check_client, read_key, read_url
from .provider import SDKProvider
from .vendor import Vendor

if TYPE_CHECKING:
    import httpx
    import httpx2
    from openai import AsyncOpenAI

__all__ = ('OpenAIProvider',)

OPENAI = Vendor(
    name='openai',
    base_url='https://api.openai.com/v1',
    header_variables={'OpenAI-Organization': 'OPENAI_ORG_ID', 'OpenAI-Project': 'OPENAI_PROJECT_ID'},
    custom_headers_variable='OPENAI_CUSTOM_HEADERS',
)


class OpenAIProvider(SDKProvider['AsyncOpenAI']):
    """OpenAI. The `openai` package is not needed.

    With a `base_url` of another server (or `OPENAI_BASE_URL`) no key is needed. `openai_client` takes a ready client of
    that package (`AsyncOpenAI` or `AsyncAzureOpenAI`), which then sends the requests; `http_client` takes an
    `httpx2.AsyncClient` or `httpx.AsyncClient`. Raises a `UserError` for a missing key, and for a key or a URL that is
    invalid.
    """

    vendor: ClassVar[Vendor] = OPENAI
    """What each request carries besides its body."""
    _named_headers: Mapping[str, str | None] = {}
    """The headers of a subclass's own parameters, among those that `vendor.header_variables` names."""

    def __init__(
        self,
        *,
        api_key: ApiKey | None = None,
        base_url: str | None = None,
        openai_client: AsyncOpenAI | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
        organization: str | None = None,
        project: str | None = None,
    ) -> None:
        self._is_azure = False
        if openai_client is not None:
            check_alone('openai_client=', api_key, base_url, http_client, organization, project)
            self._use_openai_client(openai_client)
            return
        url = self._choose_base_url(base_url)
        key = self._choose_key(api_key, needed=url is None)
        given = {'OpenAI-Organization': organization, 'OpenAI-Project': project, **self._named_headers}

        def make_client() -> AsyncOpenAI:
            options = {'organization': organization, 'project': project, 'http_client': http_client}
            return self._make_openai_client(base_url=url, api_key=key, **options)

        access = self.vendor.make_access(url, key, given)
        self._use_access(access, http_client, make_client, source=self._make_source(access))

    def _make_source(self, access: Access) -> AccessSource:
        """Return the source of the access for each model."""
        return make_fixed_access(access)

    def _use_openai_client(self, client: AsyncOpenAI) -> None:
        sdk = import_extra('openai', extra='openai', what='openai_client=')
        check_client(client, sdk.AsyncOpenAI, expected='openai_client= takes an AsyncOpenAI or an AsyncAzureOpenAI')
        self._is_azure = isinstance(client, sdk.AsyncAzureOpenAI)
        connection = self._choose_connection()(LoopClients[Any](client, SdkClients()), sdk, provider_name=self.name)
        self._use_client(client, connection)

    def _choose_connection(self) -> type[SDKConnection]:
        """Return the kind of the connection through a client of the SDK."""
        if not self._is_azure:
            return SDKConnection
        from .azure_connection import AzureConnection

        return AzureConnection

    def _make_openai_client(self, **options: Any) -> AsyncOpenAI:
        """Make the SDK's client for the same server, without retries."""
        sdk = import_extra('openai', extra='openai', what=f'{type(self).__name__}.client')
        client: AsyncOpenAI = sdk.AsyncOpenAI(default_headers=self._default_headers(sdk), max_retries=0, **options)
        return client

    def _choose_base_url(self, base_url: str | None) -> str | None:
        """Return the URL that was given, or the environment's; `None` leaves the choice to the SDK."""
        return read_url(base_url, variables=('OPENAI_BASE_URL',), provider=self.name)

    def _choose_key(self, api_key: ApiKey | None, *, needed: bool) -> str | CalledKey:
        """Return the key to send. `needed` is true for the vendor's own server."""
        return read_key(api_key, variables=('OPENAI_API_KEY',), provider=self.name, needed=needed)

    def _default_headers(self, sdk: Any) -> dict[str, Any]:
        """Return default headers of the SDK's client, in addition to its own."""
        return {}

    @property
    def name(self) -> str:
        return 'openai'

    def model_profile(self, model_name: str) -> ModelProfile | None:
        if not self._is_azure:
            return openai_model_profile(model_name)
        from ..profiles.compatible import azure_profile

        return azure_profile(model_name)
