"""Hugging Face's Inference Providers, its endpoints, and servers of TGI, which speak Chat Completions in a dialect.

https://huggingface.co/docs/inference-providers/tasks/chat-completion. Read `model` (the class) and `dialect`
(the settings, and the forms that only TGI sends). `providers.huggingface` chooses the server.
"""

from __future__ import annotations

from .dialect import HuggingFaceModelSettings
from .model import HuggingFaceModel

__all__ = ('HuggingFaceModel', 'HuggingFaceModelSettings')
