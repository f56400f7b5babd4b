"""Settings that only this engine has."""

from __future__ import annotations

from ...settings import ModelSettings

__all__ = ('MLXModelSettings',)


class MLXModelSettings(ModelSettings, total=False):
    """Settings of one request to a model that MLX runs."""

    mlx_min_p: float
    """Choose among the tokens whose probability is at least this share of the highest one, 0 to 1."""
    mlx_adapter: str | None
    """The adapter that generates the response: a name of the model's `adapters`."""
    mlx_repetition_penalty: float
    """Above 1: make tokens that the prompt or the response already contains less likely."""
