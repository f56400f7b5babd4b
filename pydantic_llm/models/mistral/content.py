"""Messages as OpenAI wants them → as Mistral wants them: in its order, with its chunks. Start at `encode_messages`.

The order is checked (error 3230): system messages come before all answers, and no user speaks right after a tool.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from ...json_types import Json

BRIDGE: Json = {'role': 'assistant', 'content': 'OK'}
"""Stands between what a tool gave and the user's next word."""


def encode_messages(messages: Iterable[Json]) -> list[Json]:
    """The messages. An answer that ends them is the beginning of the one that is asked for."""
    said = [message for message in messages if message['role'] != 'assistant' or _says_something(message)]
    ordered = list(_bridged(sorted(said, key=lambda message: message['role'] != 'system')))
    if ordered and ordered[-1]['role'] == 'assistant':
        ordered[-1] = {**ordered[-1], 'prefix': True}
    return ordered


def _says_something(answer: Json) -> bool:
    return bool(answer.get('content') or answer.get('tool_calls'))


def _bridged(messages: Iterable[Json]) -> Iterator[Json]:
    before = ''
    for message in messages:
        if before == 'tool' and message['role'] == 'user':
            yield BRIDGE
        before = message['role']
        yield _with_chunks(message) if before == 'user' else message


def _with_chunks(message: Json) -> Json:
    content = message['content']
    if not isinstance(content, list):
        return message
    return {**message, 'content': [encode_chunk(part) for part in cast('list[Json]', content)]}


def encode_chunk(part: Json) -> Json:
    """A part of a user's message as a chunk. Sound goes without its format, documents as addresses."""
    match part:
        case {'type': 'file', 'file': {'file_id': id}}:
            return {'type': 'file', 'file_id': id}
        case {'type': 'file', 'file': {'file_data': address}}:
            return {'type': 'document_url', 'document_url': address}
        case {'type': 'input_audio', 'input_audio': {'data': data}}:
            return {'type': 'input_audio', 'input_audio': data}
        case _:
            return part
