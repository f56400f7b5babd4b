"""Mistral, which speaks Chat Completions in a dialect (https://docs.mistral.ai/api/endpoint/chat).

Read `model` (the class), `dialect` (the settings and the differences from OpenAI's API) and `content` (the order and
the chunks of messages). `serve` is the same API from the server's side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy_names import import_lazily
from .dialect import MistralModelSettings
from .model import MistralModel

if TYPE_CHECKING:
    from ..model_names import MistralModelName

__all__ = ('MistralModel', 'MistralModelName', 'MistralModelSettings')

if not TYPE_CHECKING:  # for a type checker, a module with this function has every name
    __getattr__ = import_lazily(__name__, {'MistralModelName': '.model_names'})
