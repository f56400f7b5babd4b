"""Builds and decodes bodies and events of Cohere's Chat API. The SDK's own types are the oracle."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import cohere
from cohere.v2.types import V2ChatRequestDocumentsItem, V2ChatResponse, V2ChatStreamResponse
from pydantic import BaseModel, TypeAdapter
from pydantic_core import from_json, to_json

from pydantic_llm.messages import BinaryContent, ModelRequest, ModelResponse, UserPromptPart
from pydantic_llm.models import ModelRequestParameters, ResponseDraft
from pydantic_llm.models.cohere import CohereModel
from pydantic_llm.models.cohere.decode import CohereDecoder
from pydantic_llm.tools.definition import ToolDefinition

Json = dict[str, Any]

PLUS = 'command-a-plus-05-2026'
PIXEL = BinaryContent(b'png', media_type='image/png')
CITY: Json = {'type': 'object', 'properties': {'city': {'type': 'string'}}, 'required': ['city']}
WEATHER = ToolDefinition('weather', CITY, 'Tells the weather.')
TIME = ToolDefinition('time', CITY)

# ---------------------------------------------------------------------- the oracle

FIELDS = {*inspect.signature(cohere.AsyncClientV2.chat).parameters} - {'self', 'request_options'} | {'stream'}
"""The fields of a request."""

TYPES: dict[str, TypeAdapter[Any]] = {
    'messages': TypeAdapter(cohere.ChatMessages),
    'tools': TypeAdapter(list[cohere.ToolV2]),
    'documents': TypeAdapter(list[V2ChatRequestDocumentsItem]),
    'response_format': TypeAdapter(cohere.ResponseFormatV2),
    'citation_options': TypeAdapter(cohere.CitationOptions),
    'thinking': TypeAdapter(cohere.Thinking),
}
RESPONSE_TYPE = TypeAdapter(V2ChatResponse)
EVENT_TYPE = TypeAdapter[Any](V2ChatStreamResponse)


def unknown_fields(value: Any, path: str = '') -> Iterator[str]:
    """Yield the paths of fields that the SDK's types do not have."""
    match value:
        case BaseModel():
            yield from (f'{path}.{name}' for name in value.model_extra or ())
            for name in type(value).model_fields:
                yield from unknown_fields(getattr(value, name), f'{path}.{name}')
        case list():
            for number, item in enumerate(value):
                yield from unknown_fields(item, f'{path}[{number}]')
        case _:
            pass


def check_request(body: Json) -> None:
    """Raise if the SDK's types do not allow the request."""
    assert body.keys() <= FIELDS
    for name, type_ in TYPES.items():
        if name in body:
            assert [*unknown_fields(type_.validate_python(body[name]), name)] == []


def check_response(body: Json) -> None:
    """Raise if the SDK's types do not allow the response."""
    assert [*unknown_fields(RESPONSE_TYPE.validate_python(body))] == []


START_FIELDS = ('content', 'tool_plan', 'tool_calls', 'citations')
"""Fields of the first event of a stream that the SDK's types do not have."""


def check_event(event: Json) -> None:
    """Raise if the SDK's types do not allow the event."""
    parsed = EVENT_TYPE.validate_python(event)
    assert parsed.type == event['type']
    known = {f'.delta.message.{name}' for name in START_FIELDS} if event['type'] == 'message-start' else set[str]()
    assert {*unknown_fields(parsed)} <= known


# ---------------------------------------------------------------------- messages, requests and responses


def ask(*parts: Any, **more: Any) -> ModelRequest:
    """Return a request; text becomes a user prompt."""
    return ModelRequest([UserPromptPart(part) if isinstance(part, (str, list)) else part for part in parts], **more)


def say(*parts: Any, **more: Any) -> ModelResponse:
    """Return a response of Cohere."""
    return ModelResponse(list(parts), provider_name='cohere', **more)


class Sent:
    """A request in its encoded form."""

    def __init__(self, messages: Sequence[Any], settings: Any = None, name: str = PLUS, **parameters: Any) -> None:
        model = CohereModel(name, api_key='k')
        request = model.prepare(messages, settings, ModelRequestParameters(**parameters))
        self.body: Json = from_json(to_json(model.encode(request)))
        self.warnings = request.warnings
        check_request(self.body)

    @property
    def messages(self) -> list[Json]:
        found: list[Json] = self.body['messages']
        return found


def text(content: str) -> Json:
    return {'type': 'text', 'text': content}


def thinking_block(content: str) -> Json:
    return {'type': 'thinking', 'thinking': content}


def tool_call(id: str, arguments: str = '{"city": "Rome"}', name: str = 'weather') -> Json:
    return {'id': id, 'type': 'function', 'function': {'name': name, 'arguments': arguments}}


def citation_of(words: str, **more: Any) -> Json:
    source = {'type': 'document', 'id': 'd', 'document': {'id': 'd', 'text': words}}
    return {'start': 0, 'end': len(words), 'text': words, 'sources': [source], 'type': 'TEXT_CONTENT', **more}


def response_body(message: Json, **more: Any) -> Json:
    """Return a response body with this message."""
    return {'id': 'r', 'finish_reason': 'COMPLETE', 'message': {'role': 'assistant', **message}, **more}


def decode_whole(message: Json, **more: Any) -> ModelResponse:
    """Decode a body with this message."""
    check_response(response_body(message, **more))
    decoder = new_decoder()
    decoder.decode(response_body(message, **more))
    return decoder.draft.get()


def decode_stream(*events: Json, complete: bool = True) -> ModelResponse:
    decoder = new_decoder()
    for event in events:
        decoder.decode_event(event)
    decoder.draft.parts.end(complete=complete)
    return decoder.draft.get()


def new_decoder() -> CohereDecoder:
    return CohereDecoder(ResponseDraft(PLUS, 'cohere'))


def message_event(kind: str, index: int | None = None, **message: Any) -> Json:
    """Return an event that extends the message."""
    event = {'type': kind, 'delta': {'message': message}, **({} if index is None else {'index': index})}
    check_event(event)
    return event


START = {'type': 'message-start', 'id': 'r', 'delta': {'message': {'role': 'assistant'}}}
END: Json = {'type': 'message-end', 'delta': {'finish_reason': 'COMPLETE'}}


def stream_message(message: Json, **end: Any) -> Iterator[Json]:
    """Yield the events of a stream with this message, like Cohere, word by word."""
    yield START
    for word in split_words(message.get('tool_plan') or ''):
        yield message_event('tool-plan-delta', tool_plan=word)
    for index, block in enumerate(message.get('content') or ()):
        kind = block['type']
        yield message_event('content-start', index, content={'type': kind, kind: ''})
        for word in split_words(block[kind]):
            yield message_event('content-delta', index, content={kind: word})
        for number, citation in enumerate(message.get('citations') or ()):
            if citation.get('content_index', index) == index:
                yield message_event('citation-start', number, citations=citation)
                yield {'type': 'citation-end', 'index': number}
        yield {'type': 'content-end', 'index': index}
    for index, call in enumerate(message.get('tool_calls') or ()):
        start = {**call, 'function': {**call['function'], 'arguments': ''}}
        yield message_event('tool-call-start', index, tool_calls=start)
        for word in split_words(call['function']['arguments']):
            yield message_event('tool-call-delta', index, tool_calls={'function': {'arguments': word}})
        yield {'type': 'tool-call-end', 'index': index}
    yield {'type': 'message-end', 'delta': {'finish_reason': 'COMPLETE', **end}}


def split_words(content: str) -> list[str]:
    return [piece for piece in content.partition(' ') if piece]
