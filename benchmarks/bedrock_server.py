"""A Bedrock on loopback that answers everybody the same, after some time.

`python -m benchmarks.bedrock_server 0.2 0.01`: the latency, and the time between two events of a stream, in seconds. It
prints its port.
"""

from __future__ import annotations

import json
from typing import Any

from benchmarks.loopback import Answers, serve
from pydantic_llm.transport.eventstream import CONTENT_TYPE, encode_frame

Json = dict[str, Any]

WORDS = 20
"""How many pieces of text a stream has."""

USAGE = {'inputTokens': 3, 'outputTokens': WORDS, 'totalTokens': WORDS + 3}
METRICS = {'latencyMs': 1}
MESSAGE = {'role': 'assistant', 'content': [{'text': ' sunny' * WORDS}]}
ANSWER = json.dumps(
    {'output': {'message': MESSAGE}, 'stopReason': 'end_turn', 'usage': USAGE, 'metrics': METRICS}
).encode()

WORD = {'contentBlockIndex': 0, 'delta': {'text': ' sunny'}, 'p': 'abcdefghijklmnop'}
EVENTS: tuple[tuple[str, Json], ...] = (
    ('messageStart', {'role': 'assistant'}),
    *[('contentBlockDelta', WORD)] * WORDS,
    ('contentBlockStop', {'contentBlockIndex': 0}),
    ('messageStop', {'stopReason': 'end_turn'}),
    ('metadata', {'usage': USAGE, 'metrics': METRICS}),
)


def _frame(name: str, payload: Json) -> bytes:
    headers = {':event-type': name, ':content-type': 'application/json', ':message-type': 'event'}
    return encode_frame(headers, json.dumps(payload).encode())


def _is_stream(head: bytes, _: bytes) -> bool:
    return b'converse-stream ' in head


if __name__ == '__main__':
    serve(Answers(ANSWER, CONTENT_TYPE, [_frame(name, payload) for name, payload in EVENTS], _is_stream))
