"""Mistral, which speaks Chat Completions in a dialect (https://docs.mistral.ai/api/endpoint/chat).

Read `model` (the class), `dialect` (the settings and the differences from OpenAI's API) and `content` (the order and
the chunks of messages). `serve` is the same API from the server's side.
"""

from __future__ import annotations

from .dialect import MistralModelSettings
from .model import MistralModel

__all__ = ('MistralModel', 'MistralModelSettings')
