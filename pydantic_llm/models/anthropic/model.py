"""`AnthropicModel`: a model behind `POST /v1/messages`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from ...json_types import Json
from ...messages import DocumentUrl, FileUrl
from ...messages.media_types import is_text
from ...profiles import ModelProfileSpec
from ...profiles.anthropic import AnthropicModelProfile
from ...profiles.history import NAME, HistoryRules
from ...providers import ApiKey, Provider
from ...streaming.draft import ResponseDraft
from ...transport import RawRequest
from ...wire.model import CompactionApi, WireModel
from ...wire.prepare import PreparedRequest
from ...wire.token_count import TokenCountApi
from ..options import ServerOptions
from . import encode
from .betas import list_betas
from .compaction import encode_compaction_request
from .decode import AnthropicDecoder
from .options import SIGNED_COMPACTION_BETA
from .settings import SUPPORTED, AnthropicModelSettings
from .token_count import encode_token_count

if TYPE_CHECKING:
    from ...wire.batch_api import BatchApi
    from ..model_names import AnthropicModelName

BETAS_HEADER = 'anthropic-beta'
"""The header that lists betas, separated by commas."""


HISTORY = HistoryRules(
    malformed_arguments=False,
    tool_names=NAME,  # https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools
    given_names=r'[a-zA-Z0-9_-]{1,128}',  # weave-os/router#1219: a longer name is refused
    call_ids=r'[a-zA-Z0-9_-]+',  # maximhq/bifrost#5097
    call_id_format='toolu_{}',
    blank_text='refused',  # claude-code#23369, anthropic-sdk-python#461
    trailing_whitespace=False,  # forgecode#1872, langchain#35073
    compactions='readable',  # https://platform.claude.com/docs/en/build-with-claude/compaction
    files_in_errors=False,  # "all content must be type text if is_error is true": vellum-ai/vellum-assistant#18387
)
"""What the Messages API accepts in past messages."""


class AnthropicModel(WireModel[AnthropicModelProfile]):
    """A model behind the Messages API, of Anthropic or any other server.

    `provider` is a `Provider` or the name of one; `api_key` is a shortcut for the provider's. Raises `UserError` if the
    key is missing.
    """

    supported_settings = SUPPORTED
    settings_prefix = 'anthropic_'
    settings_type: ClassVar[type | None] = AnthropicModelSettings
    history_rules = HISTORY
    profile_type = AnthropicModelProfile
    api_name = 'a message'
    encodes_items = True
    response_fields: ClassVar[Sequence[str]] = ('model_name', 'provider_url')
    token_count_api: ClassVar[TokenCountApi | None] = TokenCountApi(encode_token_count, field='input_tokens')
    compaction_api: ClassVar[CompactionApi | None] = CompactionApi(
        encode_compaction_request, headers={BETAS_HEADER: SIGNED_COMPACTION_BETA}
    )

    def __init__(
        self,
        model_name: AnthropicModelName | None = None,
        *,
        provider: Provider[Any] | str = 'anthropic',
        api_key: ApiKey | None = None,
        settings: AnthropicModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
        **options: Unpack[ServerOptions],
    ) -> None:
        super().__init__(model_name, provider=provider, api_key=api_key, settings=settings, profile=profile, **options)

    def get_batch_api(self) -> BatchApi:
        from .batch import BATCHES

        return BATCHES

    @property
    def max_output_tokens(self) -> int | None:
        return self.profile.max_output_tokens or self.profile.anthropic_max_tokens

    def path(self, request: PreparedRequest) -> str:
        return '/v1/messages'

    def encode(self, request: PreparedRequest) -> Json:
        return encode.encode(request, self.profile)

    def new_decoder(self, draft: ResponseDraft) -> AnthropicDecoder:
        return AnthropicDecoder(draft)

    def must_download(self, url: FileUrl) -> bool:
        """Return whether the file must be sent as bytes. The API fetches images and PDF only.

        A document of unknown type may be text, so it is downloaded too.
        """
        is_readable = url.url.startswith('data:') or not (url.media_type is None or is_text(url.media_type))
        return isinstance(url, DocumentUrl) and not is_readable

    def _encode_request(self, request: PreparedRequest) -> RawRequest:
        """Encode the request. Its header of betas includes those of the client and of the setting `extra_headers`."""
        raw = super()._encode_request(request)
        own = list_betas(request, self.profile)
        names = [*_parse_betas(self.provider.default_headers), *own, *_parse_betas(raw.headers)]
        others = {name: value for name, value in raw.headers.items() if name.lower() != BETAS_HEADER}
        return replace(raw, headers={**others, BETAS_HEADER: ','.join(dict.fromkeys(names))}) if names else raw


def _parse_betas(headers: Mapping[str, Any]) -> list[str]:
    values = (value for name, value in headers.items() if name.lower() == BETAS_HEADER and isinstance(value, str))
    return [beta.strip() for value in values for beta in value.split(',') if beta.strip()]
