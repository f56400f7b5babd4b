"""The body of a Converse request → messages: `encode`, read backwards."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

from ...exceptions import UserError
from ...json_types import Json
from ...messages import (
    AudioUrl,
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
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from ...messages.content import FORMATS
from ...messages.request import ModelRequestPart
from ...messages.response import ModelResponsePart
from ...streaming.draft import ResponseDraft
from .content import ABOUT_DOCUMENTS, GUARDED, SEARCH_RESULT
from .decode import decode_block, stop_block

URLS = {'image': ImageUrl, 'document': DocumentUrl, 'video': VideoUrl, 'audio': AudioUrl}
"""What a file in S3 is, by its kind."""

MEDIA_TYPES = {
    'document': {
        'csv': 'text/csv',
        'html': 'text/html',
        **{short: media_type for media_type, short in reversed(FORMATS.items()) if not media_type.startswith('video/')},
    },
    'video': {short: media_type for media_type, short in FORMATS.items() if media_type.startswith('video/')},
    'audio': {'mp3': 'audio/mpeg'},
}
"""The media types of formats, where they are not the kind and the format."""


def decode_messages(body: Json, provider_name: str) -> list[ModelMessage]:
    """The conversation. System prompts come first; the last of several is the newest request's instructions."""
    reader = _Reader(provider_name)
    for message in cast('list[Json]', body['messages']):
        reader.read(message)
    history = reader.history
    prompts = [block['text'] for block in body.get('system') or () if 'text' in block]
    if len(prompts) > 1:
        opened = [SystemPromptPart(prompt) for prompt in prompts[:-1]]
        first = history[0] if isinstance(history[0], ModelRequest) else None
        history[: 1 if first else 0] = [ModelRequest([*opened, *(first.parts if first else ())])]
    if prompts:
        newest = max((at for at, message in enumerate(history) if isinstance(message, ModelRequest)), default=None)
        if newest is None:
            return [ModelRequest([], instructions=prompts[-1]), *history]
        history[newest] = replace(cast('ModelRequest', history[newest]), instructions=prompts[-1])
    return history


class _Reader:
    """Reads messages in order; remembers what later ones refer to."""

    def __init__(self, provider_name: str) -> None:
        self.history: list[ModelMessage] = []
        self._provider_name = provider_name
        self._names: dict[str, str] = {}
        self._carried: CachePoint | None = None

    def read(self, message: Json) -> None:
        """Read one message."""
        blocks: list[Json] = message['content']
        match message['role']:
            case 'user':
                self.history.append(ModelRequest(list(self._user(blocks))))
            case 'assistant':
                if blocks and 'cachePoint' in blocks[-1]:
                    self._carried = point(blocks[-1])
                parts = self._assistant([block for block in blocks if 'cachePoint' not in block])
                self.history.append(ModelResponse(parts, provider_name=self._provider_name))
            case 'system':
                prompts = [SystemPromptPart(block['text']) for block in blocks if 'text' in block]
                self.history.append(ModelRequest(prompts))
            case role:
                raise UserError(f"messages: a message has the role {role!r}, not 'user', 'assistant' or 'system'")

    def _user(self, blocks: Iterable[Json]) -> Iterator[ModelRequestPart]:
        said: list[UserContent] = [] if self._carried is None else [self._carried]
        self._carried = None
        for block in blocks:
            if 'toolResult' in block:
                yield from prompt(said)
                said = []
                yield self._tool_return(block['toolResult'])
            else:
                said.append(decode_content(block))
        yield from prompt(said)

    def _tool_return(self, result: Json) -> ToolReturnPart:
        items = [_returned(item) for item in cast('list[Json]', result['content'])]
        content: Any = items[0] if len(items) == 1 else items or ''
        id = result['toolUseId']
        failed = result.get('status') == 'error'
        return ToolReturnPart(self._names.get(id, ''), content, id, outcome='failed' if failed else 'success')

    def _assistant(self, blocks: Iterable[Json]) -> Sequence[ModelResponsePart]:
        """The blocks of a past answer are read as those of an answer."""
        draft = ResponseDraft('', self._provider_name)
        for index, block in enumerate(blocks):
            decode_block(index, block, draft)
            stop_block(index, draft)
        parts = draft.parts.get()
        self._names |= {part.tool_call_id: part.tool_name for part in parts if isinstance(part, ToolCallPart)}
        return parts


def prompt(said: list[UserContent]) -> Iterator[UserPromptPart]:
    """What a user says between two results of tools; nothing where nothing is said."""
    match said:
        case []:
            pass
        case [str() as text]:
            yield UserPromptPart(text)
        case _:
            yield UserPromptPart(said)


def point(block: Json) -> CachePoint:
    """A cache point."""
    return CachePoint(ttl=block['cachePoint'].get('ttl') or '5m')


def decode_content(block: Json) -> UserContent:
    """One block of a user's message, or of what a tool returned."""
    match block:
        case {'text': str() as text}:
            return text
        case {'cachePoint': _}:
            return point(block)
        case {'image': file} | {'document': file} | {'video': file} | {'audio': file}:
            return decode_file(next(kind for kind in URLS if kind in block), file)
        case {'guardContent': {'text': {'text': str() as text, **more}}}:
            guarded = {GUARDED: more.get('qualifiers') or True}
            return BinaryContent(text.encode(), media_type='text/plain', vendor_metadata=guarded)
        case {'guardContent': {'image': image}}:
            return replace(cast('BinaryContent', decode_file('image', image)), vendor_metadata={GUARDED: True})
        case {'searchResult': {'content': pieces, **found}}:
            text = '\n\n'.join(piece['text'] for piece in pieces)
            return BinaryContent(text.encode(), media_type='text/plain', vendor_metadata={SEARCH_RESULT: found})
        case _:
            raise UserError(f'A message holds content of the kind {next(iter(block), None)!r}, which is not known here')


def decode_file(kind: str, file: Json) -> UserContent:
    """A file of one kind."""
    format = file.get('format') or 'txt'
    media_type = MEDIA_TYPES.get(kind, {}).get(format) or f'{"application" if kind == "document" else kind}/{format}'
    about = {name: file[name] for name in ('name', *ABOUT_DOCUMENTS) if file.get(name) is not None} or None
    match file['source']:
        case {'bytes': data}:
            return BinaryContent(b64decode(data, validate=True), media_type=media_type, vendor_metadata=about)
        case {'s3Location': {'uri': uri, **more}}:
            owner = {'bucket_owner': more['bucketOwner']} if more.get('bucketOwner') else {}
            make: Any = URLS[kind]
            return cast(
                'UserContent', make(uri, media_type=media_type, vendor_metadata={**(about or {}), **owner} or None)
            )
        case {'text': str() as text}:
            return BinaryContent(text.encode(), media_type='text/plain', vendor_metadata=about)
        case {'content': pieces}:
            text = '\n\n'.join(piece['text'] for piece in pieces)
            return BinaryContent(text.encode(), media_type='text/plain', vendor_metadata=about)
        case _:
            raise UserError(f'A {kind} has a source that is not known here: {", ".join(file["source"])}')


def _returned(item: Json) -> Any:
    return item['json'] if 'json' in item else decode_content(item)
