"""The body of `POST /v1/messages` → messages, settings and parameters: `encode` and `options`, read backwards."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

from ...exceptions import UserError
from ...json_types import Json
from ...messages import (
    BinaryContent,
    CachePoint,
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
)
from ...messages.request import ModelRequestPart
from ...messages.response import ModelResponsePart
from ...streaming.draft import ResponseDraft
from .content import ABOUT_DOCUMENTS, CONTAINER_UPLOAD, PDF
from .decode import start_block, stop_block


def decode_messages(body: Json, provider_name: str) -> list[ModelMessage]:
    """The conversation. System prompts come first; the last of several is the newest request's instructions."""
    reader = _Reader(provider_name)
    for message in cast('list[Json]', body['messages']):
        reader.read(message)
    history = reader.history
    prompts, instructions = _system(body.get('system'))
    if prompts:
        first = history[0] if history and isinstance(history[0], ModelRequest) else None
        opened = ModelRequest([*prompts, *(first.parts if first else ())])
        history[: 1 if first else 0] = [opened]
    if instructions:
        newest = max((at for at, message in enumerate(history) if isinstance(message, ModelRequest)), default=None)
        if newest is None:
            return [ModelRequest([], instructions=instructions), *history]
        history[newest] = replace(cast('ModelRequest', history[newest]), instructions=instructions)
    return history


def _system(system: Any) -> tuple[list[SystemPromptPart], str | None]:
    if system is None or isinstance(system, str):
        return ([SystemPromptPart(system)] if system else []), None
    texts = [block['text'] for block in cast('list[Json]', system)]
    return [SystemPromptPart(text) for text in texts[:-1]], texts[-1] if texts else None


class _Reader:
    """Reads messages in order; remembers what later ones refer to."""

    def __init__(self, provider_name: str) -> None:
        self.history: list[ModelMessage] = []
        self._provider_name = provider_name
        self._names: dict[str, str] = {}
        self._servers: dict[str, str] = {}
        self._carried: CachePoint | None = None

    def read(self, message: Json) -> None:
        """Read one message."""
        content: Any = message['content']
        blocks: list[Json] = [{'type': 'text', 'text': content}] if isinstance(content, str) else content
        match message['role']:
            case 'user':
                self.history.append(ModelRequest(list(self._user(blocks))))
            case 'assistant':
                self.history.append(ModelResponse(self._assistant(blocks), provider_name=self._provider_name))
            case 'system':
                self._system(blocks)
            case role:
                raise UserError(f"messages: a message has the role {role!r}, not 'user', 'assistant' or 'system'")
        if message['role'] != 'user' and blocks and (control := blocks[-1].get('cache_control')):
            self._carried = cache_point(control)

    def _system(self, blocks: list[Json]) -> None:
        """A system prompt in the middle belongs to the request that it follows."""
        parts = [SystemPromptPart(block['text']) for block in blocks if block['type'] == 'text']
        if self.history and isinstance(last := self.history[-1], ModelRequest):
            self.history[-1] = ModelRequest([*last.parts, *parts])
        else:
            self.history.append(ModelRequest(parts))

    def _user(self, blocks: Iterable[Json]) -> Iterator[ModelRequestPart]:
        said: list[UserContent] = [] if self._carried is None else [self._carried]
        self._carried = None
        for block in blocks:
            if block['type'] == 'tool_result':
                yield from prompt(said)
                said = []
                yield self._tool_return(block)
            else:
                said.append(decode_content(block, self._provider_name))
            if control := block.get('cache_control'):
                said.append(cache_point(control))
        yield from prompt(said)

    def _tool_return(self, block: Json) -> ToolReturnPart:
        content: Any = block.get('content') or ''
        if isinstance(content, list):
            items = [self._returned(item) for item in cast('list[Json]', content)]
            content = items[0] if len(items) == 1 else items
        id = block['tool_use_id']
        return ToolReturnPart(
            self._names.get(id, ''), content, id, outcome='failed' if block.get('is_error') else 'success'
        )

    def _returned(self, item: Json) -> Any:
        return item if item['type'] == 'tool_reference' else decode_content(item, self._provider_name)

    def _assistant(self, blocks: Iterable[Json]) -> Sequence[ModelResponsePart]:
        """The blocks of a past answer are read as those of an answer."""
        draft = ResponseDraft('', self._provider_name)
        draft.scratch['servers'] = self._servers
        for index, block in enumerate(blocks):
            start_block(index, {name: value for name, value in block.items() if name != 'cache_control'}, draft)
            stop_block(index, draft)
        parts = draft.parts.get()
        self._names |= {part.tool_call_id: part.tool_name for part in parts if isinstance(part, ToolCallPart)}
        return parts


def prompt(said: list[UserContent]) -> Iterator[UserPromptPart]:
    """What a user says between two answers of tools; nothing where nothing is said."""
    match said:
        case []:
            pass
        case [str() as text]:
            yield UserPromptPart(text)
        case _:
            yield UserPromptPart(said)


def cache_point(control: Json) -> CachePoint:
    """The mark of a block."""
    return CachePoint(ttl=control.get('ttl') or '5m')


def decode_content(block: Json, provider_name: str) -> UserContent:
    """One block of a user's message, or of what a tool returned."""
    match block:
        case {'type': 'text', 'text': str() as text}:
            return text
        case {'type': 'image', 'source': {'type': 'url', 'url': url}}:
            return ImageUrl(url)
        case {'type': 'image' | 'document' as kind, 'source': {'type': 'file', 'file_id': id}}:
            media_type = 'image/*' if kind == 'image' else None
            return UploadedFile(id, provider_name, media_type=media_type, vendor_metadata=_about(block))
        case {'type': 'image' | 'document', 'source': {'type': 'base64', 'data': data, 'media_type': media_type}}:
            return BinaryContent(b64decode(data), media_type=media_type, vendor_metadata=_about(block))
        case {'type': 'document', 'source': {'type': 'url', 'url': url}}:
            return DocumentUrl(url, media_type=PDF, vendor_metadata=_about(block))
        case {'type': 'document', 'source': {'type': 'text', 'data': text}}:
            return BinaryContent(text.encode(), media_type='text/plain', vendor_metadata=_about(block))
        case {'type': 'document', 'source': {'type': 'content', 'content': content}}:
            return BinaryContent(_text(content).encode(), media_type='text/plain', vendor_metadata=_about(block))
        case {'type': 'search_result', 'title': title, 'source': source, 'content': content}:
            return f'{title} ({source}):\n{_text(content)}'
        case {'type': 'container_upload', 'file_id': id}:
            return UploadedFile(id, provider_name, vendor_metadata={CONTAINER_UPLOAD: True})
        case _:
            raise UserError(
                f'A message holds content of the type {block.get("type")!r}, which this server does not know'
            )


def _about(block: Json) -> Json | None:
    return {name: block[name] for name in ABOUT_DOCUMENTS if block.get(name) is not None} or None


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return '\n\n'.join(block['text'] for block in cast('list[Json]', content) if block['type'] == 'text')
