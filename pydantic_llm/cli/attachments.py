"""Reads the files to send: a path, a URL, or `-` for the standard input. Each keeps its name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from ..exceptions import UserError
from ..messages import BinaryContent, UserContent, VideoUrl
from ..messages.media_types import UNKNOWN, detect_media_type, format_of, is_text, media_type_of
from .texts import decode_text

__all__ = ('name_media', 'read_attachment', 'read_file', 'read_standard_input', 'split_standard_input')

DOCUMENTS = (
    'application/pdf',
    'application/msword',
    'application/rtf',
    'application/vnd.ms-',
    'application/vnd.openxmlformats-',
    'application/vnd.oasis.opendocument.',
    'application/epub',
)
"""The beginnings of the media types of documents, which some vendors read."""

MEDIA = ('image/', 'audio/', 'video/')


async def read_attachment(name: str) -> UserContent:
    """Read a file to send. Raises `UserError` if no model can read it, and `OSError` if it cannot be opened."""
    if name == '-':
        data = read_standard_input()
        if not data:
            raise UserError('-a - reads the standard input, which is empty')
        return make_file(data, 'stdin')
    if name.startswith(('http://', 'https://')):
        return await _download(name)
    return read_file(name)


def read_file(path: object) -> BinaryContent:
    """Read a file. Raises `UserError` if no model can read it, and `OSError` if it cannot be opened."""
    file = BinaryContent.from_path(str(path))
    return make_file(file.data, file.identifier or '', file.media_type)


def make_file(data: bytes, name: str, media_type: str = UNKNOWN) -> BinaryContent:
    """Return a file under its name. Raises `UserError` for a file that is neither text, media nor a document."""
    if not _is_readable(media_type):
        given, media_type = media_type, detect_media_type(data)
        if media_type == UNKNOWN:
            kind = '' if given == UNKNOWN else f' ({given})'
            raise UserError(f'{name!r} cannot be sent: it is not text, an image, audio, video or a document{kind}')
    if is_text(media_type):
        data = decode_text(data).encode()
    elif not PurePosixPath(name).suffix:
        name = f'{name}.{format_of(media_type)}'
    return BinaryContent(data, media_type=media_type, identifier=name)


def _is_readable(media_type: str) -> bool:
    return media_type.startswith((*MEDIA, *DOCUMENTS)) or is_text(media_type)


def name_media(content: str | Sequence[UserContent]) -> str | list[UserContent]:
    """Return content with the name of each image, recording and video before it, if there are several files.

    Most APIs send the names of documents, and have no place for those of media.
    """
    if isinstance(content, str):
        return content
    if sum(isinstance(item, BinaryContent) for item in content) < 2:
        return [*content]
    named: list[UserContent] = []
    for item in content:
        if isinstance(item, BinaryContent) and item.media_type.startswith(MEDIA):
            named.append(f'{item.identifier}:')
        named.append(item)
    return named


# ---------------------------------------------------------------------- the standard input


def read_standard_input() -> bytes:
    """Return the bytes of a pipe or a file; empty for a terminal."""
    return b'' if sys.stdin.isatty() else sys.stdin.buffer.read()


def split_standard_input() -> tuple[str, BinaryContent | None]:
    """Return what was piped in as text, or as a file if it is not text."""
    data = read_standard_input()
    if not data or is_text(detect_media_type(data)):
        return decode_text(data).strip('\n'), None
    return '', make_file(data, 'stdin')


# ---------------------------------------------------------------------- URLs


async def _download(url: str) -> UserContent:
    """Download a file, so that every model gets it under its name. Videos of YouTube stay URLs."""
    if (video := VideoUrl(url)).is_youtube:
        return video
    from ..transport.download import fetch

    data, media_type = await fetch(url, allow_local=True)
    name = unquote(PurePosixPath(urlsplit(url).path).name) or urlsplit(url).hostname or 'file'
    by_name = media_type_of(name)
    if by_name and (media_type is None or media_type in (UNKNOWN, 'text/plain')):
        media_type = by_name
    return make_file(data, name, media_type or UNKNOWN)
