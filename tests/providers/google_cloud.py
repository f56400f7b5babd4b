"""Google Cloud on this machine: an endpoint that gives tokens to service accounts, and an API that requires them.

It answers in threads of its own, so that clients in any event loop and thread can talk to it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pydantic_llm.messages import ModelRequest, ModelResponse
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.providers import Provider

Json = dict[str, Any]

ANSWER: Json = {
    'candidates': [{'content': {'role': 'model', 'parts': [{'text': 'Hi.'}]}, 'finishReason': 'STOP', 'index': 0}],
    'usageMetadata': {'promptTokenCount': 1, 'candidatesTokenCount': 1, 'totalTokenCount': 2},
    'modelVersion': 'gemini-2.5-flash',
}

REFUSED: Json = {'error': {'code': 401, 'message': 'The token has been revoked.', 'status': 'UNAUTHENTICATED'}}

HELLO = [ModelRequest.user_text_prompt('hello')]


class Cloud:
    """The requests, and the response to each."""

    def __init__(self) -> None:
        self.url = ''
        self.assertions: list[str] = []
        self.lifetime = 3600
        self.token_error: tuple[int, Json] | None = None
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked = threading.Event()
        self.takes_only: str | None = None
        self.requests: list[tuple[str, dict[str, str], Json]] = []

    @property
    def paths(self) -> list[str]:
        return [path for path, _, _ in self.requests]

    @property
    def keys(self) -> list[str | None]:
        """The credentials of the requests."""
        return [headers.get('authorization') or headers.get('x-goog-api-key') for _, headers, _ in self.requests]

    def token(self, form: str) -> tuple[int, Json]:
        """Give a token; each is new."""
        self.assertions.append(parse_qs(form)['assertion'][0])
        self.asked.set()
        self.may_answer.wait(20)
        if self.token_error is not None:
            return self.token_error
        return 200, {
            'access_token': f'token-{len(self.assertions)}',
            'expires_in': self.lifetime,
            'token_type': 'Bearer',
        }

    def answer(self, path: str, headers: dict[str, str], body: Json) -> tuple[int, Json]:
        """Respond to a request, whose token must be the only accepted one."""
        self.requests.append((path, headers, body))
        if self.takes_only is not None and headers.get('authorization') != f'Bearer {self.takes_only}':
            return 401, REFUSED
        return 200, ANSWER


@contextmanager
def google_cloud() -> Iterator[Cloud]:
    """Google Cloud, for the length of a `with` block."""
    cloud = Cloud()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers['content-length'])).decode()
            if self.path == '/token':
                status, body = cloud.token(text)
            else:
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, body = cloud.answer(self.path, headers, json.loads(text))
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header('content-type', 'application/json')
            self.send_header('content-length', str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 512
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    with Server(('127.0.0.1', 0), Handler) as server:
        cloud.url = f'http://127.0.0.1:{server.server_port}'
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield cloud
        finally:
            cloud.may_answer.set()
            server.shutdown()


@cache
def private_key() -> str:
    """A key of no account."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def service_account(cloud: Cloud, **changes: Any) -> Json:
    """The JSON that Google gives as the key of a service account."""
    info = {
        'type': 'service_account',
        'project_id': 'the-project',
        'private_key_id': 'the-key',
        'private_key': private_key(),
        'client_email': 'robot@the-project.iam.gserviceaccount.com',
        'client_id': '1',
        'token_uri': f'{cloud.url}/token',
    }
    return {name: value for name, value in {**info, **changes}.items() if value is not None}


async def ask(provider: Provider[Any], settings: Any = None, *, name: str = 'gemini-2.5-flash') -> ModelResponse:
    """Return the response of one request to a model of the provider."""
    return await GeminiModel(name, provider=provider).request(HELLO, {'retries': 0, **(settings or {})})
