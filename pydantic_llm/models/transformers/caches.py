"""What is kept of a row between two forward passes, besides the cache of the library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..local import Prompt

__all__ = ('Extras', 'StateCache', 'TokensCache')


class StateCache:
    """The place of a cache for a model that returns its state with each output."""

    state: Any = None


class TokensCache:
    """The place of a cache for a model whose cache is not right: the prompt with its response, to read it again."""

    prompt = Prompt(())


@dataclass(slots=True)
class Extras:
    """What the next tokens of one row need besides its cache. A row with extras cannot share a batch.

    Models of the Qwen-VL kind shift the positions after an image. They keep this offset as an attribute of the model,
    `rope_deltas`, for the last batch they read (`Qwen2VLModel.compute_3d_position_ids` in
    models/qwen2_vl/modeling_qwen2_vl.py, transformers 5.24). It is taken out after reading a prompt and put back before
    each of its tokens. Mllama needs a mask over the images for each new token (`prepare_inputs_for_generation` in
    models/mllama/modeling_mllama.py).
    """

    delta: Any
    """The value of `rope_deltas` after the prompt; `None` without an image, and for other models."""
    prompt: Prompt | None
    """The prompt with its response, if new tokens need some of its inputs."""
