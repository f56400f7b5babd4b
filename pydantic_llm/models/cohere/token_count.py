"""Encodes requests that count tokens: `POST /v1/tokenize`.

The API counts the tokens of a text. Those that the chat template adds around each message are not part of the count.
https://docs.cohere.com/reference/tokenize
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from pydantic_core import to_json

from ...json_types import Json

TEXT_LIMIT = 65_536
"""The longest text of one request, in characters: `AsyncClient.tokenize` in cohere 7.3."""

NOT_TEXT = frozenset({'type', 'role', 'id', 'tool_call_id', 'image_url'})
"""Fields of messages that are not read as text."""


def encode_token_count(path: str, body: Json) -> tuple[str, Json]:
    """Return the path and the body of the count, from those of a request for a response."""
    tools = [to_json(tool).decode() for tool in body.get('tools', ())]
    texts = [*_find_texts(body.get('messages')), *_find_texts(body.get('documents')), *tools]
    return path.replace('/v2/chat', '/v1/tokenize'), {'model': body['model'], 'text': '\n'.join(texts)}


def split_text(body: Json) -> list[Json]:
    """Return the body in as many as its text needs; an empty text needs none."""
    text: str = body['text']
    return [{**body, 'text': text[at : at + TEXT_LIMIT]} for at in range(0, len(text), TEXT_LIMIT)]


def _find_texts(value: Any) -> Iterator[str]:
    """Yield the texts of messages or documents, without those of the fields `NOT_TEXT`."""
    match value:
        case str():
            yield value
        case list():
            for item in cast('list[object]', value):
                yield from _find_texts(item)
        case dict():
            for name, item in cast('Json', value).items():
                if name not in NOT_TEXT:
                    yield from _find_texts(item)
        case _:
            pass
