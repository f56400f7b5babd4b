"""Hugging Face's Inference Providers, its endpoints, and servers of TGI, which speak Chat Completions in a dialect.

https://huggingface.co/docs/inference-providers/tasks/chat-completion. Read `model` (the class) and `dialect`
(the settings, and the forms that only TGI sends). `providers.huggingface` chooses the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy_names import import_lazily
from .dialect import HuggingFaceModelSettings
from .model import HuggingFaceModel

if TYPE_CHECKING:
    from ..model_names import HuggingFaceModelName

__all__ = ('HuggingFaceModel', 'HuggingFaceModelName', 'HuggingFaceModelSettings')

if not TYPE_CHECKING:  # for a type checker, a module with this function has every name
    __getattr__ = import_lazily(__name__, {'HuggingFaceModelName': '.model_names'})
