"""The body of `POST /chat/completions` → messages, settings and parameters: `encode` and `options`, read backwards."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable
from typing import Any, cast

from ....exceptions import UserError
from ....json_types import Json
from ....messages import (
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from ....messages.request import ModelRequestPart
from ....messages.response import ModelResponsePart
from ....settings import ModelSettings
from ....streaming.draft import ResponseDraft
from ....streaming.parts import LAST
from ....tools.definition import ToolDefinition
from ... import ModelRequestParameters, OutputObjectDefinition
from ..thinking import THINKING_FIELDS, THINKING_LEVELS
from .decode import DETAIL_PARTS
from .decode_chunks import ChunkDecoder
from .dialect import Dialect

OURS = {
    'max_tokens': 'max_tokens',
    'max_completion_tokens': 'max_tokens',
    'parallel_tool_calls': 'parallel_tool_calls',
}
"""The names of settings that every dialect has, and ours."""

STRUCTURE = frozenset(
    {'model', 'messages', 'tools', 'tool_choice', 'response_format', 'stream', 'stream_options', 'reasoning_effort'}
)
"""The fields of the body that are no settings."""


def decode_messages(messages: Iterable[Json], provider_name: str) -> list[ModelMessage]:
    """The conversation: what stands between two answers of the assistant's is one request."""
    history: list[ModelMessage] = []
    names: dict[str, str] = {}
    for message in messages:
        if message['role'] == 'assistant':
            response = ModelResponse(decode_assistant(message, provider_name), provider_name=provider_name)
            names |= {call.tool_call_id: call.tool_name for call in response.tool_calls}
            history.append(response)
            continue
        part = decode_part(message, names, provider_name)
        if history and isinstance(history[-1], ModelRequest):
            history[-1] = ModelRequest([*history[-1].parts, part])
        else:
            history.append(ModelRequest([part]))
    return history


def decode_part(message: Json, names: dict[str, str], provider_name: str) -> ModelRequestPart:
    """One message that is not the assistant's."""
    match message:
        case {'role': 'system' | 'developer', 'content': content}:
            return SystemPromptPart(_text(content))
        case {'role': 'user', 'content': str() as content}:
            return UserPromptPart(content)
        case {'role': 'user', 'content': list()}:
            items = cast('list[Json]', message['content'])
            return UserPromptPart([decode_content(item, provider_name) for item in items])
        case {'role': 'tool', 'tool_call_id': id}:
            return ToolReturnPart(names.get(id, ''), _text(message.get('content')), id)
        case _:
            raise UserError(f'A message has the role {message.get("role")!r} and content that does not fit it')


def decode_content(item: Json, provider_name: str) -> UserContent:
    """One part of a user's message."""
    match item:
        case {'type': 'text', 'text': str() as text}:
            return text
        case {'type': 'image_url', 'image_url': {'url': url} as image}:
            metadata = {'detail': image['detail']} if image.get('detail') else None
            return _image(url, metadata)
        case {'type': 'input_audio', 'input_audio': {'data': data, 'format': format}}:
            media_type = 'audio/mpeg' if format == 'mp3' else f'audio/{format}'
            return BinaryContent(b64decode(data), media_type=media_type)
        case {'type': 'file', 'file': {'file_id': id}}:
            return UploadedFile(id, provider_name)
        case {'type': 'file', 'file': {'file_data': str() as data}} if data.startswith('data:'):
            return BinaryContent.from_data_uri(data)
        case {'type': 'file', 'file': {'file_data': url}}:
            return DocumentUrl(url)
        case {'type': 'video_url', 'video_url': {'url': url}}:
            return BinaryContent.from_data_uri(url) if url.startswith('data:') else VideoUrl(url)
        case _:
            raise UserError(
                f'A message holds content of the type {item.get("type")!r}, which this server does not know'
            )


def _image(url: str, metadata: Json | None) -> UserContent:
    if not url.startswith('data:'):
        return ImageUrl(url, vendor_metadata=metadata)
    image = BinaryContent.from_data_uri(url)
    image.vendor_metadata = metadata
    return image


def _text(content: object) -> str:
    if content is None or isinstance(content, str):
        return content or ''
    return ''.join(item.get('text', '') for item in cast('list[Json]', content))


def decode_assistant(message: Json, provider_name: str) -> list[ModelResponsePart]:
    """The parts of an answer that comes back as history."""
    parts: list[ModelResponsePart] = [
        *(_detail(detail, provider_name) for detail in message.get('reasoning_details') or ()),
        *(
            ThinkingPart(message[name], id=name, provider_name=provider_name)
            for name in THINKING_FIELDS
            if message.get(name)
        ),
    ]
    if isinstance(content := message.get('content'), list):
        parts += _listed(cast('list[Json]', content), provider_name)
    elif content is not None:
        parts.append(TextPart(_text(content)))
    for call in message.get('tool_calls') or ():
        more: Json = {}
        if extra := call.get('extra_content'):
            more = {'provider_name': provider_name, 'provider_details': {'extra_content': extra}}
        function = call['function']
        parts.append(ToolCallPart(function['name'], function.get('arguments') or '', call['id'], **more))
    return parts


def _listed(content: Iterable[Json], provider_name: str) -> list[ModelResponsePart]:
    """The parts of a content that is a list, as in an answer of the vendor's."""
    draft = ResponseDraft('', provider_name)
    ChunkDecoder(draft, lambda text: draft.parts.text(LAST, cast('str', text))).decode(content)
    return draft.parts.get()


def _detail(detail: Json, provider_name: str) -> ThinkingPart:
    kind = detail.get('type', '')
    encrypted = kind == 'reasoning.encrypted'
    return ThinkingPart(
        '' if encrypted else detail.get(DETAIL_PARTS.get(kind, 'text')) or '',
        id=detail.get('id'),
        signature=detail.get('data') if encrypted else detail.get('signature'),
        provider_name=provider_name,
        provider_details={name: detail[name] for name in ('format', 'index', 'type') if detail.get(name) is not None},
    )


# ---------------------------------------------------------------------- settings, tools, output


def decode_settings(body: Json, dialect: Dialect) -> ModelSettings:
    """The settings; a field that nobody knows is kept in `extra_body`."""
    settings: Json = {}
    ours = {wire: name for name, wire in {**dialect.own_settings, **dialect.settings}.items()} | OURS
    for name, value in body.items():
        if name in STRUCTURE or value is None:
            continue
        if name in ours:
            settings[ours[name]] = value
        else:
            settings.setdefault('extra_body', {})[name] = value
    if isinstance(settings.get('stop_sequences'), str):
        settings['stop_sequences'] = [settings['stop_sequences']]
    if effort := body.get('reasoning_effort'):
        settings |= (
            {'thinking': THINKING_LEVELS[effort]} if effort in THINKING_LEVELS else {ours['reasoning_effort']: effort}
        )
    if (choice := _tool_choice(body.get('tool_choice'))) is not None:
        settings['tool_choice'] = choice
    return cast('ModelSettings', settings)


def _tool_choice(choice: Any) -> Any:
    match choice:
        case None | 'auto':
            return None
        case {'function': {'name': name}}:  # Hugging Face's client leaves the type out
            return [name]
        case {'type': 'allowed_tools', 'allowed_tools': {'tools': tools}}:
            return [tool['function']['name'] for tool in tools]
        case 'none' | 'required':
            return choice
        case _:
            raise UserError(f"'tool_choice' is {choice!r}, which is no choice of tools")


def decode_parameters(body: Json) -> ModelRequestParameters:
    """The tools, and what the answer is held to."""
    tools = [_tool(tool) for tool in body.get('tools') or ()]
    match body.get('response_format'):
        case {'type': 'json_schema', 'json_schema': {'schema': schema} as output}:
            definition = OutputObjectDefinition(
                schema, output.get('name'), output.get('description'), output.get('strict')
            )
            return ModelRequestParameters(tools, output_mode='native', output_object=definition)
        case {'type': 'json_object', 'value': dict()} | {'type': 'json_object', 'schema': dict()}:
            held: Json = body['response_format']
            definition = OutputObjectDefinition(
                held['value'] if isinstance(held.get('value'), dict) else held['schema']
            )
            return ModelRequestParameters(tools, output_mode='native', output_object=definition)
        case {'type': 'json_object'}:
            anything = OutputObjectDefinition({'type': 'object'})
            return ModelRequestParameters(
                tools, output_mode='prompted', output_object=anything, prompted_output_template=''
            )
        case _:
            return ModelRequestParameters(tools)


def _tool(tool: Json) -> ToolDefinition:
    function = tool['function']
    schema: Json = function.get('parameters') or {'type': 'object', 'properties': {}}
    strict = bool(function.get('strict'))
    return ToolDefinition(function['name'], schema, function.get('description') or None, strict=strict)
