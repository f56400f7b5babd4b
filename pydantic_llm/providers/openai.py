"""OpenAI, and any server that speaks its API: `base_url=` is all that such a server needs."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic_core import to_json

from .._extras import import_extra
from ..exceptions import ModelHTTPError, UserError
from ..profiles import ModelProfile
from ..profiles.openai import openai_model_profile
from ..transport import ByteStream, Call, Connection, Reply
from ..transport.loops import LoopClients, SdkClients
from ..transport.sdk import SDKConnection
from . import Provider, check_key, check_url, hide_password, read_key

if TYPE_CHECKING:
    import httpx
    import httpx2
    from openai import AsyncAzureOpenAI, AsyncOpenAI

__all__ = ('OpenAIProvider',)

NO_KEY = 'api-key-not-set'
"""What is sent to servers that need no key; the SDK insists on one."""


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
        azure = isinstance(self._client, sdk.AsyncAzureOpenAI)
        connection = AzureConnection if azure else SDKConnection
        self._connection = connection(LoopClients[Any](self._client, SdkClients()), sdk, provider_name=self.name)

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
        """What one of OpenAI's models can do. Azure takes no documents (PDF) by this API."""
        profile = openai_model_profile(model_name)
        return replace(profile, openai_documents=False) if isinstance(self._connection, AzureConnection) else profile


class AzureConnection(SDKConnection):
    """Azure's client: the deployment, which has the model's name, stands in the address.

    The SDK puts it there for bodies that it serialises itself; ours are serialised already.
    """

    async def send(self, call: Call) -> Reply:
        """Send a request and read the whole answer."""
        try:
            return await super().send(self._deployed(call))
        except ModelHTTPError as error:
            return Reply(_refusal(error), {'content-type': 'application/json'})

    async def open(self, call: Call) -> ByteStream:
        """Send a request and get its answer as it comes."""
        try:
            return await super().open(self._deployed(call))
        except ModelHTTPError as error:
            return _OneEvent(_refusal(error))

    def _deployed(self, call: Call) -> Call:
        client: AsyncAzureOpenAI = self._clients.get()
        base = client.base_url.path.rstrip('/')
        if call.path != '/chat/completions' or '/deployments' in base or base.endswith('/v1'):
            return call
        return replace(call, path=f'/deployments/{quote(call.model_name, safe="")}{call.path}')


def _refusal(error: ModelHTTPError) -> bytes:
    """The answer that OpenAI gives where Azure's filter makes an error of it; any other error is raised again."""
    body: Any = error.body
    choice: dict[str, Any] = {'finish_reason': 'content_filter', 'message': {}, 'delta': {}}
    match body:
        case {'error': {'code': 'content_filter', 'innererror': {'content_filter_result': verdicts}}}:
            choice['content_filter_results'] = verdicts
        case {'error': {'code': 'content_filter'}}:
            pass
        case _:
            raise error
    return to_json({'choices': [choice]})


class _OneEvent(ByteStream):
    """A stream of one event, which is already here."""

    def __init__(self, data: bytes) -> None:
        self.headers = {}
        self._chunks = [b'', b'data: ' + data + b'\n\n']

    async def read(self) -> bytes:
        """The event, and then the end."""
        return self._chunks.pop() if self._chunks else b''

    def progress(self) -> None:
        """Nobody waits for anything."""

    async def aclose(self) -> None:
        """There is nothing to close."""
