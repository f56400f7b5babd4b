"""Files to send with a prompt, by their paths and URLs."""

from __future__ import annotations

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
        return BinaryContent.from_path(place)
    kind = (media_type_of(place) or '').partition('/')[0]
    return URL_KINDS.get(kind, DocumentUrl)(place)
