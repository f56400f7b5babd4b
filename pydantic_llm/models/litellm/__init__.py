"""LiteLLM, which speaks Chat Completions in a dialect, as a function: https://docs.litellm.ai/docs/completion/input.

Read `model` (the classes) and `dialect` (the settings, and signed thinking). `providers.litellm` calls LiteLLM and
translates its errors.
"""

from __future__ import annotations

from .dialect import LiteLLMModelSettings
from .model import LiteLLMModel, LiteLLMRouterModel

__all__ = ('LiteLLMModel', 'LiteLLMModelSettings', 'LiteLLMRouterModel')
