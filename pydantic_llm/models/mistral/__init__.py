"""Mistral, which speaks Chat Completions in a dialect (https://docs.mistral.ai/api/endpoint/chat).

Read `model` (the card), `dialect` (the settings, and what becomes of a body) and `content` (messages, in the order and
with the chunks of Mistral's). `serve` is the same from the server's side.
"""

from __future__ import annotations

from .dialect import MistralModelSettings
from .model import MistralModel

__all__ = ('MistralModel', 'MistralModelSettings')
