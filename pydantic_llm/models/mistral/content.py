"""Rewrites OpenAI's messages with Mistral's chunks. Start at `encode_messages`.

The API checks their order (error 3230, `invalid_request_message_order`), which the profile's history rules demand.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from ...json_types import Json
from ...wire.file_names import is_file_name


def encode_messages(messages: Iterable[Json]) -> list[Json]:
    """Encode the messages. A response at the end becomes a prefix, which the next response continues.

    The API rejects any other response at the end (https://docs.mistral.ai/api/endpoint/chat), and empty responses.
    """
    kept = [message for message in messages if message['role'] != 'assistant' or _has_content(message)]
    if kept and kept[-1]['role'] == 'assistant':
        kept[-1] = {**kept[-1], 'prefix': True}
    elif len(kept) > 1 and kept[-1]['role'] == 'system':  # the last one of several must be of the user or a tool
        kept[-1] = {**kept[-1], 'role': 'user'}
    return [_encode_user_message(message) if message['role'] == 'user' else message for message in kept]


def _has_content(response: Json) -> bool:
    return bool(response.get('content') or response.get('tool_calls'))


def _encode_user_message(message: Json) -> Json:
    content = message['content']
    if not isinstance(content, list):
        return message
    return {**message, 'content': [encode_chunk(part) for part in cast('list[Json]', content)]}


def encode_chunk(part: Json) -> Json:
    """Encode a part of a user message as a chunk: audio without its format, documents as URLs."""
    match part:
        case {'type': 'file', 'file': {'file_id': id}}:
            return {'type': 'file', 'file_id': id}
        case {'type': 'file', 'file': {'file_data': url, **names}}:
            name = names.get('filename')
            named = {'document_name': name} if is_file_name(name) else {}
            return {'type': 'document_url', 'document_url': url, **named}
        case {'type': 'input_audio', 'input_audio': {'data': data}}:
            return {'type': 'input_audio', 'input_audio': data}
        case _:
            return part
