"""The provider of Anthropic, of any server that speaks its API, and of its models at Amazon, Google and Microsoft."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .._extras import import_extra
from ..exceptions import LLMError, UnexpectedModelBehavior, UserError
from ..profiles import ModelProfile
from ..profiles.anthropic import ANTHROPIC, BEDROCK, MANTLE, VERTEX, ClaudeHost, anthropic_model_profile
from ..transport import ByteStream, RawRequest
from ..transport.loops import LoopClients
from ..transport.pools import SdkClients
from ..transport.sdk import SDKConnection
from ..transport.spread import spread_over_pools
from .credentials import check_alone, check_http_client, check_key, read_key, read_url
from .provider import ClientProvider

if TYPE_CHECKING:
    import httpx2
    from anthropic import AsyncAnthropic
    from anthropic.lib.bedrock import AsyncAnthropicBedrock, AsyncAnthropicBedrockMantle
    from anthropic.lib.vertex import AsyncAnthropicVertex

    AnyClient = AsyncAnthropic | AsyncAnthropicBedrock | AsyncAnthropicBedrockMantle | AsyncAnthropicVertex

__all__ = ('AnthropicProvider',)

KEY_VARIABLE, TOKEN_VARIABLE = 'ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN'

REWRITE_BODIES = ('AsyncAnthropicBedrock', 'AsyncAnthropicVertex')
"""The clients that move the model's name from the body to the path, for which they need the body as a mapping."""

HOSTS: dict[str, ClaudeHost] = {
    'AsyncAnthropicBedrockMantle': MANTLE,
    'AsyncAnthropicBedrock': BEDROCK,
    'AsyncAnthropicVertex': VERTEX,
    'AsyncAnthropicAWS': ANTHROPIC,
    'AsyncAnthropicFoundry': ANTHROPIC,
    'AsyncAnthropicGoogleCloud': ANTHROPIC,
}
"""The SDK's clients for Claude at other vendors -> what these refuse."""


class AnthropicProvider(ClientProvider['AnyClient']):
    """Anthropic, through the `anthropic` package's own client.

    With a `base_url` of another server (or `ANTHROPIC_BASE_URL`) no key is needed. `anthropic_client` takes a ready
    client, whose configuration is kept: `AsyncAnthropic`, or the client of another vendor (`AsyncAnthropicBedrock`,
    `AsyncAnthropicVertex`, `AsyncAnthropicFoundry`, ...). `http_client` takes an `httpx2.AsyncClient`. Raises a
    `UserError` for a missing key, and for a key or a URL that is invalid.
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
            check_alone('anthropic_client=', api_key, base_url, http_client)
            self._client = _check_is_async(anthropic_client)
        else:
            url = read_url(base_url, variables=('ANTHROPIC_BASE_URL',), provider=self.name, drop=('/v1',))
            self._client = sdk.AsyncAnthropic(
                **self._choose_credentials(api_key, needs_key=url is None),
                base_url=url,
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
        self._host = next((host for name, host in HOSTS.items() if name in kinds), None)

    def _choose_credentials(self, api_key: str | None, *, needs_key: bool) -> dict[str, str]:
        """Return the key or the token to send. Both may be missing for any server but Anthropic's own."""
        token = os.environ.get(TOKEN_VARIABLE)
        if token and not (api_key or os.environ.get(KEY_VARIABLE)):
            return {'auth_token': check_key(token, where=TOKEN_VARIABLE, provider=self.name)}
        return {'api_key': read_key(api_key, variables=(KEY_VARIABLE,), provider=self.name, needed=needs_key)}

    @property
    def name(self) -> str:
        return 'anthropic'

    def model_profile(self, model_name: str) -> ModelProfile | None:
        profile = anthropic_model_profile(model_name)
        is_anthropic = (urlsplit(self.base_url).hostname or '').endswith('anthropic.com')
        host = self._host or (ANTHROPIC if is_anthropic else None)
        return host.apply(profile) if host else profile


def _check_is_async(client: Any) -> Any:
    if not iscoroutinefunction(getattr(client, 'post', None)):
        kind = type(client).__name__
        raise UserError(f'anthropic_client= takes an asynchronous client such as AsyncAnthropic, not one of {kind!r}')
    return client


class BedrockConnection(SDKConnection):
    """Sends requests to Bedrock's InvokeModel API, which streams events in Amazon's binary frames.

    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html
    """

    async def open(self, request: RawRequest) -> ByteStream:
        return _DecodedFrames(await super().open(request), self._clients.get()._make_sse_decoder())


class _DecodedFrames(ByteStream):
    """A framed stream as server-sent events, decoded by the SDK's own decoder."""

    def __init__(self, frames: ByteStream, decoder: Any) -> None:
        self.headers = frames.headers
        self._frames = frames
        self._events: AsyncIterator[Any] = decoder.aiter_bytes(self._chunks())

    async def _chunks(self) -> AsyncIterator[bytes]:
        while chunk := await self._frames.read():
            yield chunk

    async def read(self) -> bytes:
        try:
            event = await anext(self._events, None)
        except LLMError:
            raise
        except Exception as error:
            raise UnexpectedModelBehavior(f'A frame of the stream cannot be read: {error}') from error
        return b'' if event is None else f'data: {event.data}\n\n'.encode()

    def progress(self) -> None:
        self._frames.progress()

    async def aclose(self) -> None:
        await self._frames.aclose()
