"""Rewrites OpenAI's messages in Mistral's order and with Mistral's chunks. Start at `encode_messages`.

The API checks the order (error 3230, `invalid_request_message_order`): system messages precede all responses, and no
user message follows a tool message. Other servers of Mistral's models check it too (opencode#7488).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from ...json_types import Json

BRIDGE: Json = {'role': 'assistant', 'content': 'OK'}
"""The message between a tool message and a user message."""


def encode_messages(messages: Iterable[Json]) -> list[Json]:
    """Encode the messages. A response at the end becomes a prefix, which the next response continues.

    The API rejects any other response at the end (https://docs.mistral.ai/api/endpoint/chat), and empty responses.
    """
    kept = [message for message in messages if message['role'] != 'assistant' or _has_content(message)]
    ordered = list(_insert_bridges(sorted(kept, key=lambda message: message['role'] != 'system')))
    if ordered and ordered[-1]['role'] == 'assistant':
        ordered[-1] = {**ordered[-1], 'prefix': True}
    return ordered


def _has_content(response: Json) -> bool:
    return bool(response.get('content') or response.get('tool_calls'))


def _insert_bridges(messages: Iterable[Json]) -> Iterator[Json]:
    """Yield the messages, with `BRIDGE` before each user message that follows a tool message."""
    previous_role = ''
    for message in messages:
        role = message['role']
        if previous_role == 'tool' and role == 'user':
            yield BRIDGE
        previous_role = role
        yield _encode_user_message(message) if role == 'user' else message


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
        case {'type': 'file', 'file': {'file_data': url}}:
            return {'type': 'document_url', 'document_url': url}
        case {'type': 'input_audio', 'input_audio': {'data': data}}:
            return {'type': 'input_audio', 'input_audio': data}
        case _:
            return part
