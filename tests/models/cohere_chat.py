"""Writes and reads bodies and events of Cohere's Chat API. The SDK's own types say what is allowed."""

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
from pydantic_llm.models.cohere.decode import decode, decode_event
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
ANSWER = TypeAdapter(V2ChatResponse)
EVENT = TypeAdapter[Any](V2ChatStreamResponse)


def strangers(value: Any, place: str = '') -> Iterator[str]:
    """The fields that the SDK's types have no name for."""
    match value:
        case BaseModel():
            yield from (f'{place}.{name}' for name in value.model_extra or ())
            for name in type(value).model_fields:
                yield from strangers(getattr(value, name), f'{place}.{name}')
        case list():
            for number, item in enumerate(value):
                yield from strangers(item, f'{place}[{number}]')
        case _:
            pass


def check_request(body: Json) -> None:
    """Fail for a body that the SDK's types do not allow."""
    assert body.keys() <= FIELDS
    for name, type_ in TYPES.items():
        if name in body:
            assert [*strangers(type_.validate_python(body[name]), name)] == []


def check_answer(body: Json) -> None:
    """Fail for an answer that the SDK's types do not allow."""
    assert [*strangers(ANSWER.validate_python(body))] == []


IN_MESSAGES = ('content', 'tool_plan', 'tool_calls', 'citations')
"""What the first event of a stream holds, and the SDK's types do not know."""


def check_event(event: Json) -> None:
    """Fail for an event that the SDK's types do not allow."""
    read = EVENT.validate_python(event)
    assert read.type == event['type']
    known = {f'.delta.message.{name}' for name in IN_MESSAGES} if event['type'] == 'message-start' else set[str]()
    assert {*strangers(read)} <= known


# ---------------------------------------------------------------------- what is called here


def ask(*parts: Any, **more: Any) -> ModelRequest:
    """A request; text is a user's prompt."""
    return ModelRequest([UserPromptPart(part) if isinstance(part, (str, list)) else part for part in parts], **more)


def say(*parts: Any, **more: Any) -> ModelResponse:
    """An answer of Cohere's."""
    return ModelResponse(list(parts), provider_name='cohere', **more)


class Sent:
    """A request as it is sent."""

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


def text(words: str) -> Json:
    return {'type': 'text', 'text': words}


def thought(words: str) -> Json:
    return {'type': 'thinking', 'thinking': words}


def call(id: str, arguments: str = '{"city": "Rome"}', name: str = 'weather') -> Json:
    return {'id': id, 'type': 'function', 'function': {'name': name, 'arguments': arguments}}


def cited(words: str, **more: Any) -> Json:
    source = {'type': 'document', 'id': 'd', 'document': {'id': 'd', 'text': words}}
    return {'start': 0, 'end': len(words), 'text': words, 'sources': [source], 'type': 'TEXT_CONTENT', **more}


def body(message: Json, **more: Any) -> Json:
    """A whole answer."""
    return {'id': 'r', 'finish_reason': 'COMPLETE', 'message': {'role': 'assistant', **message}, **more}


def read_whole(message: Json, **more: Any) -> ModelResponse:
    """What is made of a body."""
    check_answer(body(message, **more))
    draft = ResponseDraft(PLUS, 'cohere')
    decode(body(message, **more), draft)
    return draft.get()


def read(*events: Json, complete: bool = True) -> ModelResponse:
    """What is made of a stream."""
    draft = ResponseDraft(PLUS, 'cohere')
    for event in events:
        decode_event(event, draft)
    draft.parts.end(complete=complete)
    return draft.get()


def said(kind: str, index: int | None = None, **message: Any) -> Json:
    """An event that says something of the message."""
    event = {'type': kind, 'delta': {'message': message}, **({} if index is None else {'index': index})}
    check_event(event)
    return event


START = {'type': 'message-start', 'id': 'r', 'delta': {'message': {'role': 'assistant'}}}
END: Json = {'type': 'message-end', 'delta': {'finish_reason': 'COMPLETE'}}


def streamed(message: Json, **end: Any) -> Iterator[Json]:
    """The events that tell of a message as Cohere does, word by word."""
    yield START
    for word in words_of(message.get('tool_plan') or ''):
        yield said('tool-plan-delta', tool_plan=word)
    for index, block in enumerate(message.get('content') or ()):
        kind = block['type']
        yield said('content-start', index, content={'type': kind, kind: ''})
        for word in words_of(block[kind]):
            yield said('content-delta', index, content={kind: word})
        for number, citation in enumerate(message.get('citations') or ()):
            if citation.get('content_index', index) == index:
                yield said('citation-start', number, citations=citation)
                yield {'type': 'citation-end', 'index': number}
        yield {'type': 'content-end', 'index': index}
    for index, wanted in enumerate(message.get('tool_calls') or ()):
        begun = {**wanted, 'function': {**wanted['function'], 'arguments': ''}}
        yield said('tool-call-start', index, tool_calls=begun)
        for word in words_of(wanted['function']['arguments']):
            yield said('tool-call-delta', index, tool_calls={'function': {'arguments': word}})
        yield {'type': 'tool-call-end', 'index': index}
    yield {'type': 'message-end', 'delta': {'finish_reason': 'COMPLETE', **end}}


def words_of(content: str) -> list[str]:
    return [piece for piece in content.partition(' ') if piece]
