"""Groq, which speaks Chat Completions in a dialect (https://console.groq.com/docs/api-reference#chat).

Read `model` (the class) and `dialect` (the settings, Groq's native tools, and the responses that Groq sends as errors).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy_names import import_lazily
from .dialect import GroqModelSettings
from .model import GroqModel

if TYPE_CHECKING:
    from ..model_names import GroqModelName

__all__ = ('GroqModel', 'GroqModelName', 'GroqModelSettings')

if not TYPE_CHECKING:  # for a type checker, a module with this function has every name
    __getattr__ = import_lazily(__name__, {'GroqModelName': '.model_names'})
