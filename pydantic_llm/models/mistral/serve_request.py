"""Rewrites the messages of a request body in OpenAI's form. Undoes `content`; the rest of `encode` is OpenAI's."""

from __future__ import annotations

from base64 import b64decode
from typing import cast

from ...exceptions import UserError
from ...json_types import Json
from ...messages.media_types import AUDIO_TYPES


def decode_messages(messages: object) -> object:
    """Return the messages in OpenAI's form. A value that is not a list is returned unchanged."""
    if not isinstance(messages, list):
        return messages
    return [_decode_message(message) for message in cast('list[Json]', messages)]


def _decode_message(message: Json) -> Json:
    match message:
        case {'role': 'user', 'content': list()}:
            chunks = cast('list[Json]', message['content'])
            return {**message, 'content': [decode_chunk(chunk) for chunk in chunks]}
        case _:
            return message


def decode_chunk(chunk: Json) -> Json:
    """Return a chunk of a user message as OpenAI's part."""
    match chunk:
        case {'type': 'image_url', 'image_url': str() as url}:
            return {'type': 'image_url', 'image_url': {'url': url}}
        case {'type': 'document_url', 'document_url': url, **names}:
            name = names.get('document_name')
            return {'type': 'file', 'file': {'file_data': url, **({'filename': name} if name else {})}}
        case {'type': 'file', 'file_id': id}:
            return {'type': 'file', 'file': {'file_id': id}}
        case {'type': 'input_audio', 'input_audio': str() as data} if not data.startswith('http'):
            return {'type': 'input_audio', 'input_audio': {'data': data, 'format': _detect_audio_format(data)}}
        case _:
            return chunk


def _detect_audio_format(data: str) -> str:
    """Return the format of audio by its first bytes: the request does not name it."""
    try:
        start = b64decode(data[:16], validate=True)
    except ValueError as error:
        raise UserError(f'The audio is not base64: {error}') from error
    return next(kind for known, kind in AUDIO_TYPES if start.startswith(known)).partition('/')[2]
