"""Mistral's API from the server's side: body → request, response → body or chunks. `chat` does what is OpenAI's too."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from typing import Any, cast

from ...exceptions import UserError
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
from ...wire.serving import ServedRequest, message_of, status_of
from ..openai.chat import serve as chat
from ..openai.chat.content import encode_text
from ..openai.chat.decode_files import AUDIO_TYPES
from ..openai.chat.encode_response import encode_thinking_chunk
from .dialect import FINISH_REASONS, MISTRAL, TIERS

PATHS = ('/mistral/v1/chat/completions',)
"""Where clients send their requests, told that the server is at `/mistral`: else their path would be OpenAI's."""

DONE = chat.DONE
"""What ends a stream."""

OURS = {theirs: ours for ours, theirs in TIERS.items()}
"""Mistral's words for queues, and ours."""


def decode_request(body: Json) -> ServedRequest:
    """Read a request. Raises `UserError` where it is none."""
    heard = dict(body)
    messages: Any = body.get('messages')
    if isinstance(messages, list):
        heard['messages'] = [_decode_message(message) for message in cast('list[Json]', messages)]
    if body.get('tool_choice') == 'any':
        heard['tool_choice'] = 'required'
    tier: Any = body.get('service_tier')
    if isinstance(tier, str):
        heard['service_tier'] = OURS.get(tier, tier)
    return chat.decode_request(heard, provider_name='mistral', dialect=MISTRAL)


def _decode_message(message: Json) -> Json:
    match message:
        case {'role': 'user', 'content': list()}:
            chunks = cast('list[Json]', message['content'])
            return {**message, 'content': [decode_chunk(chunk) for chunk in chunks]}
        case _:
            return message


def decode_chunk(chunk: Json) -> Json:
    """A chunk of a user's message as OpenAI's clients would send it."""
    match chunk:
        case {'type': 'image_url', 'image_url': str() as address}:
            return {'type': 'image_url', 'image_url': {'url': address}}
        case {'type': 'document_url', 'document_url': address}:
            return {'type': 'file', 'file': {'file_data': address}}
        case {'type': 'file', 'file_id': id}:
            return {'type': 'file', 'file': {'file_id': id}}
        case {'type': 'input_audio', 'input_audio': str() as data} if not data.startswith('http'):
            return {'type': 'input_audio', 'input_audio': {'data': data, 'format': _format(data)}}
        case _:
            return chunk


def _format(data: str) -> str:
    """What the sound is, which is said by nothing but its beginning."""
    try:
        start = b64decode(data[:16], validate=True)
    except ValueError as error:
        raise UserError(f'The sound is not base64: {error}') from error
    return next(kind for known, kind in AUDIO_TYPES if start.startswith(known)).partition('/')[2]


# ---------------------------------------------------------------------- the answer


def encode_response(response: ModelResponse, request: ServedRequest) -> Json:
    """The body of a whole answer."""
    body = chat.encode_response(response, request)
    calls = [encode_call(call, number) for number, call in enumerate(response.tool_calls)]
    message = {'role': 'assistant', 'content': encode_content(response), 'tool_calls': calls or None}
    choice = {**body['choices'][0], 'message': message, 'finish_reason': finish_word(response) or 'stop'}
    facts = {name: body[name] for name in ('id', 'object', 'created', 'model')}
    return {**facts, 'choices': [choice], 'usage': encode_usage(response)}


def encode_content(response: ModelResponse) -> str | list[Json]:
    """What was said: one text, or chunks."""
    chunks = [chunk for part in response.parts for chunk in _chunks(part)]
    if all(chunk['type'] == 'text' for chunk in chunks):
        return ''.join(chunk['text'] for chunk in chunks)
    return chunks


def _chunks(part: object) -> Iterator[Json]:
    match part:
        case TextPart():
            yield from [encode_text(part.content)] if part.content else []
            yield from _references(part)
        case ThinkingPart() if part.content or part.signature:
            yield encode_thinking_chunk(part, is_own=True)
        case _:
            pass


def _references(part: TextPart) -> Iterator[Json]:
    if ids := (part.provider_details or {}).get('reference_ids'):
        yield {'type': 'reference', 'reference_ids': ids}


def encode_call(call: ToolCallPart, number: int) -> Json:
    """A call, which comes in one piece."""
    function = {'name': call.tool_name, 'arguments': call.args_as_json_str()}
    return {'id': call.tool_call_id, 'function': function, 'index': number}


def finish_word(response: ModelResponse) -> str | None:
    """The API's word for the end: the vendor's own where it is one of the API's."""
    raw: str | None = (response.provider_details or {}).get('finish_reason')
    return raw if raw in FINISH_REASONS else chat.finish_word(response)


def encode_usage(response: ModelResponse) -> Json:
    """The tokens, and the queue that the request stood in."""
    usage = response.usage
    tier = (response.provider_details or {}).get('service_tier')
    return {
        'prompt_tokens': usage.input_tokens,
        'completion_tokens': usage.output_tokens,
        'total_tokens': usage.total_tokens,
        'prompt_tokens_details': {'cached_tokens': usage.cache_read_tokens},
        **({'service_tier': tier} if tier else {}),
    }


def encode_error(error: BaseException) -> tuple[int, Json]:
    """The status and the body that tell of an error."""
    status = status_of(error)
    said = {'message': message_of(error), 'type': chat.ERROR_TYPES.get(status, 'server_error')}
    return status, {'object': 'error', **said, 'param': None, 'code': None, 'raw_status_code': status}


class ChunkWriter(chat.ChunkWriter):
    """Turns an answer's events into chunks."""

    def event(self, event: ModelResponseStreamEvent) -> Iterator[Json]:
        """The chunk for one event. A call is told of when it is whole."""
        match event:
            case PartStartEvent(part=ThinkingPart() as part):
                yield from self._content(part)
            case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=content, signature_delta=signature)):
                yield from self._content(ThinkingPart(content or '', signature=signature))
            case PartStartEvent(part=ToolCallPart()) | PartDeltaEvent(delta=ToolCallPartDelta()):
                pass
            case PartEndEvent(part=ToolCallPart() as call, index=index):
                number = self._calls.setdefault(index, len(self._calls))
                yield self._chunk({'tool_calls': [encode_call(call, number)]})
            case PartEndEvent(part=TextPart() as part):
                yield from (self._chunk({'content': [chunk]}) for chunk in _references(part))
            case _:
                yield from super().event(event)

    def end(self, response: ModelResponse) -> Iterator[Json]:
        """The chunk with the finish reason and the usage."""
        usage = {'usage': encode_usage(response)}
        for last in super().end(response):
            if last['choices']:
                choice = {**last['choices'][0], 'delta': {'content': ''}, 'finish_reason': finish_word(response)}
                yield {**self._facts(response), 'choices': [choice], **usage}

    def _content(self, part: ThinkingPart) -> Iterator[Json]:
        yield from (self._chunk({'content': [chunk]}) for chunk in _chunks(part))
