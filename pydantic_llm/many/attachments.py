"""Files to send with a prompt, by their paths and URLs."""

from __future__ import annotations

from pathlib import Path

from ..messages import AudioUrl, BinaryContent, DocumentUrl, ImageUrl, UserContent, VideoUrl
from ..messages.media_types import media_type_of

__all__ = ('is_url', 'read_attachment')

URL_KINDS: dict[str, type[ImageUrl | AudioUrl | VideoUrl]] = {'image': ImageUrl, 'audio': AudioUrl, 'video': VideoUrl}
"""The first halves of media types, and the kinds of URLs for them. All others are documents."""


def is_url(place: str) -> bool:
    """Return whether a text is a URL, and not a path."""
    return place.startswith(('http://', 'https://', 'data:', 'gs://', 's3://'))


def read_attachment(place: str) -> UserContent:
    """Return the file at a path, or the URL. Raises `OSError` if the file cannot be read."""
    if not is_url(place):
        return _read_file(Path(place))
    kind = (media_type_of(place) or '').partition('/')[0]
    return URL_KINDS.get(kind, DocumentUrl)(place)


def _read_file(path: Path) -> BinaryContent:
    """Read a file. If its media type is unknown, it is text if it can be decoded as text."""
    file = BinaryContent.from_path(path)
    if file.media_type == 'application/octet-stream' and _is_text(file.data):
        file.media_type = 'text/plain'
    return file


def _is_text(data: bytes) -> bool:
    try:
        return '\x00' not in data.decode()
    except UnicodeDecodeError:
        return False
