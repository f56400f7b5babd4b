"""A Chat Completions server on loopback that sends the same response to every request, after a delay.

`python -m benchmarks.chat_server 0.2 0.01`: the delays before a response and between two chunks of a stream, in
seconds. It prints its port.
"""

from __future__ import annotations

import json
from typing import Any

from benchmarks.loopback import Responses, serve

WORDS = 20
"""The number of text chunks in a stream."""

COMMON = {'id': 'chatcmpl-1', 'created': 1, 'model': 'm'}
USAGE = {'prompt_tokens': 3, 'completion_tokens': WORDS, 'total_tokens': WORDS + 3}


def _make_choice(finish_reason: str | None, **more: Any) -> list[dict[str, Any]]:
    return [{'index': 0, 'finish_reason': finish_reason, **more}]


def _encode_chunk(delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> bytes:
    chunk = {**COMMON, 'object': 'chat.completion.chunk', 'choices': _make_choice(finish_reason, delta=delta), **more}
    return f'data: {json.dumps(chunk)}\n\n'.encode()


MESSAGE = {'role': 'assistant', 'content': ' sunny' * WORDS}
BODY = {**COMMON, 'object': 'chat.completion', 'choices': _make_choice('stop', message=MESSAGE), 'usage': USAGE}
CHUNKS = (
    _encode_chunk({'role': 'assistant', 'content': ''}),
    *[_encode_chunk({'content': ' sunny'})] * WORDS,
    _encode_chunk({}, 'stop', usage=USAGE),
    b'data: [DONE]\n\n',
)


def _is_stream(_: bytes, body: bytes) -> bool:
    return b'"stream":true' in body.replace(b' ', b'')


if __name__ == '__main__':
    serve(Responses(json.dumps(BODY).encode(), 'text/event-stream', CHUNKS, _is_stream))
