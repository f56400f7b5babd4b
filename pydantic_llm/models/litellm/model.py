"""`litellm.acompletion` and `litellm.Router.acompletion`: the cards."""

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


ROLES = {'tool-call': 'assistant', 'tool-response': 'tool'}
"""What smolagents calls roles, where others have another name."""


class LiteLLMModel(ChatModel):
    """A model behind LiteLLM, by the name that LiteLLM gives it: `anthropic/claude-sonnet-4-5`, `ollama_chat/qwen3`.

    `api_base` and `api_key` say where the vendor is and who asks; without them, LiteLLM looks into the environment.
    Settings can follow by name (`temperature=`), and whatever else LiteLLM's `acompletion` takes (`api_version=`,
    `aws_region_name=`). `provider` is a `LiteLLMProvider` with the last of these.

    `custom_role_conversions` has other names for roles: `{'system': 'user'}`. `flatten_messages_as_text` sends content
    as one string; without a word, models of Ollama, Groq and Cerebras get strings where there is nothing but text.
    """

    dialect = LITELLM
    """How what LiteLLM takes and gives differs from OpenAI's API."""
    supported_settings = LITELLM.supported
    settings_prefix = 'litellm_'
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
        self._forms = _forms(custom_role_conversions, flatten_messages_as_text)
        said: Any = {name: value for name, value in kwargs.items() if name not in options}
        super().__init__(model_id, provider=provider, settings=merge_model_settings(said, settings), profile=profile)

    def _own_profile(self) -> ModelProfile:
        return super()._own_profile().merge(self._forms)


class LiteLLMRouterModel(LiteLLMModel):
    """A group of models behind LiteLLM's `Router`, by the name that `model_list` gives it.

    `model_list` lists deployments, and `client_kwargs` has the router's own options, both in LiteLLM's words; `router`
    takes a ready one in their place. The router does not retry unless `client_kwargs` says so (`num_retries`), since
    this library does. The other parameters are those of `LiteLLMModel`.
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


def _forms(roles: Mapping[str, str] | None, flatten: bool | None) -> Json:
    """What was said of the form of messages, as fields of a profile."""
    forms: Json = {}
    if roles:
        forms['openai_role_conversions'] = {
            ROLES.get(name, name): ROLES.get(other, other) for name, other in roles.items()
        }
    if flatten is not None:
        forms['openai_flatten_content'] = flatten
    return forms
