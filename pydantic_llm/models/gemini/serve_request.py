"""Decodes the contents of a body into messages: the inverse of `encode`. Start at `decode_contents`."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, cast

from ...exceptions import UserError
from ...json_types import Json
from ...messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from ...messages.request import ModelRequestPart
from ...messages.response import ModelResponsePart
from ...streaming.draft import ResponseDraft
from ...wire.serving import extend_request
from .content import FILES_BASE_URL, VIDEO_METADATA, to_urlsafe
from .decode_parts import PartsDecoder
from .encode_response import PLACEHOLDER_SIGNATURE

URL_TYPES: dict[str, type[ImageUrl | AudioUrl | VideoUrl | DocumentUrl]] = {
    'image': ImageUrl,
    'audio': AudioUrl,
    'video': VideoUrl,
}
"""The first halves of media types -> classes of URLs. The class for other media types is `DocumentUrl`."""

MODEL_ROLE, USER_ROLES = 'model', ('user', 'function', None)
"""The roles of contents. Older clients send tool results as `function`."""

DATA_FIELDS = frozenset(
    {'args', 'response', 'parametersJsonSchema', 'responseJsonSchema', 'properties', 'labels', 'headers', 'default'}
)
"""Fields whose values have names that are not the API's."""


def to_camel_case(value: Any) -> Any:
    """Translate the names of fields to camel case. The API accepts each name in snake case too."""
    if isinstance(value, list):
        return [to_camel_case(item) for item in cast('list[object]', value)]
    if not isinstance(value, dict):
        return value
    named = ((_name_to_camel_case(name), item) for name, item in cast('Json', value).items())
    return {name: _translate_data(name, item) if name in DATA_FIELDS else to_camel_case(item) for name, item in named}


def _translate_data(name: str, item: Any) -> Any:
    """Return a client's data unchanged. Of `properties`, the values are schemas, which have the API's names."""
    if name == 'properties' and isinstance(item, dict):
        return {each: to_camel_case(inner) for each, inner in cast('Json', item).items()}
    return item


def _name_to_camel_case(name: str) -> str:
    return re.sub(r'_([a-z0-9])', lambda found: found[1].upper(), name)


def decode_contents(contents: Iterable[Json], system: Json | None, provider_name: str) -> list[ModelMessage]:
    """Decode messages. Adjacent contents of the user become one request; the first one has the system prompts."""
    prompts = [SystemPromptPart(part['text']) for part in (system or {}).get('parts') or ()]
    decoder = _ContentsDecoder(provider_name, [ModelRequest(prompts)] if prompts else [])
    for content in contents:
        decoder.decode(content)
    return decoder.messages


class _ContentsDecoder:
    """Decodes contents in order.

    Older clients send no ids of tool calls and results. A call without an id gets one; a result without an id belongs
    to the first open call with its name.
    """

    def __init__(self, provider_name: str, messages: list[ModelMessage]) -> None:
        self.messages = messages
        self._provider_name = provider_name
        self._open_calls: dict[str, deque[str]] = {}  # ids by name, also of calls whose results came out of order
        self._answered: set[str] = set()  # the ids of the calls with a result
        self._id_count = 0

    def decode(self, content: Json) -> None:
        blocks: list[Json] = content.get('parts') or []
        if (role := content.get('role')) == MODEL_ROLE:
            self._add_response(blocks)
        elif role in USER_ROLES:
            extend_request(self.messages, list(self._decode_user_parts(blocks)))
        else:
            raise UserError(f"contents: a content has the role {role!r}, not 'user' or 'model'")

    def _add_response(self, blocks: list[Json]) -> None:
        parts = decode_response_parts([self._with_id(block) for block in blocks], self._provider_name)
        self._open_calls, self._answered = {}, set()
        for part in parts:
            if isinstance(part, ToolCallPart):
                self._open_calls.setdefault(part.tool_name, deque()).append(part.tool_call_id)
        self.messages.append(ModelResponse(parts, provider_name=self._provider_name))

    def _decode_user_parts(self, blocks: Iterable[Json]) -> Iterator[ModelRequestPart]:
        """Yield the tool results of one content, then one prompt with everything else."""
        prompt: list[UserContent] = []
        for block in blocks:
            if (result := block.get('functionResponse')) is None:
                prompt.append(decode_content(block, self._provider_name))
            else:
                yield self._decode_tool_return(result)
        if prompt and prompt != ['']:
            yield UserPromptPart(prompt)

    def _with_id(self, block: Json) -> Json:
        """Return the block, with an id if it is a tool call without one."""
        call = block.get('functionCall')
        if not isinstance(call, dict) or cast('Json', call).get('id'):
            return block
        self._id_count += 1
        return {**block, 'functionCall': {**cast('Json', call), 'id': f'call_{self._id_count}'}}

    def _find_open_call(self, name: str) -> str | None:
        """Return the id of the first call of a tool that has no result yet."""
        open_ids = self._open_calls.get(name, deque())
        while open_ids and open_ids[0] in self._answered:
            open_ids.popleft()
        return open_ids[0] if open_ids else None

    def _decode_tool_return(self, result: Json) -> ToolReturnPart:
        name: str = result['name']
        id: str = result.get('id') or self._find_open_call(name) or name
        self._answered.add(id)
        response: Json = result.get('response') or {}
        if response.keys() == {'error'} and isinstance(response['error'], str):
            return ToolReturnPart(name, response['error'], id, outcome='failed')
        content: Any = response.get('return_value') if response.keys() == {'return_value'} else response
        files = [decode_content(part, self._provider_name) for part in result.get('parts') or ()]
        return ToolReturnPart(name, [*([content] if content else []), *files] if files else content, id)


def decode_response_parts(blocks: Iterable[Json], provider_name: str) -> list[ModelResponsePart]:
    """Decode the parts of a model's content, as `decode` does."""
    draft = ResponseDraft('', provider_name)
    PartsDecoder(draft).decode(_without_placeholder(block) for block in blocks)
    return draft.parts.get()


def _without_placeholder(block: Json) -> Json:
    """Return the block without its signature, if that is `PLACEHOLDER_SIGNATURE`."""
    if block.get('thoughtSignature') == PLACEHOLDER_SIGNATURE:
        return {name: value for name, value in block.items() if name != 'thoughtSignature'}
    return block


def decode_content(block: Json, provider_name: str) -> UserContent:
    """Decode a text or a file. Raises `UserError` if it is neither."""
    match block:
        case {'text': str() as text}:
            return text
        case {'inlineData': {'mimeType': media_type, 'data': data}}:
            return BinaryContent(
                urlsafe_b64decode(to_urlsafe(data)), media_type=media_type, vendor_metadata=_decode_metadata(block)
            )
        case {'fileData': {'fileUri': url}}:
            return _decode_url(url, block['fileData'].get('mimeType') or '', _decode_metadata(block), provider_name)
        case _:
            raise UserError(f'A content holds a part that this server does not know: {list(block)}')


def _decode_url(url: str, media_type: str, metadata: Json | None, provider_name: str) -> UserContent:
    if url.startswith(FILES_BASE_URL):
        return UploadedFile(url, provider_name, media_type=media_type or None, vendor_metadata=metadata)
    kind = URL_TYPES.get(media_type.partition('/')[0], DocumentUrl)
    if not media_type and VideoUrl(url).is_youtube:
        kind = VideoUrl
    return kind(url, media_type=media_type or None, vendor_metadata=metadata)


def _decode_metadata(block: Json) -> Json | None:
    """Return the `vendor_metadata` of a file."""
    video: Json = block.get('videoMetadata') or {}
    metadata = {name: value for name, value in video.items() if name in VIDEO_METADATA}
    if resolution := block.get('mediaResolution'):
        metadata['media_resolution'] = resolution
    return metadata or None
