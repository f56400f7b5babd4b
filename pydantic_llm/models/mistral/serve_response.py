"""Encodes a response as Mistral's body (`encode_response`) or, event by event, as chunks (`StreamEncoder`)."""

from __future__ import annotations

from collections.abc import Iterator

from ...json_types import Json
from ...messages import (
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from ...wire.serving import ServedRequest, vendor_finish_reason
from ..openai.chat import serve_response as chat
from ..openai.chat.content import encode_text
from ..openai.chat.encode_response import encode_thinking_chunk
from .dialect import FINISH_REASONS


def encode_response(response: ModelResponse, request: ServedRequest) -> Json:
    """Encode the body of a response that is not streamed."""
    body = chat.encode_response(response, request)
    calls = [encode_tool_call(call, number) for number, call in enumerate(response.tool_calls)]
    message = {'role': 'assistant', 'content': encode_content(response), 'tool_calls': calls or None}
    choice = {**body['choices'][0], 'message': message, 'finish_reason': encode_finish_reason(response) or 'stop'}
    identity = {name: body[name] for name in ('id', 'object', 'created', 'model')}
    return {**identity, 'choices': [choice], 'usage': encode_usage(response)}


def encode_content(response: ModelResponse) -> str | list[Json]:
    """Encode the content: one string if the response is text alone, else a list of chunks."""
    chunks = [chunk for part in response.parts for chunk in _encode_part(part)]
    if all(chunk['type'] == 'text' for chunk in chunks):
        return ''.join(chunk['text'] for chunk in chunks)
    return chunks


def _encode_part(part: object) -> Iterator[Json]:
    match part:
        case TextPart():
            yield from [encode_text(part.content)] if part.content else []
            yield from _encode_references(part)
        case ThinkingPart() if part.content or part.signature:
            yield encode_thinking_chunk(part, is_own=True)
        case _:
            pass


def _encode_references(part: TextPart) -> Iterator[Json]:
    if ids := (part.provider_details or {}).get('reference_ids'):
        yield {'type': 'reference', 'reference_ids': ids}


def encode_tool_call(call: ToolCallPart, number: int) -> Json:
    """Encode a whole tool call; streams send no fragments of them."""
    function = {'name': call.tool_name, 'arguments': call.args_as_json_str()}
    return {'id': call.tool_call_id, 'function': function, 'index': number}


def encode_finish_reason(response: ModelResponse) -> str | None:
    """Return the vendor's own finish reason if the API has it, else ours in the API's form."""
    return vendor_finish_reason(response, FINISH_REASONS) or chat.encode_finish_reason(response)


def encode_usage(response: ModelResponse) -> Json:
    """Encode the token counts and the service tier."""
    usage, thinking = response.usage, response.usage.output_reasoning_tokens
    tier = (response.provider_details or {}).get('service_tier')
    return {
        'prompt_tokens': usage.input_tokens,
        'completion_tokens': usage.output_tokens,
        'total_tokens': usage.total_tokens,
        'prompt_tokens_details': {'cached_tokens': usage.cache_read_tokens},
        **({'completion_tokens_details': {'reasoning_tokens': thinking}} if thinking else {}),
        **({'service_tier': tier} if tier else {}),
    }


class StreamEncoder(chat.StreamEncoder):
    """Encodes the events of one response as Mistral's chunks."""

    def event(self, event: ModelResponseStreamEvent) -> Iterator[Json]:
        """Yield the chunks for one event. A tool call is sent when it is complete."""
        match event:
            case PartStartEvent(part=ThinkingPart() as part):
                yield from self._encode_thinking(part)
            case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=content, signature_delta=signature)):
                yield from self._encode_thinking(ThinkingPart(content or '', signature=signature))
            case PartStartEvent(part=ToolCallPart()) | PartDeltaEvent(delta=ToolCallPartDelta()):
                pass
            case PartEndEvent(part=ToolCallPart() as call, index=index):
                yield self._encode_chunk({'tool_calls': [encode_tool_call(call, self._number_call(index))]})
            case PartEndEvent(part=TextPart() as part):
                yield from (self._encode_chunk({'content': [chunk]}) for chunk in _encode_references(part))
            case _:
                yield from super().event(event)

    def end(self, response: ModelResponse) -> Iterator[Json]:
        """Yield the chunk with the finish reason and the usage."""
        usage = {'usage': encode_usage(response)}
        for chunk in super().end(response):
            if chunk['choices']:
                finish_reason = encode_finish_reason(response)
                choice = {**chunk['choices'][0], 'delta': {'content': ''}, 'finish_reason': finish_reason}
                yield {**self._encode_identity(response), 'choices': [choice], **usage}

    def _encode_thinking(self, part: ThinkingPart) -> Iterator[Json]:
        yield from (self._encode_chunk({'content': [chunk]}) for chunk in _encode_part(part))
