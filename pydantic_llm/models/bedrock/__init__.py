"""The Converse API, https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.

Read `model` first, then `encode` (messages to body) and `decode` (body or events to parts); `serve` is the server's
side of both. `turns` arranges the encoded turns as each family of models requires; `settings` names the API's settings,
`options` encodes them, the tools and the output type. `native_tools` are the tools that models run themselves. The
features of models are in `profiles.bedrock`.
"""

from __future__ import annotations

from .model import BedrockConverseModel
from .settings import BedrockModelSettings

__all__ = ('BedrockConverseModel', 'BedrockModelSettings')
