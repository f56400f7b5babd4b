"""`GroqModel`: the class. The API is in `dialect`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...profiles import ModelProfileSpec
from ...providers import Provider, choose_provider
from ..openai.chat.base import ChatModel
from .dialect import GROQ, GroqModelSettings

if TYPE_CHECKING:
    from ...wire.batch_api import BatchApi


class GroqModel(ChatModel):
    """A model at Groq.

    `provider` is a `Provider` or the name of one; `api_key` is a shortcut for the provider's. Raises `UserError` if the
    key is missing.
    """

    dialect = GROQ
    supported_settings = GROQ.supported
    settings_prefix = 'groq_'
    settings_type = GroqModelSettings
    own_settings = frozenset(GroqModelSettings.__annotations__)

    def __init__(
        self,
        model_name: str,
        *,
        provider: Provider[Any] | str = 'groq',
        api_key: str | None = None,
        settings: GroqModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
    ) -> None:
        super().__init__(model_name, provider=choose_provider(provider, api_key), settings=settings, profile=profile)

    def get_batch_api(self) -> BatchApi:
        from .batch import BATCHES

        return BATCHES
