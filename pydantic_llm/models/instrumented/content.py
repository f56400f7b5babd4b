"""Messages, instructions and tools in the JSON form of the conventions.

The schemas are docs/gen-ai/gen-ai-input-messages.json, gen-ai-output-messages.json, gen-ai-system-instructions.json and
gen-ai-tool-definitions.json of the release that `conventions` names. `ContentEncoder` has one method for each; each
text goes through the `redact` function of the settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, assert_never, cast

from pydantic import BaseModel
from pydantic_core import from_json, to_jsonable_python

from ...json_types import Json
from ...messages import (
    BinaryContent,
    CachePoint,
    CompactionPart,
    FilePart,
    FileUrl,
    ModelMessage,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
    UserContent,
    UserPromptPart,
)
from .. import ModelRequestParameters
from .settings import InstrumentationSettings

__all__ = ('ContentEncoder',)

MAX_DEPTH = 50
"""The levels of nested values that are recorded; a value below them is recorded as its `repr`."""


class ContentEncoder:
    """Encodes what was sent and received."""

    def __init__(self, settings: InstrumentationSettings) -> None:
        self._redact = settings.redact
        self._has_bytes = settings.include_binary_content

    def encode_input(self, messages: Sequence[ModelMessage]) -> list[Json]:
        """Return the messages of a conversation, without its instructions."""
        encoded: list[Json] = []
        for message in messages:
            if isinstance(message, ModelResponse):
                encoded.append({'role': 'assistant', 'parts': self._encode_response_parts(message)})
                continue
            for role, part in self._encode_request_parts(message.parts):
                if encoded and encoded[-1]['role'] == role and role != 'assistant':
                    encoded[-1]['parts'].append(part)
                else:
                    encoded.append({'role': role, 'parts': [part]})
        return encoded

    def encode_output(self, response: ModelResponse) -> list[Json]:
        """Return a response. Without a finish reason, which the schema requires, its state stands there."""
        parts = self._encode_response_parts(response)
        return [{'role': 'assistant', 'parts': parts, 'finish_reason': response.finish_reason or response.state}]

    def encode_instructions(self, messages: Sequence[ModelMessage]) -> list[Json]:
        """Return the instructions of the last request; an empty list without any."""
        found = next((m.instructions for m in reversed(messages) if not isinstance(m, ModelResponse)), None)
        return [{'type': 'text', 'content': self._redact(found)}] if found else []

    def encode_tools(self, parameters: ModelRequestParameters) -> list[Json]:
        """Return the tools of a request, with those of the vendor."""
        tools: list[Json] = [
            {
                'type': 'function',
                'name': tool.name,
                'description': self._redact(tool.description or ''),
                'parameters': self.encode_value(tool.parameters_json_schema),
            }
            for tool in parameters.tools
        ]
        return [*tools, *({'type': tool.kind, 'name': tool.kind} for tool in parameters.native_tools)]

    def encode_value(self, value: object, *, depth: int = 0) -> Any:
        """Return any value as JSON: an argument or the result of a tool. Files in it are described, not inlined."""
        if isinstance(value, str):
            return self._redact(value)
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if depth > MAX_DEPTH:
            return self._redact(repr(value))
        if isinstance(value, (BinaryContent, FileUrl, UploadedFile)):
            return self._encode_file(value)
        if isinstance(value, (bytes, bytearray)):
            return self._encode_bytes(bytes(value), None)
        if (items := _read_fields(value)) is not None:
            return {str(key): self.encode_value(item, depth=depth + 1) for key, item in items.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.encode_value(item, depth=depth + 1) for item in cast('Sequence[object]', value)]
        return self.encode_value(to_jsonable_python(value, fallback=repr, inf_nan_mode='strings'), depth=depth + 1)

    def encode_arguments(self, arguments: str | Mapping[str, Any] | None) -> Any:
        """Return the arguments of a tool call: the object, or the text if it is not JSON."""
        if isinstance(arguments, str):
            try:
                return self.encode_value(from_json(arguments))
            except ValueError:
                return self._redact(arguments)
        return self.encode_value(arguments)

    # -------------------------------------------------------------------------------------------------------- requests

    def _encode_request_parts(self, parts: Sequence[ModelRequestPart]) -> Iterator[tuple[str, Json]]:
        """Yield the role and the form of each part."""
        for part in parts:
            match part:
                case SystemPromptPart():
                    yield 'system', self._encode_text(part.content)
                case UserPromptPart():
                    yield from (('user', encoded) for encoded in self._encode_prompt(part.content))
                case ToolReturnPart():
                    yield 'tool', self._encode_result(part.tool_call_id, part.content)
                case RetryPromptPart() if part.tool_name is None:
                    yield 'user', self._encode_text(part.model_response())
                case RetryPromptPart():
                    yield 'tool', self._encode_result(part.tool_call_id, part.model_response())
                case _:
                    assert_never(part)

    def _encode_prompt(self, content: str | Sequence[UserContent]) -> Iterator[Json]:
        for item in [content] if isinstance(content, str) else content:
            match item:
                case str():
                    yield self._encode_text(item)
                case TextContent():
                    yield self._encode_text(item.content)
                case CachePoint():
                    pass
                case _:
                    yield self._encode_file(item)

    def _encode_result(self, tool_call_id: str, content: object) -> Json:
        return {'type': 'tool_call_response', 'id': tool_call_id, 'response': self.encode_value(content)}

    def _encode_text(self, text: str) -> Json:
        return {'type': 'text', 'content': self._redact(text)}

    # ------------------------------------------------------------------------------------------------------- responses

    def _encode_response_parts(self, response: ModelResponse) -> list[Json]:
        return [self._encode_response_part(part) for part in response.parts]

    def _encode_response_part(self, part: ModelResponsePart) -> Json:
        match part:
            case TextPart():
                return self._encode_text(part.content)
            case ThinkingPart():
                return {'type': 'reasoning', 'content': self._redact(part.content)}
            case ToolCallPart():
                arguments = self.encode_arguments(part.args)
                return {'type': 'tool_call', 'id': part.tool_call_id, 'name': part.tool_name, 'arguments': arguments}
            case NativeToolCallPart():
                call = {'type': part.tool_name, 'arguments': self.encode_arguments(part.args)}
                return {
                    'type': 'server_tool_call',
                    'id': part.tool_call_id,
                    'name': part.tool_name,
                    'server_tool_call': call,
                }
            case NativeToolReturnPart():
                result = {'type': part.tool_name, 'content': self.encode_value(part.content)}
                return {
                    'type': 'server_tool_call_response',
                    'id': part.tool_call_id,
                    'server_tool_call_response': result,
                }
            case FilePart():
                return self._encode_file(part.content)
            case CompactionPart():
                return {'type': 'compaction', 'content': self._redact(part.content or '')}
            case _:
                assert_never(part)

    # ----------------------------------------------------------------------------------------------------------- files

    def _encode_file(self, file: BinaryContent | FileUrl | UploadedFile) -> Json:
        kind = {'modality': _find_modality(file.media_type), 'mime_type': file.media_type}
        match file:
            case BinaryContent():
                return self._encode_bytes(file.data, file.media_type)
            case FileUrl() if file.url.startswith('data:'):
                return {'type': 'blob', **kind}
            case FileUrl():
                return {'type': 'uri', **kind, 'uri': self._redact(file.url)}
            case UploadedFile():
                return {'type': 'file', **kind, 'file_id': file.file_id}

    def _encode_bytes(self, data: bytes, media_type: str | None) -> Json:
        """Return a blob: with its bytes if the settings include these, else with their number.

        Without the bytes, it is what the schema calls a generic part.
        """
        kind = {'type': 'blob', 'modality': _find_modality(media_type), 'mime_type': media_type}
        if not self._has_bytes:
            return {**kind, 'byte_count': len(data)}
        return {**kind, 'content': BinaryContent(data, media_type=media_type or 'application/octet-stream').base64}


def _find_modality(media_type: str | None) -> str:
    """Return the modality of a media type. The schema allows other values than its own `image`, `audio` and `video`."""
    kind = (media_type or '').partition('/')[0]
    return kind if kind in ('image', 'audio', 'video') else 'document'


def _read_fields(value: object) -> Mapping[Any, Any] | None:
    """Return the fields of a value that has them, unchanged; `None` for any other value."""
    if isinstance(value, Mapping):
        return cast('Mapping[Any, Any]', value)  # type: ignore[redundant-cast]  # pyright needs it
    if isinstance(value, BaseModel):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return None
