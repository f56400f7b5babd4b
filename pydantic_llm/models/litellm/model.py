"""`LiteLLMModel` and `LiteLLMRouterModel`: models behind `litellm.acompletion` and `litellm.Router.acompletion`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ...exceptions import UserError
from ...profiles import ModelProfileSpec
from ...providers import ApiKey, Provider
from ...providers.litellm import LiteLLMProvider
from ..openai.chat.base import ChatModel
from ..options import ModelOptions, ServerOptions
from .dialect import LITELLM, LiteLLMModelSettings

if TYPE_CHECKING:
    from litellm.router import Router


class LiteLLMModel(ChatModel):
    """A model behind LiteLLM, by the name that LiteLLM gives it: `anthropic/claude-sonnet-5-5`, `ollama_chat/qwen3`.

    `api_base` and `api_key` are the vendor's URL and key; without them, LiteLLM reads them from the environment. Other
    keyword arguments are settings (`temperature=`) or arguments of LiteLLM's `acompletion` (`api_version=`,
    `aws_region_name=`). `provider` is a `LiteLLMProvider` that has the URL, the key and such arguments.

    `custom_role_conversions` replaces roles: `{'system': 'user'}`. `flatten_messages_as_text=True` sends content as one
    string; by default, only models of Ollama, Groq and Cerebras get strings, for content that is text alone.
    """

    dialect = LITELLM
    supported_settings: ClassVar[frozenset[str]] = LITELLM.supported
    settings_prefix = 'litellm_'
    settings_type: ClassVar[type | None] = LiteLLMModelSettings

    def __init__(
        self,
        model_name: str | None = None,
        *,
        provider: Provider[Any] | str = 'litellm',
        api_key: ApiKey | None = None,
        settings: LiteLLMModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
        **options: Any,
    ) -> None:
        self._litellm_options = {
            name: value
            for name, value in options.items()
            if name not in ServerOptions.__annotations__ and name not in LiteLLMModelSettings.__annotations__
        }
        first = settings if isinstance(settings, Mapping) else ()  # its values come before those of keywords
        given = {*self._litellm_options, *first}
        named: Any = {name: value for name, value in options.items() if name not in given}
        super().__init__(model_name, provider=provider, api_key=api_key, settings=settings, profile=profile, **named)

    def _choose_provider(
        self, provider: Provider[Any] | str, api_key: ApiKey | None, base_url: str | None
    ) -> Provider[Any]:
        options = self._litellm_options
        if isinstance(provider, str) and options:
            return LiteLLMProvider(api_key=api_key, api_base=base_url, **options)
        if options:
            raise UserError(f'{next(iter(options))}= and a ready provider= do not go together: give it to the provider')
        return super()._choose_provider(provider, api_key, base_url)


class LiteLLMRouterModel(LiteLLMModel):
    """A group of models behind LiteLLM's `Router`, by its `model_name` in `model_list`.

    `model_list` lists the deployments and `client_kwargs` has the options of the router, both in LiteLLM's form;
    `router` is a router to use instead of them. The router does not retry unless `client_kwargs` has `num_retries`:
    this library retries. The other parameters are those of `LiteLLMModel`.
    """

    def __init__(
        self,
        model_name: str | None = None,
        model_list: Sequence[Mapping[str, Any]] | None = None,
        client_kwargs: Mapping[str, Any] | None = None,
        *,
        router: Router | None = None,
        settings: LiteLLMModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
        **options: Any,
    ) -> None:
        shared = {name: value for name, value in options.items() if name in ModelOptions.__annotations__}
        own = {name: value for name, value in options.items() if name not in shared}
        provider = LiteLLMProvider(model_list=model_list, client_kwargs=client_kwargs, router=router, **own)
        super().__init__(model_name, provider=provider, settings=settings, profile=profile, **shared)
