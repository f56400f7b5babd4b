"""The knobs that this engine adds to the shared ones."""

from __future__ import annotations

from ...settings import ModelSettings

__all__ = ('MLXModelSettings',)


class MLXModelSettings(ModelSettings, total=False):
    """Settings of one request to a model that MLX runs."""

    mlx_min_p: float
    """Choose among the tokens that are at least this share as likely as the likeliest, 0 to 1."""

    mlx_repetition_penalty: float
    """Above 1: less of what stands in the prompt or the answer already."""
