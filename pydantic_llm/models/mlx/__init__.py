"""MLX: models in this process on Apple's chips, and on the CPUs of Linux, many requests at once.

`model` is the model class, `settings` its settings, `engine` runs one loaded model in a thread of its own, `load` loads
the weights, `library` imports MLX and mlx-lm. The runner in `batch` generates the responses together, with mlx-lm's own
continuous batching; it keeps one `rows.Row` per response, and `choose` draws the next tokens.

These file names have the same meaning in `models.transformers` and `models.vllm`; a file that is missing there is the
library's own work. What all engines share is in `models.local`. https://github.com/ml-explore/mlx-lm
"""

from __future__ import annotations

from .model import MLXModel
from .settings import MLXModelSettings

__all__ = ('MLXModel', 'MLXModelSettings')
