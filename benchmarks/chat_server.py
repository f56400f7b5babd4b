"""A server of Chat Completions on loopback that answers everybody the same, after some time.

`python -m benchmarks.chat_server 0.2 0.01`: the latency, and the time between two chunks of a stream, in seconds. It
prints its port.
"""

from __future__ import annotations

import json
from typing import Any

from benchmarks.loopback import Answers, serve

WORDS = 20
"""How many pieces of text a stream has."""

COMMON = {'id': 'chatcmpl-1', 'created': 1, 'model': 'm'}
USAGE = {'prompt_tokens': 3, 'completion_tokens': WORDS, 'total_tokens': WORDS + 3}


def _choice(finish_reason: str | None, **more: Any) -> list[dict[str, Any]]:
    return [{'index': 0, 'finish_reason': finish_reason, **more}]


def _chunk(delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> bytes:
    chunk = {**COMMON, 'object': 'chat.completion.chunk', 'choices': _choice(finish_reason, delta=delta), **more}
    return f'data: {json.dumps(chunk)}\n\n'.encode()


MESSAGE = {'role': 'assistant', 'content': ' sunny' * WORDS}
WHOLE = {**COMMON, 'object': 'chat.completion', 'choices': _choice('stop', message=MESSAGE), 'usage': USAGE}
PIECES = (
    _chunk({'role': 'assistant', 'content': ''}),
    *[_chunk({'content': ' sunny'})] * WORDS,
    _chunk({}, 'stop', usage=USAGE),
    b'data: [DONE]\n\n',
)


def _is_stream(_: bytes, body: bytes) -> bool:
    return b'"stream":true' in body.replace(b' ', b'')


if __name__ == '__main__':
    serve(Answers(json.dumps(WHOLE).encode(), 'text/event-stream', PIECES, _is_stream))
