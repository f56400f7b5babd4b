"""Hugging Face's Inference Providers, its endpoints, and servers of TGI, which speak Chat Completions in a dialect.

https://huggingface.co/docs/inference-providers/tasks/chat-completion. Read `model` (the card) and `dialect` (the
settings, and what TGI sends in its own way). Where a request goes is decided by `providers.huggingface`.
"""

from __future__ import annotations

from .dialect import HuggingFaceModelSettings
from .model import HuggingFaceModel

__all__ = ('HuggingFaceModel', 'HuggingFaceModelSettings')
