"""The body of `POST /responses` → messages, settings and parameters: `encode` and `options`, read backwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
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
    ToolReturnPart,
    UploadedFile,
    UserContent,
    UserPromptPart,
)
from ....messages.request import ModelRequestPart
from ....messages.response import ModelResponsePart
from ....settings import ModelSettings
from ....streaming.draft import ResponseDraft
from ....tools.definition import ToolDefinition
from ... import ModelRequestParameters, OutputObjectDefinition
from ..thinking import THINKING_LEVELS
from .decode_items import finish_item
from .native_tools import decode_native_tool
from .settings import ENCRYPTED, INCLUDES, OWN_SETTINGS, REASONING, SETTINGS

OURS = {wire: name for name, wire in (OWN_SETTINGS | SETTINGS).items()} | {'parallel_tool_calls': 'parallel_tool_calls'}
"""The API's names of settings, and ours."""

STRUCTURE = frozenset(
    {
        'model',
        'input',
        'instructions',
        'tools',
        'tool_choice',
        'text',
        'reasoning',
        'include',
        'stream',
        'stream_options',
    }
)
"""The fields of the body that are no settings."""

ASKED = frozenset({'function_call_output', 'item_reference'})
"""The types of items that no answer holds."""


def decode_input(items: Iterable[Json], instructions: str | None, provider_name: str) -> list[ModelMessage]:
    """The conversation: neighbouring items of one side are one message."""
    history: list[ModelMessage] = []
    names: dict[str, str] = {}
    for is_answer, group in groupby(items, _is_answer):
        if is_answer:
            response = ModelResponse(decode_answer(group, provider_name), provider_name=provider_name)
            names |= {call.tool_call_id: call.tool_name for call in response.tool_calls}
            history.append(response)
        else:
            history.append(ModelRequest([decode_part(item, names) for item in group]))
    return _instructed(history, instructions)


def _instructed(history: list[ModelMessage], instructions: str | None) -> list[ModelMessage]:
    """The newest request carries the instructions."""
    if instructions and history and isinstance(history[-1], ModelRequest):
        history[-1] = ModelRequest(history[-1].parts, instructions=instructions)
    elif instructions:
        history.append(ModelRequest([], instructions=instructions))
    return history


def _is_answer(item: Json) -> bool:
    return bool(item['role'] == 'assistant') if 'role' in item else item.get('type') not in ASKED


def decode_part(item: Json, names: dict[str, str]) -> ModelRequestPart:
    """One item of the user's side."""
    match item:
        case {'role': 'system' | 'developer', 'content': content}:
            return SystemPromptPart(_text(content))
        case {'role': 'user', 'content': str() as content}:
            return UserPromptPart(content)
        case {'role': 'user', 'content': list()}:
            return UserPromptPart([decode_content(part) for part in cast('list[Json]', item['content'])])
        case {'type': 'function_call_output', 'call_id': id, 'output': str() as output}:
            return ToolReturnPart(names.get(id, ''), output, id)
        case {'type': 'function_call_output', 'call_id': id, 'output': list()}:
            content = [decode_content(part) for part in cast('list[Json]', item['output'])]
            return ToolReturnPart(names.get(id, ''), content, id)
        case _:
            raise UserError(f'The input holds an item that this server does not know: {item.get("type") or item!r}')


def decode_content(part: Json) -> UserContent:
    """One part of a user's message, or of what a tool returned."""
    match part:
        case {'type': 'input_text' | 'text' | 'output_text', 'text': str() as text}:
            return text
        case {'type': 'input_image', 'file_id': str() as id}:
            return UploadedFile(id, 'openai', media_type='image/*', vendor_metadata=_metadata(part))
        case {'type': 'input_file', 'file_id': str() as id}:
            return UploadedFile(id, 'openai')
        case {'type': 'input_image', 'image_url': str() as url}:
            return _image(url, _metadata(part))
        case {'type': 'input_file', 'file_data': str() as data}:
            return BinaryContent.from_data_uri(data)
        case {'type': 'input_file', 'file_url': url}:
            return DocumentUrl(url)
        case _:
            raise UserError(
                f'A message holds content of the type {part.get("type")!r}, which this server does not know'
            )


def _metadata(part: Json) -> Json | None:
    detail = part.get('detail')
    return {'detail': detail} if detail not in (None, 'auto') else None


def _image(url: str, metadata: Json | None) -> UserContent:
    if not url.startswith('data:'):
        return ImageUrl(url, vendor_metadata=metadata)
    image = BinaryContent.from_data_uri(url)
    return BinaryContent(image.data, media_type=image.media_type, vendor_metadata=metadata)


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    return ''.join(part.get('text', '') for part in cast('list[Json]', content))


def decode_answer(items: Iterable[Json], provider_name: str) -> list[ModelResponsePart]:
    """The parts of items that an earlier answer was made of, read as `decode` reads them."""
    draft = ResponseDraft('', provider_name)
    for number, item in enumerate(items):
        if item.get('role') == 'assistant' and 'id' not in item:
            details = {'phase': item['phase']} if item.get('phase') else None
            part = TextPart(_text(item['content']), provider_name=provider_name, provider_details=details)
            draft.parts.whole(('said', number), part)
        else:
            finish_item({'type': 'message', **item}, draft)
    return draft.parts.get()


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
    reasoning: Json = body.get('reasoning') or {}
    for name, wire in REASONING.items():
        if (value := reasoning.get(wire)) is not None:
            settings |= (
                {'thinking': THINKING_LEVELS[value]} if wire == 'effort' and value in THINKING_LEVELS else {name: value}
            )
    text: Json = body.get('text') or {}
    if (verbosity := text.get('verbosity')) is not None:
        settings['openai_text_verbosity'] = verbosity
    settings |= _includes(body.get('include') or ())
    if (choice := _tool_choice(body.get('tool_choice'))) is not None:
        settings['tool_choice'] = choice
    if raw := [tool for tool in body.get('tools') or () if not _is_function(tool) and decode_native_tool(tool) is None]:
        settings['openai_native_tools'] = raw
    return cast('ModelSettings', settings)


def _includes(wanted: Sequence[str]) -> Json:
    """The settings that ask for more; what only the API has a name for is kept as it is."""
    settings: Json = {name: True for name, wire in INCLUDES.items() if wire in wanted and name != 'logprobs'}
    if more := [wire for wire in wanted if wire not in (*INCLUDES.values(), ENCRYPTED)]:
        settings['openai_include'] = more
    return settings


def _tool_choice(choice: Any) -> Any:
    match choice:
        case None | 'auto':
            return None
        case {'type': 'function', 'name': name}:
            return [name]
        case {'type': 'allowed_tools', 'tools': tools}:
            return [tool['name'] for tool in tools]
        case _:
            return choice


def decode_parameters(body: Json) -> ModelRequestParameters:
    """The tools, and what the answer is held to."""
    given: list[Json] = body.get('tools') or []
    tools = [_tool(tool) for tool in given if _is_function(tool)]
    native = [made for tool in given if not _is_function(tool) and (made := decode_native_tool(tool)) is not None]
    text: Json = body.get('text') or {}
    format: Any = text.get('format')
    match format:
        case {'type': 'json_schema', 'name': name, 'schema': schema}:
            definition = OutputObjectDefinition(schema, name, format.get('description'), format.get('strict'))
            return ModelRequestParameters(tools, output_mode='native', output_object=definition, native_tools=native)
        case {'type': 'json_object'}:
            anything = OutputObjectDefinition({'type': 'object'})
            return ModelRequestParameters(
                tools,
                output_mode='prompted',
                output_object=anything,
                prompted_output_template='',
                native_tools=native,
            )
        case _:
            return ModelRequestParameters(tools, native_tools=native)


def _is_function(tool: Json) -> bool:
    return bool(tool.get('type') == 'function')


def _tool(tool: Json) -> ToolDefinition:
    schema: Json = tool.get('parameters') or {'type': 'object', 'properties': {}}
    return ToolDefinition(tool['name'], schema, tool.get('description') or None, strict=bool(tool.get('strict')))
