"""The vocabulary: everything that is said between us and a model, as plain typed values.

Read `request` (what we send), `content` (the files in it), `response` (what comes back), `events` (how it comes back
when streamed) and `history` (how one conversation is made fit for another model).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Discriminator, TypeAdapter

from .content import (
    AudioUrl,
    BinaryContent,
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
)
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
    FilePart,
    FinishReason,
    ModelResponse,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    ResponseState,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)

__all__ = (
    'AudioUrl',
    'BaseToolCallPart',
    'BinaryContent',
    'CachePoint',
    'DocumentUrl',
    'FilePart',
    'FileUrl',
    'FinalResultEvent',
    'FinishReason',
    'FunctionToolCallEvent',
    'FunctionToolResultEvent',
    'ImageUrl',
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
    'ToolCallPart',
    'ToolCallPartDelta',
    'ToolReturn',
    'ToolReturnPart',
    'UploadedFile',
    'UserContent',
    'UserPromptPart',
    'VideoUrl',
)

ModelMessage = Annotated[ModelRequest | ModelResponse, Discriminator('kind')]
"""One turn of a conversation."""

ModelMessagesTypeAdapter: TypeAdapter[list[ModelMessage]] = TypeAdapter(
    list[ModelMessage],
    config=ConfigDict(ser_json_bytes='base64', val_json_bytes='base64', ser_json_inf_nan='strings', defer_build=True),
)
"""Reads and writes a history: `validate_json`, `dump_json`, `validate_python`, `dump_python`.

It also reads histories that pydantic-ai stored: kinds of parts that are not ours become the ones that say the same, and
what no model reads is left out. Raises pydantic's `ValidationError` for a kind that it does not know.
"""
