"""`CohereModel`: a model behind `POST /v2/chat`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from ...json_types import Json
from ...messages import DocumentUrl, FileUrl
from ...messages.media_types import is_text
from ...profiles import ModelProfileSpec
from ...profiles.cohere import CohereModelProfile
from ...profiles.history import UNKNOWN_SERVER
from ...providers import ApiKey, Provider
from ...streaming.draft import ResponseDraft
from ...wire.model import WireModel
from ...wire.prepare import PreparedRequest
from ...wire.token_count import TokenCountApi
from ..options import ServerOptions
from . import encode
from .decode import CohereDecoder
from .settings import SUPPORTED, CohereModelSettings
from .token_count import encode_token_count, split_text

if TYPE_CHECKING:
    from ..model_names import CohereModelName

HISTORY = replace(
    UNKNOWN_SERVER,
    empty_results=False,
    blank_text='refused',  # Risuai#504
    files_in_results=False,
)
"""What the Chat API accepts in past messages."""


class CohereModel(WireModel[CohereModelProfile]):
    """A model behind Cohere's Chat API.

    `provider` is a `Provider` or the name of one; `api_key` is a shortcut for the provider's. Raises `UserError` if the
    key is missing.
    """

    supported_settings = SUPPORTED
    settings_prefix = 'cohere_'
    settings_type: ClassVar[type | None] = CohereModelSettings
    history_rules = HISTORY
    profile_type = CohereModelProfile
    api_name = 'a chat response'
    token_count_api: ClassVar[TokenCountApi | None] = TokenCountApi(
        encode_token_count, field='tokens', split=split_text, is_estimate=True
    )
    encodes_items = True

    def __init__(
        self,
        model_name: CohereModelName | None = None,
        *,
        provider: Provider[Any] | str = 'cohere',
        api_key: ApiKey | None = None,
        settings: CohereModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
        **options: Unpack[ServerOptions],
    ) -> None:
        super().__init__(model_name, provider=provider, api_key=api_key, settings=settings, profile=profile, **options)

    def path(self, request: PreparedRequest) -> str:
        return '/v2/chat'

    def encode(self, request: PreparedRequest) -> Json:
        return encode.encode(request, self.profile)

    def new_decoder(self, draft: ResponseDraft) -> CohereDecoder:
        return CohereDecoder(draft)

    def must_download(self, url: FileUrl) -> bool:
        """Return whether the file must be sent as bytes. The API fetches images only.

        A document of unknown type may be text, so it is downloaded too. Other files are rejected by `encode`.
        """
        may_be_text = url.media_type is None or is_text(url.media_type)
        return isinstance(url, DocumentUrl) and may_be_text and not url.url.startswith('data:')
