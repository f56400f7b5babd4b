"""`encode_json`: any value as JSON, for files of results and for prompts."""

from __future__ import annotations

from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from ..json_types import repair_text

__all__ = ('encode_json',)


def encode_json(value: Any) -> bytes:
    """Return a value as JSON: what JSON does not have is null or text, halves of surrogate pairs are replaced."""
    try:
        return to_json(value, fallback=str, inf_nan_mode='null', bytes_mode='base64')
    except PydanticSerializationError:
        return to_json(repair_text(value), fallback=str, inf_nan_mode='null', bytes_mode='base64')
