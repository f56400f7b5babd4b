"""Cached contents of Gemini, with a server that keeps them as Google's does."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from pydantic_llm import Agent
from pydantic_llm.messages import CachePoint, ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.models.gemini import GeminiModel, cached_content as cached_content_module
from pydantic_llm.providers.google_gla import GoogleGLAProvider
from pydantic_llm.providers.google_vertex import GoogleVertexProvider
from pydantic_llm.serve import LocalServer, create_app
from pydantic_llm.settings import ModelSettings
from pydantic_llm.tools.definition import ToolDefinition
from tests.providers.google_cloud import google_cloud, service_account

Json = dict[str, Any]

BOOK = 'A long book. ' * 1500
"""A text of more than 4,096 tokens."""

ASK = ModelRequest([UserPromptPart([BOOK, CachePoint(), 'Who wrote it?'])])
LOOK = ModelRequestParameters([ToolDefinition('look', {'type': 'object', 'properties': {}})])


def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Return the number of the characters that the model sees, and the names of its tools."""
    texts = [str(part.content) for message in messages for part in message.parts if hasattr(part, 'content')]
    names = ','.join(tool.name for tool in info.function_tools)
    return ModelResponse([TextPart(f'{sum(map(len, texts))} {names}')])


@dataclass
class CacheServer:
    """The gateway, behind a layer that keeps cached contents and adds them to the requests that name them."""

    app: Any = field(default_factory=lambda: create_app(FunctionModel(respond, model_name='gemini-2.5-flash')))
    contents: dict[str, Json] = field(default_factory=dict[str, Json])
    calls: list[str] = field(default_factory=list[str])
    """The method and the kind of each request: `'POST cachedContents'`, `'POST whole'`, `'POST cached'`."""
    bodies: list[Json] = field(default_factory=list[Json])
    """The bodies of requests about cached contents."""
    status: int = 200
    """The status of the next creations."""
    delay: float = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope['type'] != 'http':
            await self.app(scope, receive, send)
            return
        body = json.loads(await _read(receive) or b'{}')
        path = scope['path']
        if 'cachedContents' in path:
            status, answer = await self._keep(scope['method'], path, body)
            await _reply(send, status, answer)
        elif (name := body.get('cachedContent')) is None:
            self.calls.append('POST whole')
            await self.app(scope, _replay(body), send)
        elif name not in self.contents:
            self.calls.append('POST gone')
            message = 'CachedContent not found (or permission denied)'
            await _reply(send, 403, {'error': {'code': 403, 'message': message, 'status': 'PERMISSION_DENIED'}})
        else:
            self.calls.append('POST cached')
            await self.app(scope, _replay(self._merge(body, self.contents[name])), send)

    def _merge(self, body: Json, cached: Json) -> Json:
        refused = [name for name in ('tools', 'toolConfig', 'systemInstruction') if name in body]
        assert not refused, refused
        kept = {name: cached[name] for name in ('tools', 'toolConfig', 'systemInstruction') if name in cached}
        rest = {name: value for name, value in body.items() if name != 'cachedContent'}
        return {**kept, **rest, 'contents': [*cached.get('contents', ()), *body['contents']]}

    async def _keep(self, method: str, path: str, body: Json) -> tuple[int, Json]:
        self.calls.append(f'{method} cachedContents')
        self.bodies.append(body)
        name = path.partition('/v1beta1/')[2] or path.partition('/v1beta/')[2]
        await asyncio.sleep(self.delay)
        match method:
            case 'POST' if self.status != 200:
                return self.status, {'error': {'code': self.status, 'message': 'Cached content is too small.'}}
            case 'POST':
                made = f'{name}/{len(self.calls)}'
                self.contents[made] = body
                return 200, {'name': made}
            case 'DELETE':
                return (200, {}) if self.contents.pop(name, None) else (404, {})
            case _:
                return (200, {'name': name}) if name in self.contents else (404, {})


async def _read(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        chunks.append(message.get('body', b''))
        if not message.get('more_body'):
            return b''.join(chunks)


def _replay(body: Json) -> Receive:
    messages: list[Message] = [{'type': 'http.request', 'body': json.dumps(body).encode()}]

    async def receive() -> Message:
        return messages.pop() if messages else {'type': 'http.disconnect'}

    return receive


async def _reply(send: Send, status: int, body: Json) -> None:
    headers = [(b'content-type', b'application/json')]
    await send({'type': 'http.response.start', 'status': status, 'headers': headers})
    await send({'type': 'http.response.body', 'body': json.dumps(body).encode()})


@contextmanager
def run(cache: Any = True, **facts: Any) -> Iterator[tuple[CacheServer, GeminiModel]]:
    server = CacheServer(**facts)
    with LocalServer(server) as url:
        provider = GoogleGLAProvider(api_key='k', base_url=url)
        yield server, GeminiModel('gemini-2.5-flash', provider=provider, settings={'cache': cache})


def text_of(response: ModelResponse) -> str:
    return str(response.text)


async def test_the_prefix_is_created_once_and_used_again() -> None:
    with run() as (server, model):
        whole = text_of(await model.request([ASK], {'cache': False}, LOOK))
        for question in ('Who wrote it?', 'When?'):
            asked = ModelRequest([UserPromptPart([BOOK, CachePoint(), question])])
            response = await model.request([asked], None, LOOK)
            assert text_of(response).partition(' ')[2] == 'look'
            assert response.warnings == []
            if question == 'Who wrote it?':
                assert text_of(response) == whole
        await model.aclose()
        assert server.calls == [
            'POST whole', 'POST cachedContents', 'POST cached', 'POST cached', 'DELETE cachedContents',
        ]  # fmt: skip
        assert server.contents == {}
        body = server.bodies[0]
        assert (body['model'], body['ttl'], sorted(body)) == (
            'models/gemini-2.5-flash', '300s', ['contents', 'model', 'toolConfig', 'tools', 'ttl'],
        )  # fmt: skip
        assert body['contents'] == [{'role': 'user', 'parts': [{'text': BOOK}]}]


async def test_a_stream_uses_the_same_cached_content() -> None:
    with run() as (server, model):
        await model.request([ASK])
        async with model.request_stream([ASK]) as stream:
            async for _ in stream:
                pass
        assert server.calls == ['POST cachedContents', 'POST cached', 'POST cached']


async def test_a_conversation_creates_few_cached_contents() -> None:
    with run() as (server, model):
        agent = Agent(model, instructions=BOOK)
        history: list[ModelMessage] = []
        for _ in range(12):
            result = await agent.run('And then?', message_history=history)
            history = [*result.all_messages()]
        created = [call for call in server.calls if call == 'POST cachedContents']
        assert (len(created), server.calls.count('POST cached')) == (1, 12)


async def test_a_longer_conversation_is_cached_again_when_it_has_grown() -> None:
    with run() as (server, model):
        history: list[ModelMessage] = []
        for _ in range(8):
            history.append(ModelRequest([UserPromptPart(BOOK)]))
            history.append(await model.request(history))
        assert server.calls.count('POST cachedContents') == 4  # at 1, 2, 3 and 5 turns
        assert server.calls.count('POST whole') == 1  # the first turn has nothing before it


async def test_a_short_prefix_is_not_created() -> None:
    with run() as (server, model):
        await model.request([ModelRequest([UserPromptPart(['Short.', CachePoint(), 'Hi'])])])
        assert server.calls == ['POST whole']


@pytest.mark.parametrize('status', [400, 403, 429, 500])
async def test_an_error_of_the_cache_does_not_fail_the_request(status: int) -> None:
    with run(status=status) as (server, model):
        expected = text_of(await model.request([ASK], {'cache': False}))
        for _ in range(2):
            response = await model.request([ASK])
            assert text_of(response) == expected
        assert server.calls == ['POST whole', 'POST cachedContents', 'POST whole', 'POST whole']


async def test_a_slow_cache_does_not_fail_the_request() -> None:
    with run(delay=5.0) as (server, model):
        response = await model.request([ASK], {'timeout': 0.6})
        assert response.text
        assert server.calls[-1] == 'POST whole'


async def test_requests_at_the_same_time_create_one_cached_content() -> None:
    with run(delay=0.1) as (server, model):
        await asyncio.gather(*(model.request([ASK]) for _ in range(20)))
        assert server.calls.count('POST cachedContents') == 1
        assert server.calls.count('POST cached') == 20


async def test_a_request_that_is_cancelled_leaves_the_creation_to_another() -> None:
    with run(delay=0.15) as (server, model):
        first = asyncio.create_task(model.request([ASK]))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(model.request([ASK]))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).text
        assert server.calls[-1] == 'POST cached'


async def test_a_cached_content_that_is_gone_is_replaced_by_the_whole_prompt() -> None:
    with run() as (server, model):
        expected = text_of(await model.request([ASK]))
        server.contents.clear()
        assert text_of(await model.request([ASK])) == expected
        async with model.request_stream([ASK]) as stream:
            async for _ in stream:
                pass
        assert server.calls == [
            'POST cachedContents', 'POST cached', 'POST gone', 'POST whole', 'POST cachedContents', 'POST cached',
        ]  # fmt: skip


def let_time_pass(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change the clock of the cached contents alone, since event loops stop if theirs is changed."""
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + seconds)
    monkeypatch.setattr(cached_content_module, 'time', clock)


async def test_a_cached_content_is_renewed_before_its_time_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    with run('1h') as (server, model):
        await model.request([ASK])
        let_time_pass(2000, monkeypatch)
        await model.request([ASK])
        await model.request([ASK])
        assert server.calls == [
            'POST cachedContents', 'POST cached', 'PATCH cachedContents', 'POST cached', 'POST cached',
        ]  # fmt: skip
        assert (server.bodies[0]['ttl'], server.bodies[1]) == ('3600s', {'ttl': '3600s'})


async def test_an_expired_cached_content_is_created_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with run() as (server, model):
        await model.request([ASK])
        let_time_pass(400, monkeypatch)
        await model.request([ASK])
        assert server.calls == ['POST cachedContents', 'POST cached'] * 2


async def test_vertex_gets_the_full_name_of_the_model() -> None:
    server = CacheServer()
    with google_cloud() as cloud, LocalServer(server) as url:
        provider = GoogleVertexProvider(
            service_account_info=service_account(cloud), base_url=f'{url}/v1beta1', region='us-east1'
        )
        model = GeminiModel('gemini-2.5-flash', provider=provider, settings={'cache': True})
        await model.request([ASK])
        await model.aclose()
        assert server.calls == ['POST cachedContents', 'POST cached', 'DELETE cachedContents']
        assert server.bodies[0]['model'].endswith('/locations/us-east1/publishers/google/models/gemini-2.5-flash')
        assert server.bodies[0]['model'].startswith('projects/')


async def test_a_cached_content_of_your_own_wins() -> None:
    with run() as (server, model):
        server.contents['cachedContents/mine'] = {}
        settings: Any = {'gemini_cached_content': 'cachedContents/mine'}
        await model.request([ModelRequest([UserPromptPart('Hi')])], settings)
        assert server.calls == ['POST cached']


async def test_a_fallback_model_passes_the_setting_on() -> None:
    with run(None) as (server, model):
        settings: ModelSettings = {'cache': '5m'}
        await FallbackModel(model).request([ASK], settings)
        assert server.calls == ['POST cachedContents', 'POST cached']


def test_a_model_object_works_in_several_event_loops() -> None:
    with run() as (server, model):
        for _ in range(2):
            asyncio.run(model.request([ASK]))
        assert server.calls == ['POST cachedContents', 'POST cached', 'POST cached']
