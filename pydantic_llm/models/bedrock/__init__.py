"""The Converse API, https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.

Read `model` first, then `encode` (messages to body) and `decode` (body or events to parts); `serve` is the server's
side of both. `turns` arranges the encoded turns as each family of models requires; `settings` names the API's settings,
`options` encodes them, the tools and the output type. `native_tools` are the tools that models run themselves. The
features of models are in `profiles.bedrock`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy_names import import_lazily
from .model import BedrockConverseModel
from .settings import BedrockModelSettings

if TYPE_CHECKING:
    from ..model_names import BedrockModelName

__all__ = ('BedrockConverseModel', 'BedrockModelName', 'BedrockModelSettings')

if not TYPE_CHECKING:  # for a type checker, a module with this function has every name
    __getattr__ = import_lazily(__name__, {'BedrockModelName': '.model_names'})
