"""`HuggingFaceModel`: the class. The API is in `dialect`."""

from __future__ import annotations

from typing import Any

from ..._type_checks import check_model_name
from ...profiles import ModelProfileSpec
from ...providers import Provider, choose_provider, infer_provider_class
from ..openai.chat.base import ChatModel
from .dialect import HUGGINGFACE, HuggingFaceModelSettings


class HuggingFaceModel(ChatModel):
    """A model on the Hugging Face Hub, by its name there or by the URL of an endpoint.

    A name may have a suffix that chooses the service: `Qwen/Qwen3-32B:together`, `:fastest`, `:cheapest`. `provider` is
    a `Provider` or the name of one; `api_key` is a shortcut for the provider's. Raises `UserError` if the key is
    missing.
    """

    dialect = HUGGINGFACE
    supported_settings = HUGGINGFACE.supported
    settings_prefix = 'huggingface_'
    settings_type = HuggingFaceModelSettings
    own_settings = frozenset(HuggingFaceModelSettings.__annotations__)

    def __init__(
        self,
        model_name: str,
        *,
        provider: Provider[Any] | str = 'huggingface',
        api_key: str | None = None,
        settings: HuggingFaceModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
    ) -> None:
        check_model_name(model_name)
        if isinstance(provider, str) and model_name.startswith(('http://', 'https://')):
            options = {'base_url': model_name} | ({} if api_key is None else {'api_key': api_key})
            provider = infer_provider_class(provider)(**options)
        else:
            provider = choose_provider(provider, api_key)
        super().__init__(model_name, provider=provider, settings=settings, profile=profile)
