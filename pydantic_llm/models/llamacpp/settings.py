"""Settings that only this engine has."""

from __future__ import annotations

from ...settings import ModelSettings

__all__ = ('LlamaCppModelSettings',)


class LlamaCppModelSettings(ModelSettings, total=False):
    """Settings of one request to a model that llama.cpp runs."""

    llamacpp_min_p: float
    """Choose among the tokens whose probability is at least this share of the highest one, 0 to 1."""
    llamacpp_adapter: str | None
    """The adapter that generates the response: a name of the model's `adapters`."""
    llamacpp_repetition_penalty: float
    """Above 1: make tokens that the prompt or the response already contains less likely."""
