"""A Bedrock server on loopback that sends the same response to every request, after a delay.

`python -m benchmarks.bedrock_server 0.2 0.01`: the delays before a response and between two events of a stream, in
seconds. It prints its port.
"""

from __future__ import annotations

import json
from typing import Any

from benchmarks.loopback import Responses, serve
from pydantic_llm.transport.eventstream import CONTENT_TYPE, encode_frame

Json = dict[str, Any]

WORDS = 20
"""The number of text events in a stream."""

USAGE = {'inputTokens': 3, 'outputTokens': WORDS, 'totalTokens': WORDS + 3}
METRICS = {'latencyMs': 1}
MESSAGE = {'role': 'assistant', 'content': [{'text': ' sunny' * WORDS}]}
RESPONSE = json.dumps(
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


def _encode_event(name: str, payload: Json) -> bytes:
    headers = {':event-type': name, ':content-type': 'application/json', ':message-type': 'event'}
    return encode_frame(headers, json.dumps(payload).encode())


def _is_stream(head: bytes, _: bytes) -> bool:
    return b'converse-stream ' in head


if __name__ == '__main__':
    serve(Responses(RESPONSE, CONTENT_TYPE, [_encode_event(name, payload) for name, payload in EVENTS], _is_stream))
