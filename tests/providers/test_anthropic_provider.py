"""The provider against servers on this machine: URLs, keys and clients."""

from __future__ import annotations

import asyncio
import json
import struct
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import anthropic
import httpx
import httpx2
import pytest

from pydantic_llm.exceptions import UnexpectedModelBehavior, UserError
from pydantic_llm.messages import ModelRequest, ModelResponse, TextPart
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.providers import infer_provider
from pydantic_llm.providers.anthropic import AnthropicProvider

HELLO = [ModelRequest.user_text_prompt('hello')]

ANSWER = {
    'id': 'msg_1',
    'type': 'message',
    'role': 'assistant',
    'model': 'claude-sonnet-4-5',
    'content': [{'type': 'text', 'text': 'Hi.'}],
    'stop_reason': 'end_turn',
    'usage': {'input_tokens': 1, 'output_tokens': 1},
}

EVENTS: list[dict[str, Any]] = [
    {'type': 'message_start', 'message': {**ANSWER, 'content': [], 'stop_reason': None}},
    {'type': 'content_block_start', 'index': 0, 'content_block': {'type': 'text', 'text': ''}},
    {'type': 'content_block_delta', 'index': 0, 'delta': {'type': 'text_delta', 'text': 'Hi.'}},
    {'type': 'content_block_stop', 'index': 0},
    {'type': 'message_delta', 'delta': {'stop_reason': 'end_turn'}, 'usage': {'output_tokens': 1}},
    {'type': 'message_stop'},
]


def as_sse(event: dict[str, Any]) -> bytes:
    return f'event: {event["type"]}\ndata: {json.dumps(event)}\n\n'.encode()


def as_frame(event: dict[str, Any], *, headers: dict[str, str] | None = None) -> bytes:
    """An event as Amazon frames it."""
    named = headers or {':message-type': 'event', ':event-type': 'chunk', ':content-type': 'application/json'}
    payload = json.dumps(event if headers else {'bytes': b64encode(json.dumps(event).encode()).decode()}).encode()
    head = b''.join(
        bytes([len(name)]) + name.encode() + b'\x07' + struct.pack('>H', len(value)) + value.encode()
        for name, value in named.items()
    )
    prelude = struct.pack('>II', len(head) + len(payload) + 16, len(head))
    message = prelude + struct.pack('>I', crc32(prelude)) + head + payload
    return message + struct.pack('>I', crc32(message))


@dataclass
class Server:
    """Responds to every request in the same way, and records it."""

    body: bytes = json.dumps(ANSWER).encode()
    content_type: str = 'application/json'
    paths: list[str] = field(default_factory=list[str])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b'\r\n\r\n')).decode().split('\r\n')
        pairs = (line.partition(':') for line in lines if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        self.paths.append(first.split()[1])
        self.headers.append(headers)
        self.bodies.append(json.loads(await reader.readexactly(int(headers['content-length']))))
        head = f'HTTP/1.1 200 OK\r\ncontent-type: {self.content_type}\r\ncontent-length: {len(self.body)}\r\n'
        writer.write(f'{head}connection: close\r\n\r\n'.encode() + self.body)
        await writer.drain()
        writer.close()


def ask(server: Server, provide: Callable[[str], AnthropicProvider], settings: Any = None) -> ModelResponse:
    """Return a response in an event loop of its own. The provider gets the server's URL."""

    async def run() -> ModelResponse:
        async with await asyncio.start_server(server, '127.0.0.1', 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            model = AnthropicModel('claude-sonnet-4-5', provider=provide(f'http://127.0.0.1:{port}'))
            if server.content_type == 'application/json':
                return await model.request(HELLO, settings)
            async with model.request_stream(HELLO, settings) as stream:
                async for _ in stream:
                    pass
                return stream.get()

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'ANTHROPIC_BASE_URL', 'AWS_BEARER_TOKEN_BEDROCK'):
        monkeypatch.delenv(name, raising=False)


# ---------------------------------------------------------------------- who and where


def test_a_missing_key_is_reported_at_once_with_what_to_set() -> None:
    with pytest.raises(UserError, match=r"key of 'anthropic' is missing.*ANTHROPIC_API_KEY.*api_key="):
        AnthropicModel('claude-sonnet-4-5')


def test_an_empty_key_is_refused_even_with_a_key_in_the_environment() -> None:
    with pytest.raises(UserError, match='is empty'):
        AnthropicProvider(api_key='')


def test_a_key_is_sent_and_shown_nowhere() -> None:
    server = Server()
    provider = AnthropicProvider(api_key='sk-secret')
    assert 'secret' not in repr(provider)
    ask(server, lambda url: AnthropicProvider(api_key='sk-secret', base_url=url))
    assert 'sk-secret' in {
        server.headers[0].get('x-api-key'),
        server.headers[0]['authorization'].removeprefix('Bearer '),
    }


def test_the_environment_has_the_key_or_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    monkeypatch.setenv('ANTHROPIC_AUTH_TOKEN', 'the-token')
    ask(server, lambda url: AnthropicProvider(base_url=url))
    assert server.headers[0]['authorization'] == 'Bearer the-token'
    monkeypatch.setenv('ANTHROPIC_API_KEY', 'the-key')
    assert infer_provider('anthropic').client.api_key == 'the-key'


def test_another_server_needs_no_key() -> None:
    assert ask(Server(), lambda url: AnthropicProvider(base_url=url)).parts == [TextPart('Hi.')]


@pytest.mark.parametrize('ending', ['', '/', '/v1', '/v1/'])
def test_an_address_may_end_in_the_version_or_not(ending: str) -> None:
    server = Server()
    ask(server, lambda url: AnthropicProvider(base_url=url + ending))
    assert server.paths == ['/v1/messages']


def test_the_base_url_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()

    def provide(url: str) -> AnthropicProvider:
        monkeypatch.setenv('ANTHROPIC_BASE_URL', f'{url}/v1')
        return AnthropicProvider(api_key='k')

    ask(server, provide)
    assert server.paths == ['/v1/messages']


# ---------------------------------------------------------------------- clients


@pytest.mark.parametrize('library', [httpx2, httpx])
def test_a_client_of_httpx2_or_httpx_is_used(library: Any) -> None:
    client = library.AsyncClient(headers={'x-mine': 'yes'})
    server = Server()
    ask(server, lambda url: AnthropicProvider(api_key='k', base_url=url, http_client=client))
    assert server.headers[0]['x-mine'] == 'yes'


def test_a_client_that_blocks_is_refused() -> None:
    wrong: Any = anthropic.Anthropic(api_key='k')
    with pytest.raises(UserError, match=r"asynchronous client.*not one of 'Anthropic'"):
        AnthropicProvider(anthropic_client=wrong)


def test_a_ready_client_takes_no_other_parameter() -> None:
    with pytest.raises(UserError, match='brings its own key'):
        AnthropicProvider(api_key='k', anthropic_client=anthropic.AsyncAnthropic(api_key='k'))


def test_betas_of_client_settings_and_headers_come_together() -> None:
    server = Server()

    def provide(url: str) -> AnthropicProvider:
        headers = {'anthropic-beta': 'of-the-client'}
        client = anthropic.AsyncAnthropic(api_key='k', base_url=url, default_headers=headers)
        return AnthropicProvider(anthropic_client=client)

    settings: Any = {
        'anthropic_betas': ['of-the-settings', 'twice'],
        'anthropic_speed': 'fast',
        'extra_headers': {'Anthropic-Beta': 'of-the-headers, twice', 'x-other': '1'},
    }
    ask(server, provide, settings)
    betas = [name.strip() for name in server.headers[0]['anthropic-beta'].split(',')]
    assert betas == ['of-the-client', 'fast-mode-2026-02-01', 'of-the-settings', 'twice', 'of-the-headers']
    assert server.headers[0]['x-other'] == '1'


def test_without_betas_there_is_no_header() -> None:
    server = Server()
    ask(server, lambda url: AnthropicProvider(base_url=url))
    assert 'anthropic-beta' not in server.headers[0]


@pytest.mark.parametrize('streamed', [False, True])
def test_a_client_for_microsoft_works(streamed: bool) -> None:
    server = Server(b''.join(map(as_sse, EVENTS)), 'text/event-stream') if streamed else Server()

    def provide(url: str) -> AnthropicProvider:
        return AnthropicProvider(anthropic_client=anthropic.AsyncAnthropicFoundry(api_key='k', base_url=url))

    response = ask(server, provide)
    assert (response.parts, response.state) == ([TextPart('Hi.')], 'complete')
    assert server.paths == ['/v1/messages']
    assert server.bodies[0]['model'] == 'claude-sonnet-4-5'


@pytest.mark.parametrize('streamed', [False, True])
def test_a_client_for_google_works(streamed: bool) -> None:
    server = Server(b''.join(map(as_sse, EVENTS)), 'text/event-stream') if streamed else Server()

    def provide(url: str) -> AnthropicProvider:
        client = anthropic.AsyncAnthropicVertex(region='r', project_id='p', access_token='t', base_url=f'{url}/v1')
        return AnthropicProvider(anthropic_client=client)

    response = ask(server, provide)
    assert (response.parts, response.state) == ([TextPart('Hi.')], 'complete')
    verb = 'streamRawPredict' if streamed else 'rawPredict'
    assert server.paths == [f'/v1/projects/p/locations/r/publishers/anthropic/models/claude-sonnet-4-5:{verb}']
    assert 'model' not in server.bodies[0]
    assert 'anthropic_version' in server.bodies[0]


def of_amazon(url: str) -> AnthropicProvider:
    client = anthropic.AsyncAnthropicBedrock(aws_region='r', api_key='k', base_url=url)
    return AnthropicProvider(anthropic_client=client)


def test_a_client_for_amazon_works() -> None:
    server = Server()
    response = ask(server, of_amazon, {'anthropic_betas': ['a', 'b']})
    assert response.parts == [TextPart('Hi.')]
    assert server.paths == ['/model/claude-sonnet-4-5/invoke']
    assert server.bodies[0]['anthropic_beta'] == ['a', 'b']
    assert server.bodies[0].keys().isdisjoint({'model', 'stream'})


def test_a_client_for_amazon_streams_in_frames() -> None:
    pytest.importorskip('botocore')
    server = Server(b''.join(map(as_frame, EVENTS)), 'application/vnd.amazon.eventstream')
    response = ask(server, of_amazon)
    assert (response.parts, response.finish_reason, response.state) == ([TextPart('Hi.')], 'stop', 'complete')
    assert server.paths == ['/model/claude-sonnet-4-5/invoke-with-response-stream']


def test_a_broken_frame_is_unexpected_behavior() -> None:
    pytest.importorskip('botocore')
    frames = bytearray(b''.join(map(as_frame, EVENTS[:-2])))  # before the end of the response
    frames[-1] ^= 1
    with pytest.raises(UnexpectedModelBehavior, match='frame of the stream'):
        ask(Server(bytes(frames), 'application/vnd.amazon.eventstream'), of_amazon)


def test_one_provider_works_from_one_event_loop_after_another() -> None:
    made: list[AnthropicProvider] = []

    def provide(url: str) -> AnthropicProvider:
        if not made:
            made.append(AnthropicProvider(api_key='k', base_url=url))
        return made[0]

    server = Server()

    async def run(port: int = 0) -> int:
        async with await asyncio.start_server(server, '127.0.0.1', port) as listening:
            port = listening.sockets[0].getsockname()[1]
            await AnthropicModel('claude-sonnet-4-5', provider=provide(f'http://127.0.0.1:{port}')).request(HELLO)
            return port

    port = asyncio.run(run())
    asyncio.run(run(port))
    assert len(server.bodies) == 2
