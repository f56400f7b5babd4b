"""Anthropic, any server that speaks its API, and its models at Amazon, Google and Microsoft by a ready client."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from .._extras import import_extra
from ..exceptions import LLMError, UnexpectedModelBehavior, UserError
from ..profiles import ModelProfile
from ..profiles.anthropic import anthropic_model_profile
from ..transport import ByteStream, Connection, RawRequest
from ..transport.loops import LoopClients
from ..transport.pools import SdkClients
from ..transport.sdk import SDKConnection
from ..transport.spread import spread_over_pools
from .credentials import NO_KEY, check_http_client, check_key, check_url, hide_password, read_key
from .provider import Provider

if TYPE_CHECKING:
    import httpx2
    from anthropic import AsyncAnthropic
    from anthropic.lib.bedrock import AsyncAnthropicBedrock, AsyncAnthropicBedrockMantle
    from anthropic.lib.vertex import AsyncAnthropicVertex

    AnyClient = AsyncAnthropic | AsyncAnthropicBedrock | AsyncAnthropicBedrockMantle | AsyncAnthropicVertex

__all__ = ('AnthropicProvider',)

URL_VARIABLE, KEY_VARIABLE, TOKEN_VARIABLE = 'ANTHROPIC_BASE_URL', 'ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN'

REWRITE_BODIES = ('AsyncAnthropicBedrock', 'AsyncAnthropicVertex')
"""The clients that put the model into the address, and need the body as a mapping for that."""


class AnthropicProvider(Provider['AnyClient']):
    """Anthropic, through the `anthropic` package's own client.

    With a `base_url` of another server (or `ANTHROPIC_BASE_URL`) no key is needed. `anthropic_client` takes a ready
    client with everything that it is set to: `AsyncAnthropic`, or one for another place (`AsyncAnthropicBedrock`,
    `AsyncAnthropicVertex`, `AsyncAnthropicFoundry`, ...). `http_client` takes an `httpx2.AsyncClient`. Raises a
    `UserError` for a missing key, and for a key or an address that cannot be used.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        anthropic_client: AnyClient | None = None,
        http_client: httpx2.AsyncClient | None = None,
    ) -> None:
        sdk = import_extra('anthropic', extra='anthropic', what=type(self).__name__)
        if anthropic_client is not None:
            if any(given is not None for given in (api_key, base_url, http_client)):
                raise UserError('anthropic_client= brings its own key, URL and connection: give nothing else beside it')
            self._client: AnyClient = _asynchronous(anthropic_client)
        else:
            self._client = sdk.AsyncAnthropic(
                **self._credentials(api_key, base_url),
                base_url=self._address(base_url),
                http_client=check_http_client(http_client, library='httpx2', package='anthropic'),
                max_retries=0,
            )
            if http_client is None:
                spread_over_pools(self._client)
        kinds = {kind.__name__ for kind in type(self._client).__mro__}
        connection = BedrockConnection if 'AsyncAnthropicBedrock' in kinds else SDKConnection
        self._connection = connection(
            LoopClients[Any](self._client, SdkClients()),
            sdk,
            provider_name=self.name,
            rewrites_body=not kinds.isdisjoint(REWRITE_BODIES),
        )

    def _address(self, base_url: str | None) -> str | None:
        """Where requests go: as given, as in the environment, or (`None`) where the SDK knows. `/v1` is added to it."""
        where, url = 'base_url=', base_url
        if url is None:
            where, url = URL_VARIABLE, os.environ.get(URL_VARIABLE) or None
        if url is None:
            return None
        return check_url(url, where=where, provider=self.name).rstrip('/').removesuffix('/v1')

    def _credentials(self, api_key: str | None, base_url: str | None) -> dict[str, str]:
        """The key or the token to send. Only Anthropic itself cannot do without one."""
        token = os.environ.get(TOKEN_VARIABLE)
        if token and not (api_key or os.environ.get(KEY_VARIABLE)):
            return {'auth_token': check_key(token, where=TOKEN_VARIABLE, provider=self.name)}
        if not (base_url or os.environ.get(URL_VARIABLE)):
            return {'api_key': read_key(api_key, variables=(KEY_VARIABLE,), provider=self.name)}
        where = 'api_key=' if api_key else KEY_VARIABLE
        key = api_key or os.environ.get(KEY_VARIABLE) or NO_KEY
        return {'api_key': check_key(key, where=where, provider=self.name)}

    @property
    def name(self) -> str:
        """`'anthropic'`."""
        return 'anthropic'

    @property
    def base_url(self) -> str:
        """Where requests go."""
        return hide_password(str(self._client.base_url))

    @property
    def client(self) -> AnyClient:
        """The SDK's client."""
        return self._client

    @property
    def connection(self) -> Connection:
        """The client as a connection."""
        return self._connection

    def model_profile(self, model_name: str) -> ModelProfile | None:
        """What one of Anthropic's models can do."""
        return anthropic_model_profile(model_name)


def _asynchronous(client: Any) -> Any:
    if not iscoroutinefunction(getattr(client, 'post', None)):
        kind = type(client).__name__
        raise UserError(f'anthropic_client= takes an asynchronous client such as AsyncAnthropic, not one of {kind!r}')
    return client


class BedrockConnection(SDKConnection):
    """Amazon's older address for Claude, which streams in frames of its own; the SDK's decoder takes them apart."""

    async def open(self, request: RawRequest) -> ByteStream:
        """Send a request and get its answer as it comes."""
        stream = await super().open(request)
        return _Unframed(stream, self._clients.get()._make_sse_decoder())


class _Unframed(ByteStream):
    """The events of a framed stream as server-sent events."""

    def __init__(self, framed: ByteStream, decoder: Any) -> None:
        self.headers = framed.headers
        self._framed = framed
        self._events: AsyncIterator[Any] = decoder.aiter_bytes(self._chunks())

    async def _chunks(self) -> AsyncIterator[bytes]:
        while chunk := await self._framed.read():
            yield chunk

    async def read(self) -> bytes:
        """The next event; empty at the end."""
        try:
            event = await anext(self._events, None)
        except LLMError:
            raise
        except Exception as error:
            raise UnexpectedModelBehavior(f'A frame of the stream cannot be read: {error}') from error
        return b'' if event is None else f'data: {event.data}\n\n'.encode()

    def progress(self) -> None:
        """An event has come."""
        self._framed.progress()

    async def aclose(self) -> None:
        """Close the connection now."""
        await self._framed.aclose()
