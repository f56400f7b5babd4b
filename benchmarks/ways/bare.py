"""`httpx2` and `json`, without any types: what everything else is compared with."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2

from benchmarks.ways.conversation import (
    KEY,
    PATHS,
    Entry,
    extend_body,
    make_body,
    make_chat_messages,
    make_conversation,
)

IMPORT = """import pydantic; pydantic.BaseModel"""

FIRST_TOKEN = """
import asyncio, httpx2, json
async def main():
    async with httpx2.AsyncClient() as client:
        body = {'model': 'gpt-4o', 'stream': True, 'messages': [{'role': 'user', 'content': 'Hi'}]}
        async with client.stream('POST', URL + '/plain/v1/chat/completions', json=body) as response:
            async for line in response.aiter_lines():
                if line.startswith('data: {') and json.loads(line[6:])['choices'][0]['delta'].get('content'):
                    return
asyncio.run(main())
"""


class Way:
    def __init__(self, url: str) -> None:
        self._url = url
        limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=1000)
        headers = {'authorization': f'Bearer {KEY}', 'x-api-key': KEY, 'x-goog-api-key': KEY}
        self._client = httpx2.AsyncClient(timeout=60, limits=limits, headers=headers)

    def build(self, api: str, kind: str, conversation: list[Entry], tools: list[dict[str, Any]]) -> Any:
        return f'{self._url}/{kind}{PATHS[api]}', make_body(api, conversation, tools)

    def extend(self, request: Any, turn: list[Entry]) -> None:
        extend_body(request[1], turn)

    async def request(self, request: Any) -> None:
        url, body = request
        response = await self._client.post(url, json=body)
        assert response.status_code == 200
        json.loads(response.content)

    async def stream(self, request: Any) -> None:
        url, body = request
        if url.endswith(':generateContent'):
            url = url.replace(':generateContent', ':streamGenerateContent?alt=sse')
        async with self._client.stream('POST', url, json=body | {'stream': True}) as response:
            async for line in response.aiter_lines():
                if line.startswith('data: {'):
                    json.loads(line[6:])

    def name_proxy(self, kind: str) -> list[str]:
        return ['bare', f'{self._url}/{kind}/v1']

    def make_agent(self, kind: str) -> Callable[[], Awaitable[None]]:
        url, body = self.build('chat', kind, make_conversation(2), [])

        async def run() -> None:
            messages = list(body['messages'])
            while calls := (await self._ask(url, {**body, 'messages': messages})).get('tool_calls'):
                messages.append({'role': 'assistant', 'content': None, 'tool_calls': calls})
                for call in calls:
                    city = json.loads(call['function']['arguments'])['city']
                    messages.append({'role': 'tool', 'tool_call_id': call['id'], 'content': f'sunny in {city}'})

        return run

    async def _ask(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        response = await self._client.post(url, json=body)
        message: dict[str, Any] = json.loads(response.content)['choices'][0]['message']
        return message

    def build_history(self, conversation: list[Entry]) -> Any:
        return make_chat_messages(conversation)

    def dump(self, history: Any) -> bytes:
        return json.dumps(history).encode()

    def load(self, dumped: bytes) -> Any:
        return json.loads(dumped)

    def encode(self, request: Any) -> bytes:
        return json.dumps(request[1]).encode()
