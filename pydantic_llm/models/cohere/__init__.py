"""Cohere's Chat API, version 2, https://docs.cohere.com/reference/chat.

Read `model` (the card), `encode` (messages to body; past answers are in `encode_response`, what a user sends in
`content`), `options` (tools, output, settings), `decode` (body or events to parts), `serve` (the same from the server's
side). `settings` names the knobs. What models can do is said by `profiles.cohere`.
"""

from __future__ import annotations

from .model import CohereModel
from .settings import CohereModelSettings

__all__ = ('CohereModel', 'CohereModelSettings')
