"""The body of `generateContent` → messages, settings and parameters: `encode` and `options`, read backwards."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Iterable
from typing import Any, cast

from ...exceptions import UserError
from ...messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from ...messages.request import ModelRequestPart
from ...native_tools import CodeExecutionTool, FileSearchTool, NativeTool, WebFetchTool, WebSearchTool
from ...settings import ModelSettings
from ...tools import ToolDefinition
from .. import ModelRequestParameters, OutputObjectDefinition
from .._draft import ResponseDraft
from .._serve import Json
from .decode import decode_parts
from .encode import NO_SIGNATURE, urlsafe
from .settings import GENERATION, TOP_LEVEL

URLS: dict[str, type[ImageUrl | AudioUrl | VideoUrl | DocumentUrl]] = {
    'image': ImageUrl,
    'audio': AudioUrl,
    'video': VideoUrl,
}
"""The kinds of addresses, by the beginning of their media type; the others are documents."""

OURS = {wire: name for name, wire in GENERATION.items()}
"""The API's names of settings of `generationConfig`, and ours."""

OUTPUT = frozenset({'responseMimeType', 'responseJsonSchema', 'responseSchema'})
"""What of `generationConfig` says how the answer is held to something."""


def decode_contents(contents: Iterable[Json], system: Json | None, provider_name: str) -> list[ModelMessage]:
    """The conversation: neighbouring turns of the user's are one request, with the system prompts before the first."""
    prompts = [SystemPromptPart(part['text']) for part in (system or {}).get('parts') or ()]
    history: list[ModelMessage] = [ModelRequest(prompts)] if prompts else []
    for content in contents:
        blocks: list[Json] = content.get('parts') or []
        if content.get('role') == 'model':
            history.append(ModelResponse(decode_answer(blocks, provider_name), provider_name=provider_name))
            continue
        parts = decode_request_parts(blocks)
        if history and isinstance(history[-1], ModelRequest):
            history[-1] = ModelRequest([*history[-1].parts, *parts])
        elif parts:
            history.append(ModelRequest(parts))
    return history


def decode_request_parts(blocks: Iterable[Json]) -> list[ModelRequestPart]:
    """The parts of one of the user's turns: what functions returned, and one prompt of all the rest."""
    parts: list[ModelRequestPart] = []
    said: list[UserContent] = []
    for block in blocks:
        answer: Json | None = block.get('functionResponse')
        if answer is None:
            said.append(decode_content(block))
        else:
            parts.append(_function_response(answer))
    if said and said != ['']:
        parts.append(UserPromptPart(said))
    return parts


def _function_response(answer: Json) -> ModelRequestPart:
    """What a function returned, with the files beside it."""
    name, id = answer['name'], answer.get('id') or answer['name']
    response: Json = answer.get('response') or {}
    files = [decode_content(part) for part in answer.get('parts') or ()]
    if response.keys() == {'error'} and isinstance(response['error'], str):
        return ToolReturnPart(name, response, id, outcome='failed')
    content: Any = response.get('return_value') if response.keys() == {'return_value'} else response
    return ToolReturnPart(name, [*([content] if content else []), *files] if files else content, id)


def decode_content(block: Json) -> UserContent:
    """One part of what a user says."""
    match block:
        case {'text': str() as text}:
            return text
        case {'inlineData': {'mimeType': media_type, 'data': data}}:
            return BinaryContent(urlsafe_b64decode(urlsafe(data)), media_type=media_type)
        case {'fileData': {'fileUri': url}}:
            return _address(url, block['fileData'].get('mimeType') or '')
        case _:
            raise UserError(f'A content holds a part that this server does not know: {list(block)}')


def _address(url: str, media_type: str) -> UserContent:
    kind = URLS.get(media_type.partition('/')[0], DocumentUrl)
    return kind(url, media_type=media_type or None)


def decode_answer(blocks: Iterable[Json], provider_name: str) -> list[Any]:
    """The parts of a model's turn, read as `decode` reads an answer."""
    draft = ResponseDraft('', provider_name)
    decode_parts([_signed(block) for block in blocks], draft)
    return draft.parts.get()


def _signed(block: Json) -> Json:
    """The block without a signature that was made up."""
    if block.get('thoughtSignature') == urlsafe(NO_SIGNATURE):
        return {name: value for name, value in block.items() if name != 'thoughtSignature'}
    return block


# ---------------------------------------------------------------------- settings, tools, output


def decode_settings(body: Json) -> ModelSettings:
    """The settings; fields of `generationConfig` that nobody knows are kept with it in `extra_body`."""
    settings: Json = {}
    config: Json = body.get('generationConfig') or {}
    for name, value in config.items():
        if name in OURS:
            settings[OURS[name]] = value
        elif name not in OUTPUT:
            settings.setdefault('extra_body', {})['generationConfig'] = config
    settings |= {name: body[wire] for name, wire in TOP_LEVEL.items() if wire in body}
    if choice := _tool_choice(body.get('toolConfig') or {}):
        settings['tool_choice'] = choice
    return cast('ModelSettings', settings)


def _tool_choice(config: Json) -> str | list[str] | None:
    calling: Json = config.get('functionCallingConfig') or {}
    names: list[str] | None = calling.get('allowedFunctionNames')
    match calling.get('mode'):
        case 'NONE':
            return 'none'
        case 'ANY':
            return names or 'required'
        case _:
            return None


def decode_parameters(body: Json) -> ModelRequestParameters:
    """The tools, and what the answer is held to."""
    entries: list[Json] = body.get('tools') or []
    functions = [_tool(each) for entry in entries for each in entry.get('functionDeclarations') or ()]
    native = [tool for entry in entries for tool in _native(entry)]
    config: Json = body.get('generationConfig') or {}
    schema: Json | None = config.get('responseJsonSchema') or config.get('responseSchema')
    if schema is not None:
        inner = {name: value for name, value in schema.items() if name not in ('title', 'description')}
        output = OutputObjectDefinition(inner, schema.get('title'), schema.get('description'))
        return ModelRequestParameters(functions, native, output_mode='native', output_object=output)
    if config.get('responseMimeType') == 'application/json':
        anything = OutputObjectDefinition({'type': 'object'})
        return ModelRequestParameters(
            functions, native, output_mode='prompted', output_object=anything, prompted_output_template=''
        )
    return ModelRequestParameters(functions, native)


def _tool(declaration: Json) -> ToolDefinition:
    schema = declaration.get('parametersJsonSchema') or declaration.get('parameters')
    return ToolDefinition(
        declaration['name'], schema or {'type': 'object', 'properties': {}}, declaration.get('description') or None
    )


def _native(entry: Json) -> list[NativeTool]:
    found: list[NativeTool] = []
    if 'googleSearch' in entry:
        found.append(WebSearchTool())
    if 'urlContext' in entry:
        found.append(WebFetchTool())
    if 'codeExecution' in entry:
        found.append(CodeExecutionTool())
    if 'fileSearch' in entry:
        found.append(FileSearchTool(entry['fileSearch'].get('fileSearchStoreNames') or []))
    return found
