"""The provider of Anthropic, of any server that speaks its API, and of its models at Amazon, Google and Microsoft."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .._extras import import_extra
from ..exceptions import LLMError, UnexpectedModelBehavior, UserError
from ..profiles import ModelProfile
from ..profiles.anthropic import ANTHROPIC, BEDROCK, MANTLE, VERTEX, ClaudeHost, anthropic_model_profile
from ..transport import ByteStream, RawRequest
from ..transport.called_keys import ApiKey, CalledKey
from ..transport.loops import LoopClients
from ..transport.pools import SdkClients
from ..transport.sdk import SDKConnection
from ..transport.spread import spread_over_pools
from .credentials import check_alone, check_http_client, check_key, read_key, read_url
from .provider import SDKProvider
from .vendor import Vendor

if TYPE_CHECKING:
    import httpx
    import httpx2
    from anthropic import AsyncAnthropic
    from anthropic.lib.bedrock import AsyncAnthropicBedrock, AsyncAnthropicBedrockMantle
    from anthropic.lib.vertex import AsyncAnthropicVertex

    AnyClient = AsyncAnthropic | AsyncAnthropicBedrock | AsyncAnthropicBedrockMantle | AsyncAnthropicVertex

__all__ = ('AnthropicProvider',)

KEY_VARIABLE, TOKEN_VARIABLE = 'ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN'

ANTHROPIC_API = Vendor(
    name='anthropic',
    base_url='https://api.anthropic.com',
    headers={'Accept': 'application/json', 'anthropic-version': '2026-10-21'},
    custom_headers_variable='ANTHROPIC_CUSTOM_HEADERS',
)

SDK_CREDENTIALS = ('ANTHROPIC_PROFILE', 'ANTHROPIC_FEDERATION_RULE_ID')
"""The variables that name a profile of the SDK, or a rule of workload identity. The SDK obtains a token for either.

https://platform.claude.com/docs/en/manage-claude/workload-identity-federation
"""

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


class AnthropicProvider(SDKProvider['AnyClient']):
    """Anthropic. The `anthropic` package is needed only for its profiles and for workload identity.

    With a `base_url` of another server (or `ANTHROPIC_BASE_URL`) no key is needed. `anthropic_client` takes a ready
    client of that package, which then sends the requests: `AsyncAnthropic`, or the client of another vendor
    (`AsyncAnthropicBedrock`, `AsyncAnthropicVertex`, `AsyncAnthropicFoundry`, ...). `http_client` takes an
    `httpx2.AsyncClient` or `httpx.AsyncClient`. Raises a `UserError` for a missing key, and for a key or a URL that is
    invalid.
    """

    _host: ClaudeHost | None = None

    def __init__(
        self,
        *,
        api_key: ApiKey | None = None,
        base_url: str | None = None,
        anthropic_client: AnyClient | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        if anthropic_client is not None:
            check_alone('anthropic_client=', api_key, base_url, http_client)
            self._use_anthropic_client(_check_is_async(anthropic_client))
            return
        url = read_url(base_url, variables=('ANTHROPIC_BASE_URL',), provider=self.name, drop=('/v1',))
        if api_key is None and base_url is None and _has_sdk_credentials():
            client = _make_client(url, http_client, {})
            self._use_anthropic_client(spread_over_pools(client) if http_client is None else client)
            return
        credentials = self._choose_credentials(api_key, needs_key=url is None)
        [key] = credentials.values()
        access = ANTHROPIC_API.make_access(url, key)
        self._use_access(access, http_client, lambda: _make_client(url, http_client, credentials))

    def _use_anthropic_client(self, client: AnyClient) -> None:
        sdk = import_extra('anthropic', extra='anthropic', what='anthropic_client=')
        kinds = {kind.__name__ for kind in type(client).__mro__}
        connection = BedrockConnection if 'AsyncAnthropicBedrock' in kinds else SDKConnection
        clients = LoopClients[Any](client, SdkClients())
        rewrites_body = not kinds.isdisjoint(REWRITE_BODIES)
        self._use_client(client, connection(clients, sdk, provider_name=self.name, rewrites_body=rewrites_body))
        self._host = next((host for name, host in HOSTS.items() if name in kinds), None)
        # The clients that rewrite the body refuse batches: anthropic/lib/{bedrock,vertex}/_client.py
        self.has_batches: bool = not rewrites_body

    def _choose_credentials(self, api_key: ApiKey | None, *, needs_key: bool) -> dict[str, str | CalledKey]:
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


def _has_sdk_credentials() -> bool:
    """Return whether the environment has no key, but names credentials that only the SDK can obtain."""
    if any(os.environ.get(variable) for variable in (KEY_VARIABLE, TOKEN_VARIABLE)):
        return False
    return any(os.environ.get(variable) for variable in SDK_CREDENTIALS)


def _make_client(url: str | None, http_client: Any, credentials: Mapping[str, Any]) -> AnyClient:
    """Make the SDK's client, without retries. Without credentials, it finds them itself."""
    what = 'AnthropicProvider.client' if credentials else f'Credentials of {" or ".join(SDK_CREDENTIALS)}'
    sdk = import_extra('anthropic', extra='anthropic', what=what)
    http = check_http_client(http_client, library='httpx2', package='anthropic')
    try:
        client: AnyClient = sdk.AsyncAnthropic(base_url=url, http_client=http, max_retries=0, **credentials)
    except sdk.AnthropicError as error:
        raise UserError(f"The credentials of 'anthropic' cannot be used: {error}") from error
    return client


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
        self._events: AsyncIterator[Any] = decoder.aiter_bytes(self._iter_chunks())

    async def _iter_chunks(self) -> AsyncIterator[bytes]:
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

    def begin(self) -> None:
        self._frames.begin()

    def progress(self) -> None:
        self._frames.progress()

    def keep_waiting(self) -> None:
        self._frames.keep_waiting()

    async def aclose(self) -> None:
        await self._frames.aclose()
