"""Encodes a response as a body (`encode_response`) or, event by event, as chunks (`StreamEncoder`). Undoes `decode`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast
from uuid import uuid4

from ....json_types import Json
from ....messages import (
    FinishReason,
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from ....usage import RequestUsage
from ....wire.logprobs import decode_logprobs
from ....wire.served_citations import find_cited_pages_of_response
from ....wire.serving import ServedRequest, vendor_finish_reason
from ..thinking import THINKING_FIELDS
from .encode_response import encode_reasoning_detail, encode_tool_call
from .finish_reasons import FINISH_REASONS

WIRE_FINISH_REASONS: dict[FinishReason, str] = {
    'stop': 'stop',
    'length': 'length',
    'tool_call': 'tool_calls',
    'content_filter': 'content_filter',
    'error': 'error',
}
"""Our finish reasons -> the API's."""


def encode_response(response: ModelResponse, request: ServedRequest) -> Json:
    """Encode the body of a response that is not streamed."""
    return {
        'id': response.provider_response_id or _make_id(),
        'object': 'chat.completion',
        'created': int(response.timestamp.timestamp()),
        'model': response.model_name or request.model_name,
        'choices': [
            {
                'index': 0,
                'message': {'role': 'assistant', **encode_message(response)},
                'logprobs': _encode_logprobs(response),
                'finish_reason': encode_finish_reason(response),
            }
        ],
        'usage': encode_usage(response.usage),
        **_select_details(response),
    }


def encode_message(response: ModelResponse) -> Json:
    """Encode the message without its role. Parts that the API does not have (native tools) are skipped."""
    message: Json = {'content': None}
    texts: dict[str, list[str]] = {}  # by the names of their fields
    calls: list[Json] = []
    for part in response.parts:
        match part:
            case TextPart(content=text):
                texts.setdefault('content', []).append(text)
            case ThinkingPart(provider_details=dict() as details) if 'type' in details:
                message.setdefault('reasoning_details', []).append(encode_reasoning_detail(part, details))
            case ThinkingPart(content=text):
                texts.setdefault(_choose_thinking_field(part), []).append(text)
            case ToolCallPart():
                calls.append(encode_tool_call(part, part.provider_name or ''))
            case _:
                pass
    message |= {name: ''.join(pieces) for name, pieces in texts.items()}
    if calls:
        message['tool_calls'] = calls
    if refusal := (response.provider_details or {}).get('refusal'):
        message['refusal'] = refusal
    if annotations := _encode_annotations(response):
        message['annotations'] = annotations
    return message


def _encode_annotations(response: ModelResponse) -> list[Json]:
    """Return the annotations that the vendor sent, or else those for the pages that the texts cite."""
    if isinstance(own := (response.provider_details or {}).get('annotations'), list):
        return cast('list[Json]', own)
    found: list[Json] = []
    for start, end, page in find_cited_pages_of_response(response):
        content = {'content': '\n'.join(page.excerpts)} if page.excerpts else {}
        citation = {'url': page.url, 'title': page.title or '', 'start_index': start, 'end_index': end, **content}
        found.append({'type': 'url_citation', 'url_citation': citation})
    return found


def _choose_thinking_field(part: ThinkingPart) -> str:
    """Return the field that the thinking came in, or else the most common one."""
    return part.id if part.id in THINKING_FIELDS else THINKING_FIELDS[0]


def encode_finish_reason(response: ModelResponse) -> str | None:
    """Return the vendor's own finish reason if the API has it, else ours in the API's form."""
    translated = WIRE_FINISH_REASONS[response.finish_reason] if response.finish_reason else None
    return vendor_finish_reason(response, FINISH_REASONS) or translated


def encode_usage(usage: RequestUsage) -> Json:
    """Encode the token counts."""
    return {
        'prompt_tokens': usage.input_tokens,
        'completion_tokens': usage.output_tokens,
        'total_tokens': usage.total_tokens,
        'prompt_tokens_details': {
            'cached_tokens': usage.cache_read_tokens,
            'cache_write_tokens': usage.cache_write_tokens,
            'audio_tokens': usage.input_audio_tokens,
        },
        'completion_tokens_details': {
            'reasoning_tokens': usage.output_reasoning_tokens,
            **{name: count for name, count in usage.details.items() if not name.startswith('prompt_cache')},
            'audio_tokens': usage.output_audio_tokens,
        },
    }


def _encode_logprobs(response: ModelResponse) -> Json | None:
    details = [part.provider_details or {} for part in response.parts if isinstance(part, TextPart)]
    tokens = [token for each in details for token in each.get('logprobs') or ()]
    tokens = tokens or decode_logprobs((response.provider_details or {}).get('logprobs'))
    return {'content': tokens} if tokens else None


def _select_details(response: ModelResponse) -> Json:
    """Return the provider details that are fields of the body, next to `choices`."""
    details = response.provider_details or {}
    return {name: details[name] for name in ('service_tier', 'system_fingerprint') if name in details}


def _make_id() -> str:
    return f'chatcmpl-{uuid4().hex}'


class StreamEncoder:
    """Encodes the events of one response as chunks."""

    def __init__(self, request: ServedRequest) -> None:
        self._request = request
        self._base: Json = {
            'id': _make_id(),
            'object': 'chat.completion.chunk',
            'created': int(request.received),
            'model': request.model_name,
        }
        self._call_numbers: dict[int, int] = {}  # by the index of the part, as is the next
        self._thinking_fields: dict[int, str] = {}

    def begin(self) -> Iterator[Json]:
        """Yield the chunk with the role."""
        yield self._encode_chunk({'role': 'assistant', 'content': ''})

    def event(self, event: ModelResponseStreamEvent) -> Iterator[Json]:
        """Yield the chunk for one event. Events that the API does not have are skipped."""
        match event:
            case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                yield self._encode_chunk({'content': text})
            case PartStartEvent(index=index, part=ThinkingPart() as part):
                yield from self._start_thinking(index, part)
            case PartDeltaEvent(index=index, delta=ThinkingPartDelta(content_delta=str() as text)):
                yield self._encode_chunk({self._thinking_fields[index]: text})
            case PartStartEvent(index=index, part=ToolCallPart() as part):
                call: Json = {'index': self._number_call(index), **encode_tool_call(part, part.provider_name or '')}
                call['function']['arguments'] = part.args_as_json_str() if part.args else ''
                yield self._encode_chunk({'tool_calls': [call]})
            case PartDeltaEvent(index=index, delta=ToolCallPartDelta(args_delta=str() as args)):
                fragment: Json = {'index': self._number_call(index), 'function': {'arguments': args}}
                yield self._encode_chunk({'tool_calls': [fragment]})
            case _:
                pass

    def end(self, response: ModelResponse) -> Iterator[Json]:
        """Yield the chunk with the finish reason, and the one with the usage if the request asked for it."""
        last = {
            'refusal': (response.provider_details or {}).get('refusal'),
            'annotations': _encode_annotations(response),
        }
        yield self._encode_chunk(
            {name: value for name, value in last.items() if value},
            finish_reason=encode_finish_reason(response),
            logprobs=_encode_logprobs(response),
            **_select_details(response),
        )
        if self._request.options.get('include_usage'):
            yield {**self._encode_identity(response), 'choices': [], 'usage': encode_usage(response.usage)}

    def _start_thinking(self, index: int, part: ThinkingPart) -> Iterator[Json]:
        self._thinking_fields[index] = _choose_thinking_field(part)
        if part.provider_details and 'type' in part.provider_details:
            yield self._encode_chunk({'reasoning_details': [encode_reasoning_detail(part, part.provider_details)]})
        elif part.content:
            yield self._encode_chunk({self._thinking_fields[index]: part.content})

    def _number_call(self, index: int) -> int:
        """Return the number of a tool call among the tool calls, by the index of its part."""
        return self._call_numbers.setdefault(index, len(self._call_numbers))

    def _encode_identity(self, response: ModelResponse) -> Json:
        """Return the fields of all chunks, with the id and the model of the response if they are known."""
        id, model = response.provider_response_id, response.model_name
        return {**self._base, **({'id': id} if id else {}), **({'model': model} if model else {})}

    def _encode_chunk(
        self, delta: Json, *, finish_reason: str | None = None, logprobs: Json | None = None, **fields: Any
    ) -> Json:
        choice = {'index': 0, 'delta': delta, 'logprobs': logprobs, 'finish_reason': finish_reason}
        return {**self._base, 'choices': [choice], **fields}
