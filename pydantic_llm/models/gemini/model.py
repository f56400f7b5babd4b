"""`GeminiModel`: posts to `/models/{model}:generateContent` or `:streamGenerateContent`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Unpack, cast
from urllib.parse import quote, urlsplit

from ...exceptions import LLMError, ModelHTTPError, UserError
from ...json_types import Json
from ...messages import FileUrl, VideoUrl
from ...profiles import ModelProfileSpec
from ...profiles.gemini import VERTEX, GeminiModelProfile
from ...profiles.history import HistoryRules
from ...providers import ApiKey, Provider
from ...retries.budget import Budget
from ...settings import ModelSettings
from ...streaming.draft import ResponseDraft
from ...transport import ByteStream, RawRequest, RawResponse
from ...wire.model import WireModel
from ...wire.prepare import PreparedRequest
from ...wire.token_count import TokenCountApi
from ..options import ServerOptions
from . import encode
from .cached_content import CachedContent, CachedContents, CachedRequest, choose_ttl, is_gone
from .cached_prefix import Prefix, find_prefixes
from .decode import GeminiDecoder
from .options import encode_headers
from .settings import GOOGLE_NAMES, SUPPORTED, GeminiModelSettings
from .token_count import encode_token_count

if TYPE_CHECKING:
    from ...wire.batch_api import BatchApi
    from ..model_names import GeminiModelName, GoogleProviderName

RESOURCE_PREFIXES = ('models/', 'tunedModels/', 'publishers/', 'projects/', 'endpoints/')
"""The first characters of names that are paths already."""

UNSAFE_CHARACTERS = frozenset('?&#%\\ ')
"""Characters that would change the URL of the request."""

READABLE_URL_PREFIXES = ('https://generativelanguage.googleapis.com/', 'gs://', 'data:')
"""The first characters of URLs of files that the Generative Language API reads itself."""


NAMES = r'[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}'
"""The names of functions: gemini-cli#2966, cline#7339. They have at most 64 characters, at Vertex AI 128."""

HISTORY = HistoryRules(
    malformed_arguments=False,
    tool_names=r'[a-zA-Z_][a-zA-Z0-9_-]{0,63}',
    given_names=NAMES,
    blank_text='refused_unsigned',  # CLIProxyAPI#1292; a signature may be on an empty text
    response_first=False,  # the first content must be the user's: semantic-kernel#13288
    response_last=False,  # crewAI#6973, one-api#836
)
"""What the API accepts in past messages."""


class GeminiModel(WireModel[GeminiModelProfile]):
    """A model behind the Gemini API.

    `provider` is `'google-gla'` (the Generative Language API), `'google-vertex'`, or a `Provider`; `api_key` is a
    shortcut for the provider's.
    """

    supported_settings = SUPPORTED
    settings_prefix = 'gemini_'
    settings_type: ClassVar[type | None] = GeminiModelSettings
    history_rules = HISTORY
    profile_type = GeminiModelProfile
    api_name = 'a generateContent response'
    token_count_api: ClassVar[TokenCountApi | None] = TokenCountApi(encode_token_count, field='totalTokens')
    encodes_items = keeps_checks = True

    def __init__(
        self,
        model_name: GeminiModelName | None = None,
        *,
        provider: Provider[Any] | GoogleProviderName = 'google-gla',
        api_key: ApiKey | None = None,
        settings: GeminiModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
        **options: Unpack[ServerOptions],
    ) -> None:
        super().__init__(model_name, provider=provider, api_key=api_key, settings=settings, profile=profile, **options)
        name = self.model_name
        if '..' in name or not UNSAFE_CHARACTERS.isdisjoint(name) or not name.isprintable():
            raise UserError(f'{name!r} is not a valid model name: it would change the URL of the request')
        self._cached_contents = CachedContents(self.provider, name)

    def merged_settings(self, model_settings: ModelSettings | None) -> ModelSettings:
        """Return the merged settings, with Google's names of them replaced by those of this room."""
        merged = super().merged_settings(model_settings)
        if GOOGLE_NAMES.keys().isdisjoint(merged):
            return merged
        renamed = {GOOGLE_NAMES[name]: value for name, value in merged.items() if name in GOOGLE_NAMES}
        return cast('ModelSettings', {**renamed, **{k: v for k, v in merged.items() if k not in GOOGLE_NAMES}})

    def get_history_rules(self) -> HistoryRules:
        rules = super().get_history_rules()
        return rules if self.profile.gemini_system_instruction else replace(rules, system_prompts='never')

    def get_batch_api(self) -> BatchApi | None:
        if self.system == VERTEX:
            return None
        from .batch import make_batch_api

        return make_batch_api(model_path(self.model_name, self.system), urlsplit(self.base_url).path)

    def path(self, request: PreparedRequest) -> str:
        verb = 'streamGenerateContent?alt=sse' if request.stream else 'generateContent'
        return f'/{model_path(self.model_name, self.system)}:{verb}'

    def headers(self, request: PreparedRequest) -> dict[str, str]:
        return encode_headers(request)

    def encode(self, request: PreparedRequest) -> Json:
        return encode.encode(request, self.profile)

    async def make_raw_request(self, request: PreparedRequest, budget: Budget) -> RawRequest:
        """Return the request, whose beginning is a cached content if the setting `cache` asks for one."""
        min_tokens = self.profile.gemini_cache_min_tokens
        if min_tokens is None or 'gemini_cached_content' in request.options or not request.settings.get('cache'):
            return self._encode_request(request)
        with budget.track_time():
            found = await self._find_cached_content(request, min_tokens, budget.seconds_left)
        if found is None:
            return self._encode_request(request)
        prefix, cached = found
        settings = cast('ModelSettings', {**request.settings, 'gemini_cached_content': cached.name})
        short = self._encode_request(replace(request, messages=prefix.rest, settings=settings))
        return CachedRequest(
            short.path,
            short.body,
            short.model_name,
            short.headers,
            short.deadlines,
            cached_name=cached.name,
            make_whole=partial(self._encode_request, request),
        )

    async def _find_cached_content(
        self, request: PreparedRequest, min_tokens: int, seconds: float | None
    ) -> tuple[Prefix, CachedContent] | None:
        """Return the beginning of the request and its cached content; `None` if the request is to be sent whole."""
        prefixes, ttl = find_prefixes(request, self.profile), choose_ttl(request)
        try:
            resource = await self._find_resource_name()
        except LLMError:  # the request will meet the same error, and has retries for it
            return None
        return await self._cached_contents.find(
            prefixes, resource=resource, ttl=ttl, min_tokens=min_tokens, seconds=seconds
        )

    async def _find_resource_name(self) -> str:
        """Return the model's name in a cached content. Vertex AI wants the project and the region before it."""
        from ...providers.google_base import BaseGoogleProvider

        path = model_path(self.model_name, self.system)
        if self.system != VERTEX or path.startswith('projects/') or not isinstance(self.provider, BaseGoogleProvider):
            return path
        access = await self.provider.access(self.model_name, refused=None)
        return f'{access.path_prefix}/{path}'.removeprefix('/')

    async def _send(self, raw: RawRequest) -> RawResponse:
        try:
            return await super()._send(self._without_forgotten(raw))
        except ModelHTTPError as error:
            whole = self._find_whole(raw, error)
        return await super()._send(whole)

    async def _open(self, raw: RawRequest) -> ByteStream:
        try:
            return await super()._open(self._without_forgotten(raw))
        except ModelHTTPError as error:
            whole = self._find_whole(raw, error)
        return await super()._open(whole)

    def _without_forgotten(self, raw: RawRequest) -> RawRequest:
        """Return the whole request if its cached content was forgotten meanwhile."""
        if isinstance(raw, CachedRequest) and not self._cached_contents.has(raw.cached_name):
            return replace(raw.make_whole(), deadlines=raw.deadlines)
        return raw

    def _find_whole(self, raw: RawRequest, error: ModelHTTPError) -> RawRequest:
        """Return the request without its cached content if that is gone; raise any other error."""
        if not (isinstance(raw, CachedRequest) and is_gone(error)):
            raise error
        self._cached_contents.forget(raw.cached_name)
        return replace(raw.make_whole(), deadlines=raw.deadlines)

    async def aclose(self) -> None:
        """Delete the cached contents, and close the connections."""
        await self._cached_contents.delete_all()
        await super().aclose()

    def new_decoder(self, draft: ResponseDraft) -> GeminiDecoder:
        return GeminiDecoder(draft)

    def must_download(self, url: FileUrl) -> bool:
        """Return whether the file must be sent as bytes.

        The Generative Language API reads only files stored at Google and YouTube videos; Vertex AI reads any URL.
        https://ai.google.dev/gemini-api/docs/file-input-methods
        """
        if self.system == VERTEX or url.url.startswith(READABLE_URL_PREFIXES):
            return False
        return not (isinstance(url, VideoUrl) and url.is_youtube)


def model_path(model_name: str, system: str) -> str:
    """Return the model's path below the base URL. A name that is a path already stays as it is."""
    name = quote(model_name, safe='/:@')
    if name.startswith(RESOURCE_PREFIXES):
        return name
    if system != VERTEX:
        return f'models/{name}'
    publisher, slash, rest = name.partition('/')
    return f'publishers/{publisher}/models/{rest}' if slash else f'publishers/google/models/{name}'
