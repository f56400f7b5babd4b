"""`OpenAIChatModel`: the Chat Completions API of OpenAI and of the servers that copy it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from ....profiles import ModelProfileSpec
from ....providers import ApiKey, Provider
from ...options import ServerOptions
from .base import ChatModel
from .dialect import OPENAI, Dialect
from .services import SERVICE_SETTINGS, ServiceSettings
from .settings import OpenAIChatModelSettings

if TYPE_CHECKING:
    from ....wire.batch_api import BatchApi
    from ...model_names import OpenAIModelName, OpenAIProviderName


class OpenAIChatModel(ChatModel):
    """A model behind the Chat Completions API, OpenAI's or any other server's.

    `provider` is a `Provider` or the name of one ('openai', 'deepseek', 'ollama', ...); `api_key` is a shortcut for the
    provider's. Raises `UserError` if the key is missing.
    """

    supported_settings: ClassVar[frozenset[str]] = OPENAI.supported
    settings_prefix = 'openai_'
    settings_type: ClassVar[type | None] = OpenAIChatModelSettings
    _service: ServiceSettings | None = None
    _service_names: frozenset[str] = frozenset()

    def __init__(
        self,
        model_name: OpenAIModelName | None = None,
        *,
        provider: Provider[Any] | OpenAIProviderName = 'openai',
        api_key: ApiKey | None = None,
        settings: OpenAIChatModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
        **options: Unpack[ServerOptions],
    ) -> None:
        super().__init__(model_name, provider=provider, api_key=api_key, settings=settings, profile=profile, **options)
        if (service := SERVICE_SETTINGS.get(self.system)) is not None:
            self._service = service
            fields = {**self.dialect.own_settings, **service.fields}
            self._service_names = frozenset({*(self.own_settings or ()), *service.fields})
            self.dialect: Dialect = replace(self.dialect, own_settings=fields)

    def get_batch_api(self) -> BatchApi | None:
        from .batch import BATCH_APIS

        return BATCH_APIS.get(self.system)

    @property
    def setting_prefixes(self) -> tuple[str, ...]:
        prefixes = super().setting_prefixes
        return prefixes if self._service is None else (*prefixes, self._service.prefix)

    @property
    def setting_names(self) -> Collection[str] | None:
        return self._service_names or super().setting_names

    @property
    def setting_types(self) -> tuple[type, ...]:
        return super().setting_types if self._service is None else (self._service.settings_type,)


OpenAIModel = OpenAIChatModel
