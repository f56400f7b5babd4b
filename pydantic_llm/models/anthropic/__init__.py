"""The Messages API, https://platform.claude.com/docs/en/api/messages.

Read `model` first, then `encode` (messages to body) and `decode` (body or events to parts); `serve` is the server's
side of both. `settings` names the API's settings, `options` encodes them, the tools and the output type.
`native_tools` are the tools that Anthropic runs itself. The features of models are in `profiles.anthropic`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy_names import import_lazily
from .model import AnthropicModel
from .settings import AnthropicModelSettings

if TYPE_CHECKING:
    from ..model_names import AnthropicModelName

__all__ = ('AnthropicModel', 'AnthropicModelName', 'AnthropicModelSettings')

if not TYPE_CHECKING:  # for a type checker, a module with this function has every name
    __getattr__ = import_lazily(__name__, {'AnthropicModelName': '.model_names'})
