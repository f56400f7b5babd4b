"""Cohere's Chat API, version 2, https://docs.cohere.com/reference/chat.

Read `model` first, then `encode` (messages to body; past responses are in `encode_response`, the content of users in
`content`) and `decode` (body or events to parts); `serve` is the server's side of both. `settings` names the API's
settings, `options` encodes them, the tools and the output type. The features of models are in `profiles.cohere`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy_names import import_lazily
from .model import CohereModel
from .settings import CohereModelSettings

if TYPE_CHECKING:
    from ..model_names import CohereModelName

__all__ = ('CohereModel', 'CohereModelName', 'CohereModelSettings')

if not TYPE_CHECKING:  # for a type checker, a module with this function has every name
    __getattr__ = import_lazily(__name__, {'CohereModelName': '.model_names'})
