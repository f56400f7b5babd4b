"""The knobs that this engine adds to the shared ones, after https://docs.vllm.ai/en/latest/api/vllm/sampling_params."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...settings import ModelSettings

__all__ = ('VLLMModelSettings',)


class VLLMModelSettings(ModelSettings, total=False):
    """Settings of one request to a model that vLLM runs."""

    vllm_min_p: float
    """Choose among the tokens that are at least this share as likely as the likeliest, 0 to 1."""

    vllm_repetition_penalty: float
    """Above 1: less of what stands in the prompt or the answer already."""

    vllm_min_tokens: int
    """The answer doesn't end before it has so many tokens."""

    vllm_stop_token_ids: Sequence[int]
    """The answer ends at any of these tokens, which is not shown."""

    vllm_bad_words: Sequence[str]
    """Words that the answer must not hold."""

    vllm_allowed_token_ids: Sequence[int]
    """The tokens that the answer may be made of."""

    vllm_thinking_token_budget: int
    """How many tokens a model may think, for models that vLLM was given a `reasoning_parser` for."""

    vllm_sampling_params: Mapping[str, Any]
    """Other fields of vLLM's `SamplingParams`, by name."""
