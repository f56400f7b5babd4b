"""Type checks of messages, settings, usage and exceptions.

The type checkers run these tests: `assert_type` and needless ignores are errors. pytest checks that the code runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never, assert_type

import pytest

from pydantic_llm import ModelMessagesTypeAdapter, ModelSettings, RequestUsage, RunUsage, UsageLimits
from pydantic_llm.exceptions import FallbackExceptionGroup, LLMError, ModelHTTPError
from pydantic_llm.messages import (
    BinaryContent,
    CompactionPart,
    FilePart,
    FinishReason,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    MultiModalContent,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from pydantic_llm.messages.history import map_tool_call_ids, repair
from pydantic_llm.settings import merge_model_settings


def text_of(message: ModelMessage) -> str | None:
    """Match all types of messages."""
    match message:
        case ModelRequest():
            assert_type(message.parts, Sequence[ModelRequestPart])
            return message.instructions
        case ModelResponse():
            assert_type(message.parts, Sequence[ModelResponsePart])
            assert_type(message.finish_reason, FinishReason | None)
            return message.text
        case _:
            assert_never(message)


def text_of_request_part(part: ModelRequestPart) -> str:
    match part:
        case SystemPromptPart(content=content):
            return content
        case UserPromptPart():
            assert_type(part.items(), Sequence[UserContent])
            return part.part_kind
        case ToolReturnPart():
            assert_type(part.files, list[MultiModalContent])
            assert_type(part.model_response_object(), dict[str, Any])
            return part.model_response_str()
        case RetryPromptPart():
            return part.model_response()
        case _:
            assert_never(part)


def text_of_response_part(part: ModelResponsePart) -> str:
    match part:
        case TextPart(content=content) | ThinkingPart(content=content):
            return content
        case ToolCallPart() | NativeToolCallPart():
            assert_type(part.args_as_dict(), dict[str, Any])
            return part.args_as_json_str()
        case NativeToolReturnPart():
            return part.tool_name
        case FilePart():
            assert_type(part.content, BinaryContent)
            return part.content.media_type
        case CompactionPart(content=content):
            assert_type(content, str | None)
            return content or ''
        case _:
            assert_never(part)


def text_of_event(event: ModelResponseStreamEvent) -> str | None:
    match event:
        case PartStartEvent(part=part) | PartEndEvent(part=part):
            return text_of_response_part(part)
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return text
        case PartDeltaEvent(delta=ThinkingPartDelta() as delta):
            assert_type(delta.apply(ThinkingPart('')), ThinkingPart)
            return delta.content_delta
        case PartDeltaEvent(delta=ToolCallPartDelta() as delta):
            assert_type(delta.apply(ToolCallPart('look')), ToolCallPart | NativeToolCallPart)
            return None
        case _:
            return None


HISTORY: list[ModelMessage] = [
    ModelRequest([SystemPromptPart('Be kind.'), UserPromptPart(['Look:', ImageUrl('https://example.com/a.png')])]),
    ModelResponse([ToolCallPart('look', {}, 'a')], usage=RequestUsage(input_tokens=1)),
    ModelRequest([ToolReturnPart('look', 'rain', 'a')], instructions='Be brief.'),
    ModelResponse([TextPart('It rains.')]),
]


def test_the_types_of_messages() -> None:
    response = HISTORY[-1]
    assert isinstance(response, ModelResponse)
    assert_type(response.text, str | None)
    assert_type(response.tool_calls, list[ToolCallPart])
    assert_type(response.native_tool_calls, list[tuple[NativeToolCallPart, NativeToolReturnPart | None]])
    assert_type(response.images, list[BinaryContent])
    assert_type(ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json(HISTORY)), list[ModelMessage])
    assert_type(repair(HISTORY), tuple[Sequence[ModelMessage], list[str]])
    assert_type(map_tool_call_ids(HISTORY, accepts=bool, make=str), list[ModelMessage])
    assert text_of(response) == 'It rains.'
    assert text_of_event(PartStartEvent(0, TextPart('x'))) == 'x'
    assert [text_of_request_part(part) for part in HISTORY[2].parts if isinstance(part, ToolReturnPart)] == ['rain']


def test_wrong_values_are_type_errors() -> None:
    ModelRequest([TextPart('x')])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType] -- the error under test
    ModelResponse([], finish_reason='bored')  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] -- the error under test
    with pytest.raises(TypeError):
        UsageLimits(50)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue] -- the error under test


def test_the_types_of_sums_of_usage() -> None:
    assert_type(RunUsage() + RequestUsage(), RunUsage)
    assert_type(RequestUsage() + RequestUsage(), RequestUsage)
    assert_type((RunUsage() + RequestUsage(input_tokens=1)).total_tokens, int)


def test_the_types_of_settings() -> None:
    settings: ModelSettings = {'temperature': 0.5, 'tool_choice': ['look'], 'thinking': 'low'}
    assert_type(merge_model_settings(settings, None), ModelSettings | None)
    wrong: ModelSettings = {'temperature': 'hot'}  # type: ignore[typeddict-item]  # pyright: ignore[reportAssignmentType] -- the error under test
    assert merge_model_settings(settings, wrong) == {**settings, 'temperature': 'hot'}


def test_the_types_of_errors() -> None:
    error = ModelHTTPError(429, 'm', retry_after=2.0)
    assert_type(error.retry_after, float | None)
    group = FallbackExceptionGroup('all failed', [error])
    assert_type(group.derive([error]), FallbackExceptionGroup)
    assert isinstance(group, LLMError)
    assert_type(group.exceptions[0], Exception | ExceptionGroup[Exception])
