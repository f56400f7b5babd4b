"""The names of files in OpenAI's forms, which require one: Responses refuses a file without a name (laravel/ai#324)."""

from __future__ import annotations

from dataclasses import replace

from ..messages import BinaryContent, DocumentUrl
from ..messages.content import find_file_name

UNNAMED = 'filename.'
"""The beginning of the name of a file without a name."""


def choose_file_name(file: BinaryContent | DocumentUrl) -> str:
    """Return the file's own name, or else one that has the extension of its format."""
    return find_file_name(file) or f'{UNNAMED}{file.format or "pdf"}'


def is_file_name(name: object) -> bool:
    """Return whether a name on the wire is a file's own."""
    return isinstance(name, str) and bool(name) and not name.startswith(UNNAMED)


def with_file_name(file: BinaryContent, name: object) -> BinaryContent:
    """Return the file with its own name as identifier."""
    return replace(file, identifier=name) if isinstance(name, str) and is_file_name(name) else file
