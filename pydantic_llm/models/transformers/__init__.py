"""Transformers: models of Hugging Face's in this process, many requests at once.

`model` is the class, `engine` the thread's content: `load` loads, `batch` (with `forward`) and `paged` are two ways of
writing answers together, `choose` chooses their tokens, `rows` is one answer. All else is shared with the other
engines, in `models.local`. https://huggingface.co/docs/transformers
"""

from __future__ import annotations

from .model import TransformersModel
from .settings import TransformersModelSettings

__all__ = ('TransformersModel', 'TransformersModelSettings')
