"""The provider of Groq, and of any server that speaks its API."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from typing_extensions import override

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
            if any(given is not None for given in (api_key, base_url, http_client)):
                raise UserError('groq_client= brings its own key, URL and connection: give nothing else with it')
            if not isinstance(groq_client, sdk.AsyncGroq):
                raise UserError(
                    f'groq_client= takes an AsyncGroq, not an object of type {type(groq_client).__name__!r}'
                )
            self._client: AsyncGroq = groq_client
        else:
            address = self._choose_base_url(base_url)
            self._client = sdk.AsyncGroq(
                api_key=self._choose_key(api_key, needed=address is None),
                base_url=address,
                http_client=check_http_client(http_client, library='httpx', package='groq'),
                max_retries=0,
            )
            if http_client is None:
                spread_over_pools(self._client)
        clients = LoopClients[Any](self._client, SdkClients())
        self._connection = SDKConnection(clients, sdk, provider_name=self.name, http='httpx')

    def _choose_base_url(self, base_url: str | None) -> str | None:
        """Return the URL that was given, or the environment's; `None` leaves the choice to the SDK.

        The path `/openai/v1` at its end is dropped, since the SDK adds it.
        """
        where, url = ('base_url=', base_url) if base_url is not None else (URL_VARIABLE, os.environ.get(URL_VARIABLE))
        if not url and base_url is None:
            return None
        return check_url(url or '', where=where, provider=self.name).rstrip('/').removesuffix('/openai/v1')

    def _choose_key(self, api_key: str | None, *, needed: bool) -> str:
        """Return the key to send. It may be missing for any server but Groq's own."""
        if needed or api_key is not None or os.environ.get(KEY_VARIABLE):
            return read_key(api_key, variables=(KEY_VARIABLE,), provider=self.name)
        return check_key(NO_KEY, where='api_key=', provider=self.name)

    @property
    @override
    def name(self) -> str:
        return 'groq'

    @property
    @override
    def base_url(self) -> str:
        return hide_password(str(self._client.base_url))

    @property
    @override
    def client(self) -> AsyncGroq:
        return self._client

    @property
    @override
    def connection(self) -> Connection:
        return self._connection

    @override
    def model_profile(self, model_name: str) -> ModelProfile | None:
        return groq_model_profile(model_name)
