"""`MistralModel`: the class, and the URLs that the API cannot fetch. The API is in `dialect`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from ...messages import DocumentUrl, FileUrl
from ...messages.media_types import is_text
from ...profiles import ModelProfileSpec
from ...providers import ApiKey, Provider
from ..openai.chat.base import ChatModel
from ..options import ServerOptions
from .dialect import MISTRAL, MistralModelSettings

if TYPE_CHECKING:
    from ...wire.batch_api import BatchApi
    from ..model_names import MistralModelName


class MistralModel(ChatModel):
    """A model at Mistral.

    `provider` is a `Provider` or the name of one; `api_key` is a shortcut for the provider's. Raises `UserError` if the
    key is missing.
    """

    dialect = MISTRAL
    supported_settings: ClassVar[frozenset[str]] = MISTRAL.supported
    settings_prefix = 'mistral_'
    settings_type: ClassVar[type | None] = MistralModelSettings

    def __init__(
        self,
        model_name: MistralModelName | None = None,
        *,
        provider: Provider[Any] | str = 'mistral',
        api_key: ApiKey | None = None,
        settings: MistralModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
        **options: Unpack[ServerOptions],
    ) -> None:
        super().__init__(model_name, provider=provider, api_key=api_key, settings=settings, profile=profile, **options)

    def must_download(self, url: FileUrl) -> bool:
        """Return whether the file must be sent as bytes. The API fetches images and documents, but no text files."""
        return super().must_download(url) or (isinstance(url, DocumentUrl) and is_text(url.media_type or ''))

    def get_batch_api(self) -> BatchApi:
        from .batch import BATCHES

        return BATCHES
