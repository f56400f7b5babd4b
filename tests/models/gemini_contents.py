"""What the tests of the Gemini room share: requests as they are sent, answers as they are read."""

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
from pydantic_llm.models.gemini.decode import decode, decode_end, decode_event
from pydantic_llm.providers.google_vertex import GoogleVertexProvider
from pydantic_llm.tools.definition import ToolDefinition

Json = dict[str, Any]

FLASH, OLD, DRAWS = 'gemini-3-flash-preview', 'gemini-2.5-flash', 'gemini-2.5-flash-image'
PIXEL = BinaryContent(b'png\xff\xfe', media_type='image/png')
PIXEL_DATA = 'cG5n__4='
CITY: Json = {'type': 'object', 'properties': {'city': {'type': 'string'}}, 'required': ['city']}
WEATHER = ToolDefinition('weather', CITY, 'Tells the weather.')
TIME = ToolDefinition('time', CITY)
FINAL = ToolDefinition('final_result', CITY, kind='output')
SKIP = 'c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I='
"""What stands in the place of a signature that there is none of."""


def ask(*parts: Any, **more: Any) -> ModelRequest:
    """A request; text is a user's prompt."""
    return ModelRequest([UserPromptPart(part) if isinstance(part, (str, list)) else part for part in parts], **more)


def say(*parts: Any, name: str = 'google-gla', **more: Any) -> ModelResponse:
    """An answer of one of Google's APIs, whose parts say that they are its."""
    return ModelResponse([replace(part, provider_name=name) for part in parts], provider_name=name, **more)


def gemini(name: str = FLASH, *, vertex: bool = False, **more: Any) -> GeminiModel:
    """A model that is never asked."""
    if vertex:
        return GeminiModel(name, provider=GoogleVertexProvider(api_key='k'), **more)
    return GeminiModel(name, api_key='k', **more)


class Sent:
    """A request as it is sent."""

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
        """Roles and parts; a lone text stands for its part."""
        return [(content['role'], *map(plain, content['parts'])) for content in self.body['contents']]

    @property
    def config(self) -> Json:
        """How the answer is made."""
        config: Json = self.body.get('generationConfig', {})
        return config


def plain(part: Json) -> Any:
    return part['text'] if part.keys() == {'text'} else part


def call(name: str = 'weather', id: str = 'c1', signature: str | None = None, **args: Any) -> Json:
    signed = {'thoughtSignature': signature} if signature else {}
    return {'functionCall': {'id': id, 'name': name, 'args': args}, **signed}


def returned(response: Json, id: str = 'c1', name: str = 'weather', **more: Any) -> Json:
    return {'functionResponse': {'id': id, 'name': name, 'response': response, **more}}


def chunk(*parts: Json, finish: str | None = None, usage: Json | None = None, **facts: Any) -> Json:
    """One chunk of a stream."""
    candidate: Json = {'content': {'role': 'model', 'parts': list(parts)}, 'index': 0, **facts}
    if finish:
        candidate['finishReason'] = finish
    return {'candidates': [candidate], **({'usageMetadata': usage} if usage else {}), 'modelVersion': 'answered'}


def read(*events: Json, provider: str = 'google-gla') -> ModelResponse:
    """What is made of a stream."""
    draft = ResponseDraft('asked', provider)
    for event in events:
        decode_event(event, draft)
    decode_end(draft)
    draft.parts.end(complete=draft.state == 'complete')
    return draft.get()


def read_whole(body: Any, provider: str = 'google-gla') -> ModelResponse:
    """What is made of a body."""
    draft = ResponseDraft('asked', provider)
    decode(body, draft)
    return draft.get()


def streamed(parts: list[Json], **facts: Any) -> Iterator[Json]:
    """The chunks that tell of these parts as Google does: one for each, text in pieces, unless it is signed."""
    for part in parts:
        if 'text' in part and 'thoughtSignature' not in part and part['text']:
            for piece in (part['text'][:2], part['text'][2:]):
                yield chunk({**part, 'text': piece})
        else:
            yield chunk(part)
    yield chunk(finish='STOP', **facts)


def what_counts(response: ModelResponse) -> list[Json]:
    """The fields of the parts, without what is made up."""
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
    {**call(city='Rome'), 'thoughtSignature': 'Y2Fs'},
    call(id='c2', city='Bonn'),
    {**SEARCH, 'thoughtSignature': 'c2Vh'},
    {**FOUND, 'thoughtSignature': 'Zm91'},
    {'toolCall': {'toolType': 'GOOGLE_MAPS', 'args': {}, 'id': 'm1'}},
    {'toolResponse': {'toolType': 'GOOGLE_MAPS', 'response': {'places': []}, 'id': 'm1'}},
    CODE,
    RESULT,
    {'inlineData': {'mimeType': 'image/png', 'data': PIXEL_DATA}, 'thoughtSignature': 'aW1n'},
    {'text': '', 'thoughtSignature': 'bGFzdA=='},
]
"""Every kind of part that there is in answers, and may be sent back."""
