"""`LiteLLMModel` and `LiteLLMRouterModel`: models behind `litellm.acompletion` and `litellm.Router.acompletion`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...exceptions import UserError
from ...json_types import Json
from ...profiles import ModelProfile, ModelProfileSpec
from ...providers import Provider, infer_provider_class
from ...providers.litellm import LiteLLMProvider
from ...settings import ModelSettings, merge_model_settings
from ..openai.chat.base import ChatModel
from .dialect import LITELLM, LiteLLMModelSettings

if TYPE_CHECKING:
    from litellm.router import Router


SMOLAGENTS_ROLES = {'tool-call': 'assistant', 'tool-response': 'tool'}
"""smolagents' names of roles -> the API's: https://huggingface.co/docs/smolagents/reference/models"""


class LiteLLMModel(ChatModel):
    """A model behind LiteLLM, by the name that LiteLLM gives it: `anthropic/claude-sonnet-5-5`, `ollama_chat/qwen3`.

    `api_base` and `api_key` are the vendor's URL and key; without them, LiteLLM reads them from the environment. Other
    keyword arguments are settings (`temperature=`) or arguments of LiteLLM's `acompletion` (`api_version=`,
    `aws_region_name=`). `provider` is a `LiteLLMProvider` that has the URL, the key and such arguments.

    `custom_role_conversions` replaces roles: `{'system': 'user'}`. `flatten_messages_as_text=True` sends content as one
    string; by default, only models of Ollama, Groq and Cerebras get strings, for content that is text alone.
    """

    dialect = LITELLM
    supported_settings = LITELLM.supported
    settings_prefix = 'litellm_'
    settings_type = LiteLLMModelSettings
    own_settings = frozenset(LiteLLMModelSettings.__annotations__)

    def __init__(
        self,
        model_id: str,
        *,
        provider: Provider[Any] | str = 'litellm',
        api_base: str | None = None,
        api_key: str | None = None,
        settings: LiteLLMModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
        custom_role_conversions: Mapping[str, str] | None = None,
        flatten_messages_as_text: bool | None = None,
        **kwargs: Any,
    ) -> None:
        options = {name: value for name, value in kwargs.items() if name not in ModelSettings.__annotations__}
        options |= {name: value for name, value in (('api_base', api_base), ('api_key', api_key)) if value is not None}
        if isinstance(provider, str):
            provider = infer_provider_class(provider)(**options)
        elif options:
            raise UserError(f'{next(iter(options))}= and a ready provider= do not go together: give it to the provider')
        self._message_facts = _collect_message_facts(custom_role_conversions, flatten_messages_as_text)
        named: Any = {name: value for name, value in kwargs.items() if name not in options}
        super().__init__(model_id, provider=provider, settings=merge_model_settings(named, settings), profile=profile)

    def _own_profile(self) -> ModelProfile:
        return super()._own_profile().merge(self._message_facts)


class LiteLLMRouterModel(LiteLLMModel):
    """A group of models behind LiteLLM's `Router`, by its `model_name` in `model_list`.

    `model_list` lists the deployments and `client_kwargs` has the options of the router, both in LiteLLM's form;
    `router` is a router to use instead of them. The router does not retry unless `client_kwargs` has `num_retries`:
    this library retries. The other parameters are those of `LiteLLMModel`.
    """

    def __init__(
        self,
        model_id: str,
        model_list: Sequence[Mapping[str, Any]] | None = None,
        client_kwargs: Mapping[str, Any] | None = None,
        *,
        router: Router | None = None,
        settings: LiteLLMModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
        custom_role_conversions: Mapping[str, str] | None = None,
        flatten_messages_as_text: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            model_id,
            provider=LiteLLMProvider(model_list=model_list, client_kwargs=client_kwargs, router=router, **kwargs),
            settings=settings,
            profile=profile,
            custom_role_conversions=custom_role_conversions,
            flatten_messages_as_text=flatten_messages_as_text,
        )


def _collect_message_facts(roles: Mapping[str, str] | None, flatten: bool | None) -> Json:
    """Return the arguments about the form of messages as fields of a profile."""
    facts: Json = {}
    if roles:
        facts['openai_role_conversions'] = {
            SMOLAGENTS_ROLES.get(name, name): SMOLAGENTS_ROLES.get(other, other) for name, other in roles.items()
        }
    if flatten is not None:
        facts['openai_flatten_content'] = flatten
    return facts
