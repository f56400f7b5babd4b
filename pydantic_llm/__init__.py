"""One typed, async interface to every language model, remote or in this process.

The front door: every name is imported on first use, so that `import pydantic_llm` is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agent import (
        Agent,
        AgentRunResult,
        NativeOutput,
        PromptedOutput,
        RunContext,
        StreamedRunResult,
        TextOutput,
        ToolOutput,
        capture_run_messages,
    )
    from .exceptions import (
        ContentFilterError,
        FallbackExceptionGroup,
        LLMError,
        ModelAPIError,
        ModelHTTPError,
        ModelRetry,
        ModelTimeoutError,
        UnexpectedModelBehavior,
        UsageLimitExceeded,
        UserError,
    )
    from .messages import (
        AudioUrl,
        BinaryContent,
        CachePoint,
        DocumentUrl,
        ImageUrl,
        ModelMessage,
        ModelMessagesTypeAdapter,
        ModelRequest,
        ModelResponse,
        TextPart,
        ThinkingPart,
        ToolCallPart,
        ToolReturn,
        UploadedFile,
        VideoUrl,
    )
    from .models import Model, ModelRequestParameters, StreamedResponse, infer_model
    from .settings import ModelSettings
    from .tools import Tool, ToolDefinition
    from .usage import RequestUsage, RunUsage, UsageLimits

__version__ = '0.1.0'
"""The version of the package."""

__all__ = (
    'Agent',
    'AgentRunResult',
    'AudioUrl',
    'BinaryContent',
    'CachePoint',
    'ContentFilterError',
    'DocumentUrl',
    'FallbackExceptionGroup',
    'ImageUrl',
    'LLMError',
    'Model',
    'ModelAPIError',
    'ModelHTTPError',
    'ModelMessage',
    'ModelMessagesTypeAdapter',
    'ModelRequest',
    'ModelRequestParameters',
    'ModelResponse',
    'ModelRetry',
    'ModelSettings',
    'ModelTimeoutError',
    'NativeOutput',
    'PromptedOutput',
    'RequestUsage',
    'RunContext',
    'RunUsage',
    'StreamedResponse',
    'StreamedRunResult',
    'TextOutput',
    'TextPart',
    'ThinkingPart',
    'Tool',
    'ToolCallPart',
    'ToolDefinition',
    'ToolOutput',
    'ToolReturn',
    'UnexpectedModelBehavior',
    'UploadedFile',
    'UsageLimitExceeded',
    'UsageLimits',
    'UserError',
    'VideoUrl',
    '__version__',
    'capture_run_messages',
    'infer_model',
)

_NAMES: dict[str, tuple[str, ...]] = {
    'agent': (
        'Agent',
        'AgentRunResult',
        'NativeOutput',
        'PromptedOutput',
        'RunContext',
        'StreamedRunResult',
        'TextOutput',
        'ToolOutput',
        'capture_run_messages',
    ),
    'exceptions': (
        'ContentFilterError',
        'FallbackExceptionGroup',
        'LLMError',
        'ModelAPIError',
        'ModelHTTPError',
        'ModelRetry',
        'ModelTimeoutError',
        'UnexpectedModelBehavior',
        'UsageLimitExceeded',
        'UserError',
    ),
    'messages': (
        'AudioUrl',
        'BinaryContent',
        'CachePoint',
        'DocumentUrl',
        'ImageUrl',
        'ModelMessage',
        'ModelMessagesTypeAdapter',
        'ModelRequest',
        'ModelResponse',
        'TextPart',
        'ThinkingPart',
        'ToolCallPart',
        'ToolReturn',
        'UploadedFile',
        'VideoUrl',
    ),
    'models': ('Model', 'ModelRequestParameters', 'StreamedResponse', 'infer_model'),
    'settings': ('ModelSettings',),
    'tools': ('Tool', 'ToolDefinition'),
    'usage': ('RequestUsage', 'RunUsage', 'UsageLimits'),
}
"""The names of each module. Submodules need no row: they are imported under their own names."""

_MODULES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a name from its module on first use."""
    if (module := _MODULES.get(name)) is None:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    value = getattr(import_module(f'.{module}', __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
