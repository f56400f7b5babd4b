"""LiteLLM, which speaks Chat Completions in a dialect, as a function: https://docs.litellm.ai/docs/completion/input.

Read `model` (the cards) and `dialect` (the settings, and the thoughts that go back with their signatures). How LiteLLM
is called, and what its errors mean, stands in `providers.litellm`.
"""

from __future__ import annotations

from .dialect import LiteLLMModelSettings
from .model import LiteLLMModel, LiteLLMRouterModel

__all__ = ('LiteLLMModel', 'LiteLLMModelSettings', 'LiteLLMRouterModel')
