"""The vendors' own clients, with their own types."""

from __future__ import annotations

from typing import Any

from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from benchmarks.ways.conversation import KEY, Entry, extend_body, make_body

FIRST_TOKEN = """
import asyncio, openai
async def main():
    client = openai.AsyncOpenAI(api_key='k', base_url=URL + '/plain/v1')
    messages = [{'role': 'user', 'content': 'Hi'}]
    async for chunk in await client.chat.completions.create(model='gpt-4o', messages=messages, stream=True):
        if chunk.choices[0].delta.content:
            return
asyncio.run(main())
"""


class Way:
    def __init__(self, url: str) -> None:
        self._url = url
        self._clients: dict[tuple[str, str], Any] = {}

    def build(self, api: str, kind: str, conversation: list[Entry], tools: list[dict[str, Any]]) -> Any:
        if (api, kind) not in self._clients:
            self._clients[api, kind] = self._make_client(api, f'{self._url}/{kind}')
        return self._clients[api, kind], make_body(api, conversation, tools)

    def _make_client(self, api: str, url: str) -> Any:
        match api:
            case 'chat':
                return AsyncOpenAI(api_key=KEY, base_url=f'{url}/v1').chat.completions
            case 'responses':
                return AsyncOpenAI(api_key=KEY, base_url=f'{url}/v1').responses
            case 'anthropic':
                return AsyncAnthropic(api_key=KEY, base_url=url).messages
            case _:
                return _make_google_client(url)

    def extend(self, request: Any, turn: list[Entry]) -> None:
        extend_body(request[1], turn)

    async def request(self, request: Any) -> None:
        create, body = request
        await create.create(**body)

    async def stream(self, request: Any) -> None:
        create, body = request
        async for _ in await create.create(**body, stream=True):
            pass


def _make_google_client(url: str) -> Any:
    try:
        from google import genai
    except ImportError:
        raise NotImplementedError from None
    client = genai.Client(api_key=KEY, http_options={'base_url': url})  # closes its connections when it is collected

    class Google:
        async def create(self, *, stream: bool = False, **body: Any) -> Any:
            config = {'system_instruction': body['systemInstruction'], 'tools': body.get('tools')}
            models = client.aio.models
            send = models.generate_content_stream if stream else models.generate_content
            return await send(model='gemini-2.5-flash', contents=body['contents'], config=config)

    return Google()
