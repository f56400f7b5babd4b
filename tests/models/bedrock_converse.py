"""What the tests of Bedrock's room share: short words for messages and blocks, and boto3's own model of the service."""

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
from pydantic_llm.models.bedrock.decode import decode, decode_event
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

# ---------------------------------------------------------------------- the oracle


@cache
def service() -> ServiceModel:
    """Bedrock's API, as boto3 knows it."""
    return ServiceModel(Loader().load_service_model('bedrock-runtime', 'service-2'), 'bedrock-runtime')


def check_request(body: Json, *, stream: bool = False) -> None:
    """Fail for a body that boto3 would not send: unknown fields, wrong types, lengths, two members of a union."""
    operation = service().operation_model('ConverseStream' if stream else 'Converse')
    sent = _with_bytes(from_json(to_json(body)), operation.input_shape)
    report = ParamValidator().validate({'modelId': 'm', **sent}, operation.input_shape)
    assert not report.has_errors(), report.generate_report()


def _with_bytes(value: Any, shape: Shape) -> Any:
    """The value as a user of boto3 gives it: bytes where the wire has base64."""
    match shape.type_name:
        case 'structure' if not getattr(shape, 'is_document_type', False):
            members = shape.members
            return {name: _with_bytes(item, members[name]) if name in members else item for name, item in value.items()}
        case 'list':
            return [_with_bytes(item, shape.member) for item in value]
        case 'map':
            return {name: _with_bytes(item, shape.value) for name, item in value.items()}
        case 'blob':
            return b64decode(value, validate=True)
        case _:
            return value


def parsed(body: Json) -> Json:
    """A whole answer as boto3 hands it to its users."""
    answer = {'status_code': 200, 'headers': {}, 'body': to_json(body)}
    shape = service().operation_model('Converse').output_shape
    read: Json = create_parser('rest-json').parse(answer, shape)
    return {name: value for name, value in read.items() if name != 'ResponseMetadata'}


# ---------------------------------------------------------------------- what is sent


@cache
def model(name: str = CLAUDE, profile: Any = None) -> BedrockConverseModel:
    provider = BedrockProvider(api_key='k', base_url='http://127.0.0.1:1')
    return BedrockConverseModel(name, provider=provider, profile=profile)


def ask(*parts: Any, **more: Any) -> ModelRequest:
    """A request; text is a user's prompt."""
    return ModelRequest([UserPromptPart(part) if isinstance(part, (str, list)) else part for part in parts], **more)


def say(*parts: Any, **more: Any) -> ModelResponse:
    """An answer of Bedrock's."""
    return ModelResponse(list(parts), provider_name='bedrock', **more)


class Sent:
    """A request as it is sent."""

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
        speaker = model(name, profile)
        self.request = speaker.prepare(messages, settings, ModelRequestParameters(**parameters), stream=stream)
        self.body = speaker.encode(self.request)
        self.path = speaker.path(self.request)
        self.warnings = self.request.warnings
        check_request(self.body, stream=stream)

    @property
    def turns(self) -> list[Any]:
        """Roles and content; a lone text stands for its block."""
        return [(message['role'], *map(plain, message['content'])) for message in self.body['messages']]

    @property
    def fields(self) -> Json:
        """The model's own fields."""
        return self.body.get('additionalModelRequestFields', {})


def plain(block: Json) -> Any:
    return block['text'] if block.keys() == {'text'} else block


def call(id: str, name: str = 'weather', **args: Any) -> Json:
    return {'toolUse': {'toolUseId': id, 'name': name, 'input': args}}


def result(id: str, *content: Any, status: str | None = 'success') -> Json:
    blocks = [{'text': item} if isinstance(item, str) else item for item in content]
    return {'toolResult': {'toolUseId': id, 'content': blocks, **({'status': status} if status else {})}}


def image(data: str = 'cG5n') -> Json:
    return {'image': {'format': 'png', 'source': {'bytes': data}}}


POINT = {'cachePoint': {'type': 'default'}}

# ---------------------------------------------------------------------- what is answered


def draft(name: str = CLAUDE) -> ResponseDraft:
    return ResponseDraft(name, 'bedrock', 'http://127.0.0.1:1')


def answer(*content: Json, stop: str = 'end_turn', **more: Any) -> Json:
    """The body of a whole answer."""
    usage = {'inputTokens': 3, 'outputTokens': 2, 'totalTokens': 5}
    message = {'role': 'assistant', 'content': [*content]}
    return {'output': {'message': message}, 'stopReason': stop, 'usage': usage, 'metrics': {'latencyMs': 9}, **more}


def read(body: Json) -> ModelResponse:
    """A whole answer, read."""
    reading = draft()
    decode(body, reading)
    return reading.get()


def read_stream(events: Iterable[Json]) -> ModelResponse:
    """A streamed answer, read."""
    reading = draft()
    for event in events:
        decode_event(event, reading)
    return reading.get()


def delta(index: int, **said: Any) -> Json:
    return {'contentBlockDelta': {'contentBlockIndex': index, 'delta': said}}


def start(index: int, **what: Any) -> Json:
    return {'contentBlockStart': {'contentBlockIndex': index, 'start': what}}


def stop(index: int) -> Json:
    return {'contentBlockStop': {'contentBlockIndex': index}}


def end(reason: str = 'end_turn', **more: Any) -> list[Json]:
    usage = {'inputTokens': 3, 'outputTokens': 2, 'totalTokens': 5}
    return [
        {'messageStop': {'stopReason': reason}},
        {'metadata': {'usage': usage, 'metrics': {'latencyMs': 9}, **more}},
    ]
