"""The messages of a conversation, as plain typed values that no function changes.

Read `request` (prompts and tool results), `content` (text and files in them), `response` (text, thinking and tool
calls), `events` (a response while it is streamed) and `history` (preparing a conversation for the next model).
The fields `kind`, `part_kind`, `part_delta_kind` and `event_kind` distinguish the types in JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from .._deferred_schemas import Discriminator
from ..usage import AttemptUsage
from .citations import (
    Citation,
    CitationAnchor,
    CitationSource,
    ContentCitationAnchor,
    DocumentCitationSource,
    MarkerCitationAnchor,
    WebCitationSource,
)
from .content import (
    AudioUrl,
    BinaryContent,
    BinaryImage,
    CachePoint,
    DocumentUrl,
    FileUrl,
    ImageUrl,
    MultiModalContent,
    TextContent,
    UploadedFile,
    UserContent,
    VideoUrl,
)
from .events import (
    EnqueuedMessagesEvent,
    FinalResultEvent,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    ModelResponsePartDelta,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    StreamRestartEvent,
    TextPartDelta,
    ThinkingPartDelta,
    ToolCallPartDelta,
    ToolProgressEvent,
)
from .logprobs import TokenLogprob, TopLogprob
from .request import (
    ModelRequest,
    ModelRequestPart,
    RetryPromptPart,
    SystemPromptPart,
    ToolReturn,
    ToolReturnPart,
    UserPromptPart,
)
from .response import (
    BaseToolCallPart,
    CompactionPart,
    FilePart,
    FinishReason,
    FromCache,
    ModelResponse,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    ResponseState,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = (
    'AttemptUsage',
    'AudioUrl',
    'BaseToolCallPart',
    'BinaryContent',
    'BinaryImage',
    'CachePoint',
    'Citation',
    'CitationAnchor',
    'CitationSource',
    'CompactionPart',
    'ContentCitationAnchor',
    'DocumentCitationSource',
    'DocumentUrl',
    'EnqueuedMessagesEvent',
    'FilePart',
    'FileUrl',
    'FinalResultEvent',
    'FinishReason',
    'FromCache',
    'FunctionToolCallEvent',
    'FunctionToolResultEvent',
    'ImageUrl',
    'MarkerCitationAnchor',
    'ModelMessage',
    'ModelMessagesTypeAdapter',
    'ModelRequest',
    'ModelRequestPart',
    'ModelResponse',
    'ModelResponsePart',
    'ModelResponsePartDelta',
    'ModelResponseStreamEvent',
    'MultiModalContent',
    'NativeToolCallPart',
    'NativeToolReturnPart',
    'PartDeltaEvent',
    'PartEndEvent',
    'PartStartEvent',
    'ResponseState',
    'RetryPromptPart',
    'StreamRestartEvent',
    'SystemPromptPart',
    'TextContent',
    'TextPart',
    'TextPartDelta',
    'ThinkingPart',
    'ThinkingPartDelta',
    'TokenLogprob',
    'ToolCallPart',
    'ToolCallPartDelta',
    'ToolProgressEvent',
    'ToolReturn',
    'ToolReturnPart',
    'TopLogprob',
    'UploadedFile',
    'UserContent',
    'UserPromptPart',
    'VideoUrl',
    'WebCitationSource',
)

ModelMessage = Annotated[ModelRequest | ModelResponse, Discriminator('kind')]
"""A request or a response: one message of a conversation."""

ModelMessagesTypeAdapter: TypeAdapter[list[ModelMessage]]
"""Reads and writes a history: `validate_json`, `dump_json`, `validate_python`, `dump_python`.

It also reads histories that pydantic-ai stored. Part kinds that only pydantic-ai has become the nearest kind of ours;
parts that are never sent to a model are dropped. Raises pydantic's `ValidationError` if a part kind is unknown.
"""

if not TYPE_CHECKING:  # for a type checker, a module with this function has every name

    def __getattr__(name: str) -> object:
        """Return `ModelMessagesTypeAdapter`, which is made when it is first used: pydantic takes long to import."""
        if name != 'ModelMessagesTypeAdapter':
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        from pydantic import ConfigDict, TypeAdapter

        config = ConfigDict(
            ser_json_bytes='base64', val_json_bytes='base64', ser_json_inf_nan='strings', defer_build=True
        )
        globals()[name] = adapter = TypeAdapter(list[ModelMessage], config=config)
        return adapter
