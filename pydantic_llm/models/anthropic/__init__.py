"""The Messages API, https://platform.claude.com/docs/en/api/messages.

Read `model` (the card), `encode` (messages to body), `decode` (body or events to parts), `serve` (the same from the
server's side). `settings` names the knobs, `native_tools` the tools that Anthropic runs itself. What models can do is
said by `profiles.anthropic`.
"""

from __future__ import annotations

from .model import AnthropicModel
from .settings import AnthropicModelSettings

__all__ = ('AnthropicModel', 'AnthropicModelSettings')
