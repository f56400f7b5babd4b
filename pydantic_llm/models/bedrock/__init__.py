"""The Converse API, https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.

Read `model` (the card), `encode` (messages to body), `decode` (body or events to parts), `serve` (the same from the
server's side). `turns` arranges what `encode` made as each family of models wants it; `settings` names the knobs,
`native_tools` the tools that models run themselves. What models can do is said by `profiles.bedrock`.
"""

from __future__ import annotations

from .model import BedrockConverseModel
from .settings import BedrockModelSettings

__all__ = ('BedrockConverseModel', 'BedrockModelSettings')
