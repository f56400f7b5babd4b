"""Transformers: models of the Hugging Face hub in this process, many requests at once.

Start at `model`; `engine` runs one loaded model, on top of `models.local`. Two runners generate the responses together:
`batch`, a padded batch of ours (`forward` calls the model itself), and `paged`, the library's continuous batching. Both
keep one `rows.Row` per response and select the next tokens with `choose`. https://huggingface.co/docs/transformers
"""

from __future__ import annotations

from .model import TransformersModel
from .settings import TransformersModelSettings

__all__ = ('TransformersModel', 'TransformersModelSettings')
