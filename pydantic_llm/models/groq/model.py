"""`GroqModel`: the class. The API is in `dialect`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from ...profiles import ModelProfileSpec
from ...providers import ApiKey, Provider
from ..openai.chat.base import ChatModel
from ..options import ServerOptions
from .dialect import GROQ, GroqModelSettings

if TYPE_CHECKING:
    from ...wire.batch_api import BatchApi
    from ..model_names import GroqModelName


class GroqModel(ChatModel):
    """A model at Groq.

    `provider` is a `Provider` or the name of one; `api_key` is a shortcut for the provider's. Raises `UserError` if the
    key is missing.
    """

    dialect = GROQ
    supported_settings: ClassVar[frozenset[str]] = GROQ.supported
    settings_prefix = 'groq_'
    settings_type: ClassVar[type | None] = GroqModelSettings

    def __init__(
        self,
        model_name: GroqModelName | None = None,
        *,
        provider: Provider[Any] | str = 'groq',
        api_key: ApiKey | None = None,
        settings: GroqModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
        **options: Unpack[ServerOptions],
    ) -> None:
        super().__init__(model_name, provider=provider, api_key=api_key, settings=settings, profile=profile, **options)

    def get_batch_api(self) -> BatchApi:
        from .batch import BATCHES

        return BATCHES
