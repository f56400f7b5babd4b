"""`OpenAIChatModel`: the Chat Completions API of OpenAI and of the servers that copy it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....profiles import ModelProfileSpec
from ....providers import Provider, choose_provider
from .base import ChatModel
from .dialect import OPENAI
from .settings import OpenAIChatModelSettings

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class OpenAIChatModel(ChatModel):
    """A model behind the Chat Completions API, OpenAI's or any other server's.

    `provider` is a `Provider` or the name of one ('openai', 'deepseek', 'ollama', ...); `api_key` is a shortcut for the
    provider's. Raises `UserError` if the key is missing.
    """

    supported_settings = OPENAI.supported
    settings_prefix = 'openai_'
    settings_type = OpenAIChatModelSettings
    own_settings = frozenset(OpenAIChatModelSettings.__annotations__)

    def __init__(
        self,
        model_name: str,
        *,
        provider: Provider[AsyncOpenAI] | str = 'openai',
        api_key: str | None = None,
        settings: OpenAIChatModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
    ) -> None:
        super().__init__(model_name, provider=choose_provider(provider, api_key), settings=settings, profile=profile)


OpenAIModel = OpenAIChatModel
