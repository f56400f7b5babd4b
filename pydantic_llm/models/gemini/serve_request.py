"""The contents of `generateContent` → messages: `encode`, read backwards."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
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
from ...streaming.draft import ResponseDraft
from .content import FILES, OF_VIDEOS
from .decode import decode_parts
from .encode import NO_SIGNATURE, urlsafe

URLS: dict[str, type[ImageUrl | AudioUrl | VideoUrl | DocumentUrl]] = {
    'image': ImageUrl,
    'audio': AudioUrl,
    'video': VideoUrl,
}
"""The kinds of addresses, by the beginning of their media type; the others are documents."""

MODEL, OTHERS = 'model', ('user', 'function', None)
"""Who speaks: the model, or everybody else."""

DATA = frozenset(
    {'args', 'response', 'parametersJsonSchema', 'responseJsonSchema', 'properties', 'labels', 'headers', 'default'}
)
"""Fields whose names inside are not the API's."""


def camel(value: Any) -> Any:
    """The body with the API's names as they are in its documentation; it takes `snake_case` for all of them too."""
    if isinstance(value, list):
        return [camel(item) for item in cast('list[object]', value)]
    if not isinstance(value, dict):
        return value
    named = ((_camel(name), item) for name, item in cast('Json', value).items())
    return {name: _data(name, item) if name in DATA else camel(item) for name, item in named}


def _data(name: str, item: Any) -> Any:
    """What a client wrote stays as it is; the schemas of properties do not."""
    if name == 'properties' and isinstance(item, dict):
        return {each: camel(inner) for each, inner in cast('Json', item).items()}
    return item


def _camel(name: str) -> str:
    return re.sub(r'_([a-z0-9])', lambda found: found[1].upper(), name)


def decode_contents(contents: Iterable[Json], system: Json | None, provider_name: str) -> list[ModelMessage]:
    """The conversation: neighbouring turns of the user's are one request, with the system prompts before the first."""
    prompts = [SystemPromptPart(part['text']) for part in (system or {}).get('parts') or ()]
    reader = _Reader(provider_name, [ModelRequest(prompts)] if prompts else [])
    for content in contents:
        reader.read(content)
    return reader.history


class _Reader:
    """Reads contents in order; remembers which calls wait for an answer, since older clients give them no ids."""

    def __init__(self, provider_name: str, history: list[ModelMessage]) -> None:
        self.history = history
        self._provider_name = provider_name
        self._waiting: dict[str, list[str]] = {}
        self._count = 0

    def read(self, content: Json) -> None:
        """Read one content."""
        blocks: list[Json] = content.get('parts') or []
        if (role := content.get('role')) == MODEL:
            parts = decode_answer([self._with_id(block) for block in blocks], self._provider_name)
            self._waiting = {}
            for part in parts:
                if isinstance(part, ToolCallPart):
                    self._waiting.setdefault(part.tool_name, []).append(part.tool_call_id)
            self.history.append(ModelResponse(parts, provider_name=self._provider_name))
        elif role in OTHERS:
            self._ask(list(self._parts(blocks)))
        else:
            raise UserError(f"contents: a content has the role {role!r}, not 'user' or 'model'")

    def _ask(self, parts: list[ModelRequestPart]) -> None:
        if self.history and isinstance(last := self.history[-1], ModelRequest):
            self.history[-1] = ModelRequest([*last.parts, *parts])
        elif parts:
            self.history.append(ModelRequest(parts))

    def _parts(self, blocks: Iterable[Json]) -> Iterator[ModelRequestPart]:
        """The parts of one of the user's turns: what functions returned, and one prompt of all the rest."""
        said: list[UserContent] = []
        for block in blocks:
            if (answer := block.get('functionResponse')) is None:
                said.append(decode_content(block, self._provider_name))
            else:
                yield self._returned(answer)
        if said and said != ['']:
            yield UserPromptPart(said)

    def _with_id(self, block: Json) -> Json:
        """The block, with an id for a call that has none."""
        call = block.get('functionCall')
        if not isinstance(call, dict) or cast('Json', call).get('id'):
            return block
        self._count += 1
        return {**block, 'functionCall': {**cast('Json', call), 'id': f'call_{self._count}'}}

    def _returned(self, answer: Json) -> ToolReturnPart:
        """What a function returned, with the files beside it."""
        name: str = answer['name']
        waiting = self._waiting.get(name) or [name]
        id: str = answer.get('id') or waiting[0]
        if id in waiting:
            waiting.remove(id)
        response: Json = answer.get('response') or {}
        if response.keys() == {'error'} and isinstance(response['error'], str):
            return ToolReturnPart(name, response['error'], id, outcome='failed')
        content: Any = response.get('return_value') if response.keys() == {'return_value'} else response
        files = [decode_content(part, self._provider_name) for part in answer.get('parts') or ()]
        return ToolReturnPart(name, [*([content] if content else []), *files] if files else content, id)


def decode_content(block: Json, provider_name: str) -> UserContent:
    """One part of what a user says."""
    match block:
        case {'text': str() as text}:
            return text
        case {'inlineData': {'mimeType': media_type, 'data': data}}:
            return BinaryContent(
                urlsafe_b64decode(urlsafe(data)), media_type=media_type, vendor_metadata=_metadata(block)
            )
        case {'fileData': {'fileUri': url}}:
            return _address(url, block['fileData'].get('mimeType') or '', _metadata(block), provider_name)
        case _:
            raise UserError(f'A content holds a part that this server does not know: {list(block)}')


def _address(url: str, media_type: str, metadata: Json | None, provider_name: str) -> UserContent:
    if url.startswith(FILES):
        return UploadedFile(url, provider_name, media_type=media_type or None, vendor_metadata=metadata)
    kind = URLS.get(media_type.partition('/')[0], DocumentUrl)
    if not media_type and VideoUrl(url).is_youtube:
        kind = VideoUrl
    return kind(url, media_type=media_type or None, vendor_metadata=metadata)


def _metadata(block: Json) -> Json | None:
    """What is said of a file beside where it is."""
    video: Json = block.get('videoMetadata') or {}
    found = {name: value for name, value in video.items() if name in OF_VIDEOS}
    if resolution := block.get('mediaResolution'):
        found['media_resolution'] = resolution
    return found or None


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
