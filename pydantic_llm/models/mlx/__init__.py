"""MLX: models in this process on Apple's chips, and on the CPUs of Linux, many requests at once.

Start at `model`; `engine` runs one loaded model, on top of `models.local`. Its runner, `batch`, generates the responses
together, with mlx-lm's own continuous batching: `rows.Row` is one response, and `choose` draws its next tokens.
https://github.com/ml-explore/mlx-lm
"""

from __future__ import annotations

from .model import MLXModel
from .settings import MLXModelSettings

__all__ = ('MLXModel', 'MLXModelSettings')
