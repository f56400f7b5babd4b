"""The media types of files: by extension, by first bytes, in their standard spelling, and their short names. Data.

Every room reads these tables; a room's own table says what its API accepts.
"""

from __future__ import annotations

from mimetypes import guess_type
from pathlib import Path
from urllib.parse import urlsplit

__all__ = (
    'AUDIO_TYPES',
    'FORMATS',
    'UNKNOWN',
    'detect_media_type',
    'format_of',
    'is_text',
    'media_type_of',
    'normalize_media_type',
)

FORMATS: dict[str, str] = {
    'audio/mpeg': 'mp3',
    'audio/x-wav': 'wav',
    'audio/wave': 'wav',
    'audio/x-flac': 'flac',
    'audio/x-aiff': 'aiff',
    'audio/x-m4a': 'm4a',
    'application/pdf': 'pdf',
    'application/msword': 'doc',
    'application/vnd.ms-excel': 'xls',
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx',
    'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'xlsx',
    'text/plain': 'txt',
    'text/markdown': 'md',
    'text/x-markdown': 'md',
    'image/jpg': 'jpeg',
    'image/svg+xml': 'svg',
    'video/quicktime': 'mov',
    'video/x-matroska': 'mkv',
    'video/x-flv': 'flv',
    'video/x-ms-wmv': 'wmv',
    'video/3gpp': 'three_gp',
}
"""Media type -> short name, if that is not the part after the slash. `three_gp` is Bedrock's `VideoFormat`."""

MEDIA_TYPES: dict[str, str] = {
    '.aac': 'audio/aac',
    '.aif': 'audio/aiff',
    '.aiff': 'audio/aiff',
    '.flac': 'audio/flac',
    '.m4a': 'audio/mp4',
    '.mp3': 'audio/mpeg',
    '.oga': 'audio/ogg',
    '.ogg': 'audio/ogg',
    '.opus': 'audio/ogg',
    '.wav': 'audio/wav',
    '.avif': 'image/avif',
    '.heic': 'image/heic',
    '.heif': 'image/heif',
    '.webp': 'image/webp',
    '.3gp': 'video/3gpp',
    '.flv': 'video/x-flv',
    '.m4v': 'video/mp4',
    '.mkv': 'video/x-matroska',
    '.webm': 'video/webm',
    '.wmv': 'video/x-ms-wmv',
    '.docx': 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    '.xlsx': 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    '.ipynb': 'application/x-ipynb+json',
    '.jsonl': 'application/x-ndjson',
    '.ndjson': 'application/x-ndjson',
    '.md': 'text/markdown',
    '.mdx': 'text/markdown',
    '.toml': 'application/toml',
    '.yaml': 'application/yaml',
    '.yml': 'application/yaml',
    '.go': 'text/x-go',
    '.jsx': 'text/javascript',
    '.kt': 'text/x-kotlin',
    '.rs': 'text/x-rust',
    '.sql': 'text/x-sql',
    '.swift': 'text/x-swift',
    '.ts': 'text/x-typescript',
    '.tsx': 'text/x-typescript',
    **dict.fromkeys(
        ('.adoc', '.bat', '.cfg', '.conf', '.env', '.graphql', '.ini', '.log', '.proto', '.properties', '.ps1', '.rst'),
        'text/plain',
    ),
}
"""File extension -> media type, for those that `mimetypes` does not know, or takes for others, on some system."""

SPELLINGS: dict[str, str] = {
    **dict.fromkeys(('image/jpg', 'image/jpe', 'image/jfif', 'image/pjpeg', 'image/x-jpeg'), 'image/jpeg'),
    'image/x-png': 'image/png',
    'image/x-webp': 'image/webp',
    'image/svg': 'image/svg+xml',
    'image/tif': 'image/tiff',
    **dict.fromkeys(('audio/x-wav', 'audio/wave', 'audio/vnd.wave', 'audio/x-pn-wav'), 'audio/wav'),
    **dict.fromkeys(('audio/mp3', 'audio/x-mp3', 'audio/x-mpeg', 'audio/mpeg3', 'audio/x-mpeg-3'), 'audio/mpeg'),
    **dict.fromkeys(('audio/x-aac', 'audio/aacp', 'audio/x-hx-aac-adts'), 'audio/aac'),
    **dict.fromkeys(('audio/x-aiff', 'audio/aif'), 'audio/aiff'),
    'audio/x-flac': 'audio/flac',
    'audio/x-ogg': 'audio/ogg',
    'video/mov': 'video/quicktime',
    'video/mkv': 'video/x-matroska',
    'video/x-m4v': 'video/mp4',
    **dict.fromkeys(('video/avi', 'video/msvideo'), 'video/x-msvideo'),
    **dict.fromkeys(('application/x-pdf', 'application/acrobat', 'text/pdf'), 'application/pdf'),
    **dict.fromkeys(('text/x-markdown', 'text/x-web-markdown'), 'text/markdown'),
    **dict.fromkeys(('text/json', 'text/x-json', 'application/x-json'), 'application/json'),
    **dict.fromkeys(('text/yaml', 'text/x-yaml', 'application/x-yaml'), 'application/yaml'),
    **dict.fromkeys(('text/x-csv', 'application/csv', 'application/x-csv'), 'text/csv'),
    **dict.fromkeys(('text/x-toml', 'text/toml', 'application/x-toml'), 'application/toml'),
}
"""Other spellings -> the one that APIs take: NousResearch/hermes-agent#55432 and #55429 (`image/jpg`),
stanfordnlp/dspy#9017 and ggml-org/llama.cpp#21850 (`audio/x-wav`), crmne/ruby_llm#390 (`audio/mp3`)."""

PRINTABLE = bytes([*b'\t\n\r\f\b\x1b', *range(32, 256)])
"""The bytes of texts in any encoding but UTF-16."""

WITH_PARAMETERS = ('audio/', 'video/')
"""The kinds whose parameters describe the content: `audio/L16;rate=24000`."""

TEXT_MEDIA_TYPES = frozenset({
    'application/graphql', 'application/javascript', 'application/json', 'application/jsonl', 'application/rtf',
    'application/sql', 'application/toml', 'application/typescript', 'application/x-httpd-php',
    'application/x-javascript', 'application/x-ndjson', 'application/x-sh', 'application/x-yaml', 'application/xml',
    'application/yaml',
})  # fmt: skip
"""Media types of text whose name does not begin with `text/`."""

TEXT_SUFFIXES = ('+json', '+xml', '+yaml')
"""The ends of names of formats that are written as text: `application/ld+json`."""

AUDIO_TYPES: tuple[tuple[bytes, str], ...] = (
    (b'RIFF', 'audio/wav'),
    (b'ID3', 'audio/mpeg'),
    *((bytes((0xFF, second)), 'audio/aac') for second in (0xF0, 0xF1, 0xF8, 0xF9)),  # ADTS: layer 0
    *((bytes((0xFF, second)), 'audio/mpeg') for second in (0xE2, 0xE3, 0xF2, 0xF3, 0xFA, 0xFB)),  # layer III
    (b'fLaC', 'audio/flac'),
    (b'OggS', 'audio/ogg'),
    (b'FORM', 'audio/aiff'),
    (b'\x1aE\xdf\xa3', 'audio/webm'),
    (b'', 'audio/pcm'),
)
"""The first bytes of audio files -> their media type; the first match is used. Samples have no header."""

FIRST_BYTES: tuple[tuple[bytes, str], ...] = (
    (b'\x89PNG\r\n\x1a\n', 'image/png'),
    (b'\xff\xd8\xff', 'image/jpeg'),
    (b'GIF8', 'image/gif'),
    (b'II*\0', 'image/tiff'),
    (b'MM\0*', 'image/tiff'),
    (b'%PDF-', 'application/pdf'),
    (b'\x1aE\xdf\xa3', 'video/webm'),
    *(row for row in AUDIO_TYPES if row[0] not in (b'RIFF', b'FORM', b'\x1aE\xdf\xa3', b'')),
)
"""The first bytes of files -> their media type: https://mimesniff.spec.whatwg.org/#matching-a-mime-type-pattern"""

CONTAINERS: dict[tuple[bytes, bytes], str] = {
    (b'RIFF', b'WEBP'): 'image/webp',
    (b'RIFF', b'WAVE'): 'audio/wav',
    (b'RIFF', b'AVI '): 'video/x-msvideo',
    (b'FORM', b'AIFF'): 'audio/aiff',
    (b'ftyp', b'avif'): 'image/avif',
    (b'ftyp', b'heic'): 'image/heic',
    (b'ftyp', b'mif1'): 'image/heif',
    (b'ftyp', b'M4A '): 'audio/mp4',
    (b'ftyp', b'qt  '): 'video/quicktime',
    **{(b'ftyp', brand): 'video/mp4' for brand in (b'isom', b'iso2', b'mp41', b'mp42', b'avc1', b'M4V ')},
}
"""The mark of a container (its bytes 0 to 3, or 4 to 7 for `ftyp`) and of its content (bytes 8 to 11) -> media type."""

UNKNOWN = 'application/octet-stream'
"""The media type of bytes of any kind."""


def media_type_of(name: str) -> str | None:
    """Return the media type for the extension of a path or URL, or `None` if it is unknown."""
    path = urlsplit(name).path if '://' in name else name
    found = MEDIA_TYPES.get(Path(path).suffix.lower()) or guess_type(path)[0]
    return normalize_media_type(found) if found else None


def detect_media_type(data: bytes, name: str = '') -> str:
    """Return the media type of a file: for its extension, or else for its content. `UNKNOWN` if neither is known.

    A file without control characters is `text/plain`.
    """
    if found := media_type_of(name) or _media_type_of_bytes(data):
        return found
    return 'text/plain' if data and _looks_like_text(data) else UNKNOWN


def _media_type_of_bytes(data: bytes) -> str | None:
    mark = b'ftyp' if data[4:8] == b'ftyp' else data[:4]
    if found := CONTAINERS.get((mark, data[8:12])):
        return found
    return next((media_type for first, media_type in FIRST_BYTES if data.startswith(first)), None)


def _looks_like_text(data: bytes) -> bool:
    """Return whether a text can have these bytes: it has no control characters but white space and escapes."""
    if data.startswith((b'\xff\xfe', b'\xfe\xff')):  # UTF-16
        return True
    return not data.translate(None, PRINTABLE)


def normalize_media_type(media_type: str) -> str:
    """Return the standard spelling of a media type, without parameters that do not describe the content."""
    name, semicolon, parameters = media_type.partition(';')
    name = name.strip()
    lowered = name.lower()
    if semicolon and lowered.startswith(WITH_PARAMETERS):
        return f'{SPELLINGS[lowered]};{parameters}' if lowered in SPELLINGS else media_type
    if '/' not in name:
        return MEDIA_TYPES.get(f'.{lowered}', name)
    return SPELLINGS.get(lowered, lowered if lowered.startswith(('image/', 'text/', 'application/')) else name)


def format_of(media_type: str) -> str:
    """Return the short name of a media type: `'png'`, `'mp3'`, `'pdf'`."""
    return FORMATS.get(media_type) or media_type.partition('/')[2].removeprefix('x-')


def is_text(media_type: str) -> bool:
    """Return whether files of this media type are text."""
    if media_type.startswith('text/') or media_type in TEXT_MEDIA_TYPES:
        return True
    return media_type.startswith('application/') and media_type.endswith(TEXT_SUFFIXES)
