"""The body of `POST /v2/chat` → messages, settings and parameters: `encode` and `options`, read backwards."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, cast

from pydantic_core import from_json

from ...exceptions import UserError
from ...json_types import Json
from ...messages import (
    BinaryContent,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from ...messages.request import ModelRequestPart
from ...settings import ModelSettings, ThinkingLevel
from ...streaming.draft import ResponseDraft
from ...tools.definition import ToolDefinition
from .. import ModelRequestParameters, OutputObjectDefinition
from .decode import decode_message
from .options import BUDGETS
from .settings import OWN_SETTINGS, SETTINGS

OURS = {wire: name for name, wire in (OWN_SETTINGS | SETTINGS).items()} | {
    'thinking': 'cohere_thinking',
    'strict_tools': 'cohere_strict_tools',
}
"""The API's names of settings, and ours."""

STRUCTURE = frozenset({'model', 'messages', 'tools', 'tool_choice', 'response_format', 'stream'})
"""The fields of the body that are no settings."""

TOOL_CHOICES = {'REQUIRED': 'required', 'NONE': 'none'}
"""The API's words for whether tools must be called, and ours."""

# ---------------------------------------------------------------------- messages


def decode_messages(body: Json, provider_name: str) -> list[ModelMessage]:
    """The conversation: what stands between two answers of the assistant's is one request."""
    history: list[ModelMessage] = []
    names: dict[str, str] = {}
    for message in cast('list[Json]', body['messages']):
        if message['role'] == 'assistant':
            response = decode_assistant(message, provider_name)
            names |= {part.tool_call_id: part.tool_name for part in response.parts if isinstance(part, ToolCallPart)}
            history.append(response)
            continue
        part = decode_part(message, names)
        if history and isinstance(last := history[-1], ModelRequest):
            history[-1] = ModelRequest([*last.parts, part])
        else:
            history.append(ModelRequest([part]))
    return history


def decode_assistant(message: Json, provider_name: str) -> ModelResponse:
    """An answer that comes back as history, which is read as an answer is."""
    draft = ResponseDraft('', provider_name)
    decode_message(message, draft)
    return ModelResponse(draft.parts.get(), provider_name=provider_name)


def decode_part(message: Json, names: dict[str, str]) -> ModelRequestPart:
    """One message that is not the assistant's."""
    match message:
        case {'role': 'system', 'content': content}:
            return SystemPromptPart(_text(content))
        case {'role': 'user', 'content': str() as content}:
            return UserPromptPart(content)
        case {'role': 'user', 'content': list()}:
            return UserPromptPart([decode_content(item) for item in cast('list[Json]', message['content'])])
        case {'role': 'tool', 'tool_call_id': id, 'content': content}:
            return ToolReturnPart(names.get(id, ''), _returned(content), id)
        case _:
            raise UserError(f'A message has the role {message.get("role")!r} and content that does not fit it')


def decode_content(item: Json) -> UserContent:
    """One block of a user's message."""
    match item:
        case {'type': 'text', 'text': str() as text}:
            return text
        case {'type': 'image_url', 'image_url': {'url': str() as url} as image}:
            metadata = {'detail': image['detail']} if image.get('detail') else None
            return _image(url, metadata)
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


def _text(content: Any) -> str:
    return content if isinstance(content, str) else '\n'.join(block['text'] for block in cast('list[Json]', content))


def _returned(content: Any) -> Any:
    """What a tool returned: a text, or a list of texts and of documents."""
    if isinstance(content, str):
        return content
    items = [_item(block) for block in cast('list[Json]', content)]
    return items[0] if len(items) == 1 and isinstance(items[0], str) else items


def _item(block: Json) -> Any:
    """The text of a block, or the data of its document, which some clients write as JSON; the id stays beside it."""
    if block['type'] == 'text':
        return block['text']
    document: Json = block['document']
    data: Any = document['data']
    with suppress(ValueError):
        data = from_json(data) if isinstance(data, str) else data
    return {'id': document['id'], 'data': data} if document.get('id') else data


# ---------------------------------------------------------------------- settings, tools, output


def decode_settings(body: Json) -> ModelSettings:
    """The settings; a field that nobody knows is kept in `extra_body`."""
    settings: Json = {}
    for name, value in body.items():
        if name in STRUCTURE or value is None:
            continue
        if name in OURS:
            settings[OURS[name]] = value
        else:
            settings.setdefault('extra_body', {})[name] = value
    if (level := _level(body.get('thinking') or {})) is not None:
        settings['thinking'] = level
    if (choice := body.get('tool_choice')) is not None:
        if choice not in TOOL_CHOICES:
            raise UserError(f"'tool_choice' is {choice!r}, not one of {', '.join(TOOL_CHOICES)}")
        settings['tool_choice'] = TOOL_CHOICES[choice]
    return cast('ModelSettings', settings)


def _level(thinking: Json) -> ThinkingLevel | None:
    """How long to think, in our words too, for models of other vendors: the largest level that the budget pays for."""
    match thinking:
        case {'type': 'disabled'}:
            return False
        case {'token_budget': int() as budget}:
            fitting: list[ThinkingLevel] = [level for level, tokens in BUDGETS.items() if tokens <= budget]
            return fitting[-1] if fitting else 'minimal'
        case {'type': 'enabled'}:
            return True
        case _:
            return None


def decode_parameters(body: Json) -> ModelRequestParameters:
    """The tools, and what the answer is held to."""
    strict = bool(body.get('strict_tools'))
    tools = [_tool(tool, strict=strict) for tool in body.get('tools') or ()]
    wanted: Json = body.get('response_format') or {}
    schema: Any = wanted.get('json_schema', wanted.get('schema'))
    match wanted.get('type'), schema:
        case 'json_object', None:
            anything = OutputObjectDefinition({'type': 'object'})
            return ModelRequestParameters(
                tools, output_mode='prompted', output_object=anything, prompted_output_template=''
            )
        case 'json_object', dict():
            output = OutputObjectDefinition(cast('Json', schema), strict=True)
            return ModelRequestParameters(tools, output_mode='native', output_object=output)
        case 'json_object', _:
            raise UserError('schema must be an object')
        case _:
            return ModelRequestParameters(tools)


def _tool(tool: Json, *, strict: bool) -> ToolDefinition:
    function = tool['function']
    schema: Json = function.get('parameters') or {'type': 'object', 'properties': {}}
    return ToolDefinition(function['name'], schema, function.get('description') or None, strict=strict)
