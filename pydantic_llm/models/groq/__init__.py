"""Groq, which speaks Chat Completions in a dialect (https://console.groq.com/docs/api-reference#chat).

Read `model` (the card) and `dialect` (the settings, Groq's own tools, and what Groq refuses to call an answer).
"""

from __future__ import annotations

from .dialect import GroqModelSettings
from .model import GroqModel

__all__ = ('GroqModel', 'GroqModelSettings')
