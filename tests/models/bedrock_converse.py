"""Shared by the tests of Bedrock's room: short functions for messages and blocks, and boto3's model of the API."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape
from botocore.parsers import create_parser
from botocore.validate import ParamValidator
from pydantic_core import from_json, to_json

from pydantic_llm.messages import BinaryContent, ModelRequest, ModelResponse, UserPromptPart
from pydantic_llm.models import ModelRequestParameters, ResponseDraft
from pydantic_llm.models.bedrock import BedrockConverseModel
from pydantic_llm.models.bedrock.decode import BedrockDecoder
from pydantic_llm.providers.bedrock import BedrockProvider
from pydantic_llm.tools.definition import ToolDefinition

Json = dict[str, Any]

CLAUDE = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0'
NOVA = 'us.amazon.nova-2-lite-v1:0'
LLAMA = 'us.meta.llama4-maverick-17b-instruct-v1:0'
MISTRAL = 'mistral.mistral-large-2407-v1:0'
QWEN = 'qwen.qwen3-32b-v1:0'
GPT_OSS = 'openai.gpt-oss-120b-1:0'

PIXEL = BinaryContent(b'png', media_type='image/png')
PAGE = BinaryContent(b'pdf', media_type='application/pdf')
FILM = BinaryContent(b'mp4', media_type='video/mp4')
CITY: Json = {'type': 'object', 'properties': {'city': {'type': 'string'}}, 'required': ['city']}
WEATHER = ToolDefinition('weather', CITY, 'Tells the weather.')
TIME = ToolDefinition('time', CITY)
FINAL = ToolDefinition('final_result', CITY, kind='output')

# ---------------------------------------------------------------------- boto3 as the oracle


@cache
def load_service_model() -> ServiceModel:
    """Return boto3's model of Bedrock's API."""
    return ServiceModel(Loader().load_service_model('bedrock-runtime', 'service-2'), 'bedrock-runtime')


def check_request(body: Json, *, stream: bool = False) -> None:
    """Raise if boto3 would not send the body: unknown fields, wrong types or lengths, two members of a union."""
    operation = load_service_model().operation_model('ConverseStream' if stream else 'Converse')
    sent = _decode_blobs(from_json(to_json(body)), operation.input_shape)
    report = ParamValidator().validate({'modelId': 'm', **sent}, operation.input_shape)
    assert not report.has_errors(), report.generate_report()


def _decode_blobs(value: Any, shape: Shape) -> Any:
    """Return the value as boto3 accepts it, with bytes instead of base64."""
    match shape.type_name:
        case 'structure' if not getattr(shape, 'is_document_type', False):
            members = shape.members
            return {
                name: _decode_blobs(item, members[name]) if name in members else item for name, item in value.items()
            }
        case 'list':
            return [_decode_blobs(item, shape.member) for item in value]
        case 'map':
            return {name: _decode_blobs(item, shape.value) for name, item in value.items()}
        case 'blob':
            return b64decode(value, validate=True)
        case _:
            return value


def parse_with_boto3(body: Json) -> Json:
    """Return a whole response as boto3 returns it."""
    response = {'status_code': 200, 'headers': {}, 'body': to_json(body)}
    shape = load_service_model().operation_model('Converse').output_shape
    parsed: Json = create_parser('rest-json').parse(response, shape)
    return {name: value for name, value in parsed.items() if name != 'ResponseMetadata'}


# ---------------------------------------------------------------------- requests


@cache
def make_model(name: str = CLAUDE, profile: Any = None) -> BedrockConverseModel:
    provider = BedrockProvider(api_key='k', base_url='http://127.0.0.1:1')
    return BedrockConverseModel(name, provider=provider, profile=profile)


def ask(*parts: Any, **more: Any) -> ModelRequest:
    """Return a request; text becomes a user prompt."""
    return ModelRequest([UserPromptPart(part) if isinstance(part, (str, list)) else part for part in parts], **more)


def say(*parts: Any, **more: Any) -> ModelResponse:
    """Return a response of Bedrock."""
    return ModelResponse(list(parts), provider_name='bedrock', **more)


class Sent:
    """A request in its encoded form."""

    def __init__(
        self,
        messages: Sequence[Any],
        settings: Any = None,
        name: str = CLAUDE,
        *,
        stream: bool = False,
        profile: Any = None,
        **parameters: Any,
    ) -> None:
        model = make_model(name, profile)
        self.request = model.prepare(messages, settings, ModelRequestParameters(**parameters), stream=stream)
        self.body = model.encode(self.request)
        self.path = model.path(self.request)
        self.warnings = self.request.warnings
        check_request(self.body, stream=stream)

    @property
    def turns(self) -> list[Any]:
        """Roles and content; a block with text only is shown as its text."""
        return [(message['role'], *map(plain, message['content'])) for message in self.body['messages']]

    @property
    def fields(self) -> Json:
        """The model's own fields."""
        return self.body.get('additionalModelRequestFields', {})


def plain(block: Json) -> Any:
    return block['text'] if block.keys() == {'text'} else block


def tool_call(id: str, name: str = 'weather', **args: Any) -> Json:
    return {'toolUse': {'toolUseId': id, 'name': name, 'input': args}}


def tool_result(id: str, *content: Any, status: str | None = 'success') -> Json:
    blocks = [{'text': item} if isinstance(item, str) else item for item in content]
    return {'toolResult': {'toolUseId': id, 'content': blocks, **({'status': status} if status else {})}}


def image(data: str = 'cG5n') -> Json:
    return {'image': {'format': 'png', 'source': {'bytes': data}}}


POINT = {'cachePoint': {'type': 'default'}}

# ---------------------------------------------------------------------- responses


def new_draft(name: str = CLAUDE) -> ResponseDraft:
    return ResponseDraft(name, 'bedrock', 'http://127.0.0.1:1')


def response_body(*content: Json, stop: str = 'end_turn', **more: Any) -> Json:
    """Return the body of a whole response."""
    usage = {'inputTokens': 3, 'outputTokens': 2, 'totalTokens': 5}
    message = {'role': 'assistant', 'content': [*content]}
    return {'output': {'message': message}, 'stopReason': stop, 'usage': usage, 'metrics': {'latencyMs': 9}, **more}


def decode_whole(body: Json) -> ModelResponse:
    decoder = BedrockDecoder(new_draft())
    decoder.decode(body)
    return decoder.draft.get()


def decode_stream(events: Iterable[Json]) -> ModelResponse:
    decoder = BedrockDecoder(new_draft())
    for event in events:
        decoder.decode_event(event)
    return decoder.draft.get()


def block_delta(index: int, **delta: Any) -> Json:
    return {'contentBlockDelta': {'contentBlockIndex': index, 'delta': delta}}


def block_start(index: int, **start: Any) -> Json:
    return {'contentBlockStart': {'contentBlockIndex': index, 'start': start}}


def block_stop(index: int) -> Json:
    return {'contentBlockStop': {'contentBlockIndex': index}}


def stream_end(reason: str = 'end_turn', **more: Any) -> list[Json]:
    usage = {'inputTokens': 3, 'outputTokens': 2, 'totalTokens': 5}
    return [
        {'messageStop': {'stopReason': reason}},
        {'metadata': {'usage': usage, 'metrics': {'latencyMs': 9}, **more}},
    ]
