"""Helpers of the Gemini tests: requests as bodies, bodies and chunks as responses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pydantic_core import from_json, to_json

from pydantic_llm.messages import (
    BinaryContent,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters, ResponseDraft
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.models.gemini.decode import GeminiDecoder
from pydantic_llm.providers.google_vertex import GoogleVertexProvider
from pydantic_llm.tools.definition import ToolDefinition

Json = dict[str, Any]

FLASH, OLD, IMAGE_MODEL = 'gemini-3-flash-preview', 'gemini-2.5-flash', 'gemini-2.5-flash-image'
PIXEL = BinaryContent(b'png\xff\xfe', media_type='image/png')
PIXEL_DATA = 'cG5n__4='
CITY: Json = {'type': 'object', 'properties': {'city': {'type': 'string'}}, 'required': ['city']}
WEATHER = ToolDefinition('weather', CITY, 'Tells the weather.')
TIME = ToolDefinition('time', CITY)
FINAL = ToolDefinition('final_result', CITY, kind='output')
PLACEHOLDER = 'c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I='
"""The signature for a tool call that has none."""


def ask(*parts: Any, **more: Any) -> ModelRequest:
    """Build a request. A text or a list is a user's prompt."""
    return ModelRequest([UserPromptPart(part) if isinstance(part, (str, list)) else part for part in parts], **more)


def say(*parts: Any, name: str = 'google-gla', **more: Any) -> ModelResponse:
    """Build a response of one of Google's APIs, whose parts have its name."""
    return ModelResponse([replace(part, provider_name=name) for part in parts], provider_name=name, **more)


def gemini(name: str = FLASH, *, vertex: bool = False, **more: Any) -> GeminiModel:
    """Build a model that sends no request."""
    if vertex:
        return GeminiModel(name, provider=GoogleVertexProvider(api_key='k'), **more)
    return GeminiModel(name, api_key='k', **more)


class Sent:
    """A request, encoded."""

    def __init__(
        self, messages: Sequence[Any], settings: Any = None, name: str = FLASH, vertex: bool = False, **parameters: Any
    ) -> None:
        model = gemini(name, vertex=vertex)
        self.request = model.prepare(messages, settings, ModelRequestParameters(**parameters))
        self.call = model._encode_request(self.request)
        self.body: Json = from_json(self.call.body)
        self.warnings = self.request.warnings

    @property
    def turns(self) -> list[Any]:
        """The role and the parts of each content. A part with nothing but text is that text."""
        return [(content['role'], *map(simplify, content['parts'])) for content in self.body['contents']]

    @property
    def config(self) -> Json:
        """The field `generationConfig`."""
        config: Json = self.body.get('generationConfig', {})
        return config


def simplify(part: Json) -> Any:
    return part['text'] if part.keys() == {'text'} else part


def tool_call(name: str = 'weather', id: str = 'c1', signature: str | None = None, **args: Any) -> Json:
    fields = {'thoughtSignature': signature} if signature else {}
    return {'functionCall': {'id': id, 'name': name, 'args': args}, **fields}


def tool_result(response: Json, id: str = 'c1', name: str = 'weather', **more: Any) -> Json:
    return {'functionResponse': {'id': id, 'name': name, 'response': response, **more}}


def chunk(*parts: Json, finish: str | None = None, usage: Json | None = None, **facts: Any) -> Json:
    """Build a chunk of a stream."""
    candidate: Json = {'content': {'role': 'model', 'parts': list(parts)}, 'index': 0, **facts}
    if finish:
        candidate['finishReason'] = finish
    return {'candidates': [candidate], **({'usageMetadata': usage} if usage else {}), 'modelVersion': 'answered'}


def decode_stream(*events: Json, provider: str = 'google-gla') -> ModelResponse:
    """Decode the chunks of a stream."""
    draft = ResponseDraft('asked', provider)
    decoder = GeminiDecoder(draft)
    for event in events:
        decoder.decode_event(event)
    decoder.decode_end()
    draft.parts.end(complete=draft.state == 'complete')
    return draft.get()


def decode_body(body: Any, provider: str = 'google-gla') -> ModelResponse:
    """Decode a whole body."""
    draft = ResponseDraft('asked', provider)
    GeminiDecoder(draft).decode(body)
    return draft.get()


def split_into_chunks(parts: list[Json], **facts: Any) -> Iterator[Json]:
    """Yield chunks with these parts, as Google sends them: one for each part, text without a signature in pieces."""
    for part in parts:
        if 'text' in part and 'thoughtSignature' not in part and part['text']:
            for piece in (part['text'][:2], part['text'][2:]):
                yield chunk({**part, 'text': piece})
        else:
            yield chunk(part)
    yield chunk(finish='STOP', **facts)


def comparable_parts(response: ModelResponse) -> list[Json]:
    """Return the fields of the parts, without timestamps and generated ids."""
    calls = (ToolCallPart, NativeToolCallPart)
    found = [replace(part, args=part.args_as_dict()) if isinstance(part, calls) else part for part in response.parts]
    fields = [
        {name: getattr(part, name) for name in part.__dataclass_fields__ if name != 'timestamp'} for part in found
    ]
    return [
        {**part, 'tool_call_id': None} if str(part.get('tool_call_id')).startswith('call_') else part for part in fields
    ]


def as_json(value: Any) -> Any:
    return from_json(to_json(value))


SEARCH = {'toolCall': {'toolType': 'GOOGLE_SEARCH_WEB', 'args': {'queries': ['q']}, 'id': 's1'}}
FOUND = {'toolResponse': {'toolType': 'GOOGLE_SEARCH_WEB', 'response': {'search_suggestions': '<b>'}, 'id': 's1'}}
CODE = {'executableCode': {'language': 'PYTHON', 'code': 'print(1)', 'id': 'x1'}}
RESULT = {'codeExecutionResult': {'outcome': 'OUTCOME_OK', 'output': '1\n', 'id': 'x1'}}

PARTS: list[Json] = [
    {'text': 'Let me think.', 'thought': True},
    {'text': 'Signed thoughts.', 'thought': True, 'thoughtSignature': 'c2ln'},
    {'text': 'So it is. '},
    {'text': 'Signed words.', 'thoughtSignature': 'd29y'},
    {'text': 'And more.'},
    {**tool_call(city='Rome'), 'thoughtSignature': 'Y2Fs'},
    tool_call(id='c2', city='Bonn'),
    {**SEARCH, 'thoughtSignature': 'c2Vh'},
    {**FOUND, 'thoughtSignature': 'Zm91'},
    {'toolCall': {'toolType': 'GOOGLE_MAPS', 'args': {}, 'id': 'm1'}},
    {'toolResponse': {'toolType': 'GOOGLE_MAPS', 'response': {'places': []}, 'id': 'm1'}},
    CODE,
    RESULT,
    {'inlineData': {'mimeType': 'image/png', 'data': PIXEL_DATA}, 'thoughtSignature': 'aW1n'},
    {'text': '', 'thoughtSignature': 'bGFzdA=='},
]
"""Every kind of part that a response can have and that is sent back."""
