"""Downloads the files that a vendor cannot fetch itself, before a room encodes the request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from ..exceptions import UserError
from ..messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    FileUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ToolReturnPart,
    UserPromptPart,
    VideoUrl,
)
from ..messages.request import ModelRequestPart
from ..transport import download

STAND_IN_TYPES: Mapping[type[FileUrl], str] = {
    ImageUrl: 'image/png',
    AudioUrl: 'audio/mpeg',
    DocumentUrl: 'application/pdf',
    VideoUrl: 'video/mp4',
}
"""The media type of a file that was not downloaded, by the type of its URL."""


async def download_files(
    messages: Sequence[ModelMessage], must_download: Callable[[FileUrl], bool], *, timeout: float | None = None
) -> Sequence[ModelMessage]:
    """Return the history with files in place of their URLs; the same list if no file must be downloaded.

    `must_download` returns whether the vendor cannot fetch a URL itself. Raises `TimeoutError` after `timeout` seconds.
    """
    wanted = {id(url): url for url in file_urls(messages) if url.force_download or must_download(url)}
    if not wanted:
        return messages
    async with asyncio.timeout(timeout):
        return with_files(messages, dict(zip(wanted, await _download_all(wanted.values()), strict=True)))


def with_stand_ins(
    messages: Sequence[ModelMessage], must_download: Callable[[FileUrl], bool]
) -> Sequence[ModelMessage]:
    """Return the history with files whose bytes are the URL in place of what `download_files` would download."""
    urls = [url for url in file_urls(messages) if url.force_download or must_download(url)]
    return with_files(messages, {id(url): _make_stand_in(url) for url in urls}) if urls else messages


def _make_stand_in(url: FileUrl) -> BinaryContent:
    media_type = url.media_type or STAND_IN_TYPES[type(url)]
    return BinaryContent(
        url.url.encode(), media_type=media_type, vendor_metadata=url.vendor_metadata, identifier=url.identifier
    )


def file_urls(messages: Iterable[ModelMessage]) -> Iterator[FileUrl]:
    """Yield the URLs of files in user prompts and tool results."""
    return (item for item in content_items(messages) if isinstance(item, FileUrl))


def with_files(messages: Iterable[ModelMessage], files: Mapping[int, BinaryContent]) -> list[ModelMessage]:
    """Return the history with files in place of URLs. `files` are by the `id()` of the `FileUrl`."""
    return [
        replace(message, parts=[_part_with_files(part, files) for part in message.parts])
        if isinstance(message, ModelRequest)
        else message
        for message in messages
    ]


async def _download_all(urls: Iterable[FileUrl]) -> list[BinaryContent]:
    """Download files concurrently. The first failure cancels the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_download(url)) for url in urls]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


async def _download(url: FileUrl) -> BinaryContent:
    data, media_type = await download.fetch(url.url, allow_local=url.force_download == 'allow-local')
    known = url.media_type or media_type
    if not known:
        raise UserError(
            f'The media type of {download.redact_url(url.url)} is not known: give media_type= to {type(url).__name__}'
        )
    return BinaryContent(data, media_type=known, vendor_metadata=url.vendor_metadata, identifier=url.identifier)


def content_items(messages: Iterable[ModelMessage]) -> Iterator[Any]:
    """Yield the items of user prompts and tool results: texts, files and values of any type."""
    for message in messages:
        if isinstance(message, ModelRequest):
            for part in message.parts:
                if isinstance(part, (UserPromptPart, ToolReturnPart)):
                    yield from part.items()


def _part_with_files(part: ModelRequestPart, files: Mapping[int, BinaryContent]) -> ModelRequestPart:
    if not isinstance(part, (UserPromptPart, ToolReturnPart)) or not any(id(item) in files for item in part.items()):
        return part
    items: list[Any] = [files.get(id(item), item) for item in part.items()]
    single = isinstance(part, ToolReturnPart) and not isinstance(cast('object', part.content), (list, tuple))
    return replace(part, content=items[0] if single else items)
