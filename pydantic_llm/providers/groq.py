"""Groq, through the `groq` package's own client."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .._extras import import_extra
from ..exceptions import UserError
from ..profiles import ModelProfile
from ..profiles.groq import groq_model_profile
from ..transport import Connection
from ..transport.loops import LoopClients
from ..transport.pools import SdkClients
from ..transport.sdk import SDKConnection
from ..transport.spread import spread_over_pools
from .credentials import NO_KEY, check_http_client, check_key, check_url, hide_password, read_key
from .provider import Provider

if TYPE_CHECKING:
    import httpx
    from groq import AsyncGroq

__all__ = ('GroqProvider',)

KEY_VARIABLE = 'GROQ_API_KEY'
URL_VARIABLE = 'GROQ_BASE_URL'


class GroqProvider(Provider['AsyncGroq']):
    """Groq.

    With a `base_url` of another server (or `GROQ_BASE_URL`) no key is needed. `groq_client` takes a ready `AsyncGroq`
    with everything that it is set to; `http_client` an `httpx.AsyncClient`, which the `groq` package is built on.
    Raises a `UserError` for a missing key, and for a key or an address that cannot be used.
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
            if any(given is not None for given in (api_key, base_url, http_client)):
                raise UserError('groq_client= brings its own key, URL and connection: give nothing else beside it')
            if not isinstance(groq_client, sdk.AsyncGroq):
                raise UserError(
                    f'groq_client= takes an AsyncGroq, not an object of type {type(groq_client).__name__!r}'
                )
            self._client: AsyncGroq = groq_client
        else:
            address = self._address(base_url)
            self._client = sdk.AsyncGroq(
                api_key=self._key(api_key, needed=address is None),
                base_url=address,
                http_client=check_http_client(http_client, library='httpx', package='groq'),
                max_retries=0,
            )
            if http_client is None:
                spread_over_pools(self._client)
        clients = LoopClients[Any](self._client, SdkClients())
        self._connection = SDKConnection(clients, sdk, provider_name=self.name, http='httpx')

    def _address(self, base_url: str | None) -> str | None:
        """Where requests go: as given, as in the environment, or (`None`) where the SDK knows. The path is added."""
        where, url = ('base_url=', base_url) if base_url is not None else (URL_VARIABLE, os.environ.get(URL_VARIABLE))
        if not url and base_url is None:
            return None
        return check_url(url or '', where=where, provider=self.name).rstrip('/').removesuffix('/openai/v1')

    def _key(self, api_key: str | None, *, needed: bool) -> str:
        """The key to send. Only Groq itself cannot do without one."""
        if needed or api_key is not None or os.environ.get(KEY_VARIABLE):
            return read_key(api_key, variables=(KEY_VARIABLE,), provider=self.name)
        return check_key(NO_KEY, where='api_key=', provider=self.name)

    @property
    def name(self) -> str:
        """`'groq'`."""
        return 'groq'

    @property
    def base_url(self) -> str:
        """Where requests go."""
        return hide_password(str(self._client.base_url))

    @property
    def client(self) -> AsyncGroq:
        """The SDK's client."""
        return self._client

    @property
    def connection(self) -> Connection:
        """The client as a connection."""
        return self._connection

    def model_profile(self, model_name: str) -> ModelProfile | None:
        """What a model at Groq can do."""
        return groq_model_profile(model_name)
