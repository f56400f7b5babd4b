"""An HTTP client without a network, which records requests. Everything above it is real."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import httpx2

Json = dict[str, Any]
Handler = Callable[[Any], Any]

STOPPED: Json = {
    'id': 'chatcmpl-1',
    'object': 'chat.completion',
    'created': 1_760_000_000,
    'model': 'answering-model',
    'choices': [{'index': 0, 'message': {'role': 'assistant', 'content': 'Hello!'}, 'finish_reason': 'stop'}],
    'usage': {'prompt_tokens': 3, 'completion_tokens': 2, 'total_tokens': 5},
}
"""A whole response."""


def completion(message: Json, *, finish_reason: str | None = 'stop', **more: Any) -> Json:
    """Return a whole response with this message."""
    choice = {'index': 0, 'message': {'role': 'assistant', **message}, 'finish_reason': finish_reason}
    return {**STOPPED, 'choices': [choice], **more}


def chunks(*deltas: Json, finish_reason: str | None = 'stop', after: tuple[Json, ...] = ()) -> bytes:
    """Return a stream of these deltas; `after` are whole chunks after the one with the finish reason."""
    events: list[Json] = [{'choices': [{'index': 0, 'delta': delta}]} for delta in deltas]
    if finish_reason is not None:
        events.append({'choices': [{'index': 0, 'delta': {}, 'finish_reason': finish_reason}]})
    facts = {'id': 'chatcmpl-1', 'model': 'answering-model', 'created': 1_760_000_000}
    lines = [f'data: {json.dumps({**facts, **event})}\n\n' for event in (*events, *after)]
    return ''.join((*lines, 'data: [DONE]\n\n')).encode()


class Server:
    """Responds to every request with the same status, headers and body."""

    def __init__(self, body: Json | bytes = STOPPED, *, status: int = 200, **headers: str) -> None:
        self.status = status
        self.content = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = 'text/event-stream' if self.content.startswith(b'data:') else 'application/json'
        self.headers = {'content-type': kind, **{name.replace('_', '-'): value for name, value in headers.items()}}
        self.requests: list[Any] = []

    def client(self, library: ModuleType = httpx2) -> Any:
        """Return a client of `httpx2` or `httpx` whose requests go to this server."""

        def answer(request: Any) -> Any:
            self.requests.append(request)
            return library.Response(self.status, headers=self.headers, content=self.content)

        return library.AsyncClient(transport=library.MockTransport(answer))

    @property
    def request(self) -> Any:
        """The only request that was received."""
        [request] = self.requests
        return request

    @property
    def body(self) -> Json:
        """The body of the only request, decoded."""
        body: Json = json.loads(self.request.content)
        return body
