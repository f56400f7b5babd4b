"""Cohere's Chat API, version 2, https://docs.cohere.com/reference/chat.

Read `model` first, then `encode` (messages to body; past responses are in `encode_response`, the content of users in
`content`) and `decode` (body or events to parts); `serve` is the server's side of both. `settings` names the API's
settings, `options` encodes them, the tools and the output type. The features of models are in `profiles.cohere`.
"""

from __future__ import annotations

from .model import CohereModel
from .settings import CohereModelSettings

__all__ = ('CohereModel', 'CohereModelSettings')
