"""Settings that only this engine has, after https://docs.vllm.ai/en/latest/api/vllm/sampling_params."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...settings import ModelSettings

__all__ = ('VLLMModelSettings',)


class VLLMModelSettings(ModelSettings, total=False):
    """Settings of one request to a model that vLLM runs."""

    vllm_min_p: float
    """Choose among the tokens whose probability is at least this share of the highest one, 0 to 1."""
    vllm_adapter: str | None
    """The adapter that generates the response: a name of the model's `adapters`."""
    vllm_repetition_penalty: float
    """Above 1: make tokens that the prompt or the response already contains less likely."""
    vllm_min_tokens: int
    """The response has at least this many tokens."""
    vllm_stop_token_ids: Sequence[int]
    """Tokens that end the response. The token itself is not part of its text."""
    vllm_bad_words: Sequence[str]
    """Words that the response must not contain."""
    vllm_allowed_token_ids: Sequence[int]
    """The only tokens that the response may contain."""
    vllm_thinking_token_budget: int
    """Maximum number of thinking tokens. Needs a `reasoning_parser` in `model_kwargs`."""
    vllm_sampling_params: Mapping[str, Any]
    """Other fields of vLLM's `SamplingParams`, by name."""
