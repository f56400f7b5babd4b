"""Text of any encoding: from the command line and from files, and to JSON, whatever characters a model wrote."""

from __future__ import annotations

import json
import os
from typing import Any

from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

__all__ = ('decode_argument', 'decode_text', 'encode_json', 'replace_surrogates')


def decode_text(data: bytes) -> str:
    """Decode text: UTF-8, UTF-16 with a mark, or else Latin-1 as Windows has it, with a character for each byte."""
    if data.startswith((b'\xff\xfe', b'\xfe\xff')):
        return data.decode('utf-16', errors='replace')
    try:
        return data.decode('utf-8-sig')
    except UnicodeDecodeError:
        return data.decode('cp1252', errors='replace')


def decode_argument(text: str) -> str:
    """Return an argument whose bytes are not UTF-8 as the text that it is. Python has lone surrogates for such bytes.

    https://peps.python.org/pep-0383/
    """
    return text if text.isascii() else decode_text(os.fsencode(text))


def replace_surrogates(text: str) -> str:
    """Return a text without lone surrogates, which no encoding has."""
    return text if text.isascii() else text.encode('utf-8', errors='replace').decode()


def encode_json(value: object, *, indent: int | None = None, exclude: Any = None) -> str:
    """Return a value as JSON, with bytes as base64, and null for numbers that JSON does not have."""
    options: dict[str, Any] = {
        'exclude': exclude,
        'bytes_mode': 'base64',
        'inf_nan_mode': 'null',
        'serialize_unknown': True,
    }
    try:
        return to_json(value, indent=indent, **options).decode()
    except (PydanticSerializationError, UnicodeError):  # lone surrogates
        plain = to_jsonable_python(value, **options)
        return replace_surrogates(json.dumps(plain, indent=indent, ensure_ascii=False))
