"""Transformers: models of the Hugging Face hub in this process, many requests at once.

`model` is the model class, `settings` its settings, `engine` runs one loaded model in a thread of its own, `load` loads
the weights, `library` imports torch and transformers. Two runners generate the responses together: `batch`, a padded
batch of ours (on top of `forward`, the calls of the model itself), and `paged`, the library's continuous batching.
Both keep one `rows.Row` per response and select the next tokens with `choose`.

These file names have the same meaning in `models.mlx` and `models.vllm`; a file that is missing there is the library's
own work. What all engines share is in `models.local`. https://huggingface.co/docs/transformers
"""

from __future__ import annotations

from .model import TransformersModel
from .settings import TransformersModelSettings

__all__ = ('TransformersModel', 'TransformersModelSettings')
