"""What a user sends → the content parts of a message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never, cast

from ....exceptions import UserError
from ....json_types import Json
from ....messages import (
    AudioUrl,
    BinaryContent,
    CachePoint,
    DocumentUrl,
    ImageUrl,
    MultiModalContent,
    TextContent,
    UploadedFile,
    UserContent,
    VideoUrl,
)
from ....profiles.openai import OpenAIModelProfile


def encode_content(content: Sequence[UserContent], profile: OpenAIModelProfile, system: str) -> list[Json]:
    """One part for each item. Raises `UserError` for what the API cannot take."""
    return [part for item in content for part in encode_item(item, profile, system)]


def encode_item(item: UserContent, profile: OpenAIModelProfile, system: str) -> Iterator[Json]:
    """The part for one item; a cache point is none, since caching needs no asking here."""
    match item:
        case str():
            yield text(item)
        case TextContent(content=content):
            yield text(content)
        case CachePoint():
            pass
        case _:
            if profile.openai_flatten_content is True:
                raise UserError(f'{system!r} takes text alone (openai_flatten_content), and was given {item!r}')
            yield encode_file(item, profile, system)


def encode_file(file: MultiModalContent, profile: OpenAIModelProfile, system: str) -> Json:
    """The part for a file."""
    match file:
        case ImageUrl(url=url):
            return image(url, file.vendor_metadata)
        case BinaryContent() if file.is_image:
            return image(file.data_uri, file.vendor_metadata)
        case BinaryContent() if file.is_audio and profile.openai_audio:
            return audio(file, profile.openai_audio_formats)
        case BinaryContent() if file.is_text:
            return text(text_file(file))
        case BinaryContent() if file.is_document and profile.openai_documents:
            return {'type': 'file', 'file': {'file_data': file.data_uri, 'filename': f'filename.{file.format}'}}
        case DocumentUrl(url=url) if profile.openai_documents and profile.openai_document_url:
            return {'type': 'file', 'file': {'file_data': url, 'filename': f'filename.{file.format or "pdf"}'}}
        case UploadedFile(file_id=id, provider_name=name) if name == system:
            return {'type': 'file', 'file': {'file_id': id}}
        case VideoUrl(url=url) if profile.openai_video_url:
            return {'type': 'video_url', 'video_url': {'url': url}}
        case BinaryContent() if file.is_video and profile.openai_video_url:
            return {'type': 'video_url', 'video_url': {'url': file.data_uri}}
        case AudioUrl() | DocumentUrl() | VideoUrl() | BinaryContent() | UploadedFile():
            raise UserError(f'{system!r} cannot take {file!r}: its Chat Completions API has no such content')
        case _:
            assert_never(file)


def encode_file_of_tool(file: MultiModalContent, profile: OpenAIModelProfile, system: str) -> Iterator[Json]:
    """The parts for a file that a tool returned: its name, by which the tool's answer speaks of it, and the file."""
    yield text(f'This is file {file.identifier}:')
    yield from encode_item(file, profile, system)


def text(content: str) -> Json:
    """A part that is text."""
    return {'type': 'text', 'text': content}


def image(url: str, vendor_metadata: Json | None) -> Json:
    """A part that is an image, at the level of detail that its metadata asks for."""
    detail = (vendor_metadata or {}).get('detail')
    return {'type': 'image_url', 'image_url': {'url': url, **({'detail': detail} if detail else {})}}


def audio(file: BinaryContent, known: Sequence[str]) -> Json:
    """A part that is sound."""
    if file.format not in known:
        formats = f'{", ".join(known[:-1])} and {known[-1]}'
        raise UserError(f'The Chat Completions API can hear {formats}, not {file.media_type!r}')
    return {'type': 'input_audio', 'input_audio': {'data': file.base64, 'format': file.format}}


def text_file(file: BinaryContent) -> str:
    """A text file with lines around it that say where it begins and ends."""
    mark = f'FILE id="{file.identifier}" type="{file.media_type}"'
    return f'-----BEGIN {mark}-----\n{file.data.decode("utf-8", "replace")}\n-----END FILE id="{file.identifier}"-----'


def flatten(message: Json) -> Json:
    """The message with its content as one string, unless it holds more than text."""
    content = message.get('content')
    if not isinstance(content, list):
        return message
    parts = cast('list[Json]', content)
    texts = [part['text'] for part in parts if part['type'] == 'text']
    return {**message, 'content': '\n'.join(texts)} if len(texts) == len(parts) else message
