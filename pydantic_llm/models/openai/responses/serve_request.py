"""Decodes the input of `POST /responses` into messages. Undoes `encode`; output items are decoded as in `decode`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import cast

from ....exceptions import UserError
from ....json_types import Json
from ....messages import (
    BinaryContent,
    CachePoint,
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
from ....streaming.draft import ResponseDraft
from ....wire.file_names import with_file_name
from ....wire.repeats import Repeats
from .decode_items import ItemDecoder

REQUEST_ITEMS = frozenset({'function_call_output', 'item_reference'})
"""Types of items without a role that no response contains."""


def decode_input(items: Iterable[Json], instructions: str | None, provider_name: str) -> list[ModelMessage]:
    """Decode the conversation: adjacent items of the same side become one message."""
    history: list[ModelMessage] = []
    tool_names: dict[str, str] = {}
    for is_output, group in groupby(items, _is_output_item):
        if is_output:
            response = ModelResponse(decode_output_items(group, provider_name), provider_name=provider_name)
            tool_names |= {call.tool_call_id: call.tool_name for call in response.tool_calls}
            history.append(response)
        else:
            history.append(ModelRequest([decode_request_item(item, tool_names) for item in group]))
    last = history[-1] if history else None
    if instructions and isinstance(last, ModelRequest):
        history[-1] = ModelRequest(last.parts, instructions=instructions)
    elif instructions:
        history.append(ModelRequest([], instructions=instructions))
    return history


def _is_output_item(item: Json) -> bool:
    return bool(item['role'] == 'assistant') if 'role' in item else item.get('type') not in REQUEST_ITEMS


def decode_request_item(item: Json, tool_names: dict[str, str]) -> ModelRequestPart:
    """Decode one item of a request. `tool_names` are those of past tool calls, by their ids."""
    match item:
        case {'role': 'system' | 'developer', 'content': content}:
            return SystemPromptPart(_join_text(content))
        case {'role': 'user', 'content': str() as content}:
            return UserPromptPart(content)
        case {'role': 'user', 'content': list()}:
            parts = cast('list[Json]', item['content'])
            return UserPromptPart([each for part in parts for each in _decode_marked(part)])
        case {'type': 'function_call_output', 'call_id': id, 'output': str() as output}:
            return ToolReturnPart(tool_names.get(id, ''), output, id)
        case {'type': 'function_call_output', 'call_id': id, 'output': list()}:
            content = [decode_content(part) for part in cast('list[Json]', item['output'])]
            return ToolReturnPart(tool_names.get(id, ''), content, id)
        case _:
            raise UserError(f'The input holds an item that this server does not know: {item.get("type") or item!r}')


def _decode_marked(part: Json) -> Iterator[UserContent]:
    """Yield what a part contains, and a cache point after it, if the part has a mark."""
    yield decode_content(part)
    if part.get('prompt_cache_breakpoint'):
        yield CachePoint()


def decode_content(part: Json) -> UserContent:
    """Decode one part of a user's message, or of a tool result."""
    match part:
        case {'type': 'input_text' | 'text' | 'output_text', 'text': str() as text}:
            return text
        case {'type': 'input_image', 'file_id': str() as id}:
            return UploadedFile(id, 'openai', media_type='image/*', vendor_metadata=_decode_detail(part))
        case {'type': 'input_file', 'file_id': str() as id}:
            return UploadedFile(id, 'openai')
        case {'type': 'input_image', 'image_url': str() as url}:
            return _decode_image(url, _decode_detail(part))
        case {'type': 'input_file', 'file_data': str() as data}:
            return with_file_name(BinaryContent.from_data_uri(data), part.get('filename'))
        case {'type': 'input_file', 'file_url': url}:
            return DocumentUrl(url)
        case _:
            raise UserError(
                f'A message holds content of the type {part.get("type")!r}, which this server does not know'
            )


def _decode_detail(part: Json) -> Json | None:
    """Decode the detail of an image as vendor metadata; `'auto'` is the default."""
    detail = part.get('detail')
    return {'detail': detail} if detail not in (None, 'auto') else None


def _decode_image(url: str, metadata: Json | None) -> UserContent:
    if not url.startswith('data:'):
        return ImageUrl(url, vendor_metadata=metadata)
    image = BinaryContent.from_data_uri(url)
    return BinaryContent(image.data, media_type=image.media_type, vendor_metadata=metadata)


def _join_text(content: object) -> str:
    if isinstance(content, str):
        return content
    return ''.join(part.get('text', '') for part in cast('list[Json]', content))


def decode_output_items(items: Iterable[Json], provider_name: str) -> list[ModelResponsePart]:
    """Decode the items of an earlier response, as its decoder does. A message without an id is one text."""
    draft = ResponseDraft('', provider_name)
    decoder = ItemDecoder(draft, Repeats())
    for number, item in enumerate(items):
        if item.get('role') == 'assistant' and 'id' not in item:
            details = {'phase': item['phase']} if item.get('phase') else None
            part = TextPart(_join_text(item['content']), provider_name=provider_name, provider_details=details)
            draft.parts.whole(('message', number), part)
        else:
            decoder.finish({'type': 'message', **item}, number)
    return draft.parts.get()
