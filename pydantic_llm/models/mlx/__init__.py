"""MLX: models in this process on Apple's chips, and on the CPUs of Linux, many requests at once.

`model` is the class, `engine` the thread's content: `load` loads, `batch` writes answers together by mlx-lm's own
continuous batching, `rows` is one answer and what its settings do to logits, `choose` draws tokens. All else is shared
with the other engines, in `models.local`. https://github.com/ml-explore/mlx-lm
"""

from __future__ import annotations

from .model import MLXModel
from .settings import MLXModelSettings

__all__ = ('MLXModel', 'MLXModelSettings')
