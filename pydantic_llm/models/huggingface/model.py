"""`HuggingFaceModel`: the class. The API is in `dialect`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from ...profiles import ModelProfileSpec
from ...providers import ApiKey, Provider
from ...providers.huggingface import HuggingFaceProvider
from ..openai.chat.base import ChatModel
from ..options import ServerOptions
from .dialect import HUGGINGFACE, HuggingFaceModelSettings

if TYPE_CHECKING:
    from ..model_names import HuggingFaceModelName


class HuggingFaceModel(ChatModel):
    """A model on the Hugging Face Hub, by its name there or by the URL of an endpoint.

    A name may have a suffix that chooses the service: `Qwen/Qwen3-32B:together`, `:fastest`, `:cheapest`. `provider` is
    a `Provider`, or the name of the service (`'together'`, `'novita'`, ...); `api_key` is a shortcut for the
    provider's. Raises `UserError` if the key is missing.
    """

    dialect = HUGGINGFACE
    supported_settings: ClassVar[frozenset[str]] = HUGGINGFACE.supported
    settings_prefix = 'huggingface_'
    settings_type: ClassVar[type | None] = HuggingFaceModelSettings

    def __init__(
        self,
        model_name: HuggingFaceModelName | None = None,
        *,
        provider: Provider[Any] | str = 'huggingface',
        api_key: ApiKey | None = None,
        settings: HuggingFaceModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
        **options: Unpack[ServerOptions],
    ) -> None:
        super().__init__(model_name, provider=provider, api_key=api_key, settings=settings, profile=profile, **options)

    def _choose_provider(
        self, provider: Provider[Any] | str, api_key: ApiKey | None, base_url: str | None
    ) -> Provider[Any]:
        """Return the provider. A name but `'huggingface'` is that of a service, and a URL that of an endpoint."""
        if isinstance(provider, str) and self.model_name.startswith(('http://', 'https://')):
            base_url = base_url or self.model_name
        if isinstance(provider, str) and provider != 'huggingface':
            return HuggingFaceProvider(api_key=api_key, base_url=base_url, provider_name=provider)
        return super()._choose_provider(provider, api_key, base_url)
