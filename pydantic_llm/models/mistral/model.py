"""`POST /v1/chat/completions` at Mistral: the card."""

from __future__ import annotations

from typing import Any

from ...messages import DocumentUrl, FileUrl
from ...messages.content import is_text
from ...profiles import ModelProfileSpec
from ...providers import Provider, choose_provider
from ...wire.prepare import PreparedRequest
from ..openai.chat.base import ChatModel
from .dialect import MISTRAL, MistralModelSettings


class MistralModel(ChatModel):
    """A model at Mistral.

    `provider` is a `Provider` or the name of one; `api_key` is a shortcut for the provider's. Raises `UserError` where
    the key is missing.
    """

    dialect = MISTRAL
    """How Mistral's API differs from OpenAI's."""
    supported_settings = MISTRAL.supported
    settings_prefix = 'mistral_'
    own_settings = frozenset(MistralModelSettings.__annotations__)

    def __init__(
        self,
        model_name: str,
        *,
        provider: Provider[Any] | str = 'mistral',
        api_key: str | None = None,
        settings: MistralModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
    ) -> None:
        super().__init__(model_name, provider=choose_provider(provider, api_key), settings=settings, profile=profile)

    def path(self, request: PreparedRequest) -> str:
        """Where the request goes."""
        return '/v1/chat/completions'

    def must_download(self, url: FileUrl) -> bool:
        """The API reads images and documents by their address. A text file goes as text."""
        return super().must_download(url) or (isinstance(url, DocumentUrl) and is_text(url.media_type or ''))
