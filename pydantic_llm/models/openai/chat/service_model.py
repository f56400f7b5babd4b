"""`ServiceModel`: `OpenAIChatModel` with another default provider, for the classes that are named after a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from ....profiles import ModelProfileSpec
from ....providers import ApiKey, Provider
from ...options import ServerOptions
from .model import OpenAIChatModel
from .settings import OpenAIChatModelSettings

if TYPE_CHECKING:
    from ...model_names import OpenAIModelName, OpenAIProviderName

__all__ = ('ServiceModel',)


class ServiceModel(OpenAIChatModel):
    """A model of one service. Takes what `OpenAIChatModel` takes."""

    service: ClassVar[str]
    """The name of the provider that is used by default."""

    def __init__(
        self,
        model_name: OpenAIModelName | None = None,
        *,
        provider: Provider[Any] | OpenAIProviderName | None = None,
        api_key: ApiKey | None = None,
        settings: OpenAIChatModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
        **options: Unpack[ServerOptions],
    ) -> None:
        chosen = self.service if provider is None else provider
        super().__init__(model_name, provider=chosen, api_key=api_key, settings=settings, profile=profile, **options)
