"""Groq, which speaks Chat Completions in a dialect (https://console.groq.com/docs/api-reference#chat).

Read `model` (the class) and `dialect` (the settings, Groq's native tools, and the responses that Groq sends as errors).
"""

from __future__ import annotations

from .dialect import GroqModelSettings
from .model import GroqModel

__all__ = ('GroqModel', 'GroqModelSettings')
