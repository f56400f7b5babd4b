"""LiteLLM."""

from __future__ import annotations

from typing import Any

import litellm

from benchmarks.ways.conversation import KEY, MODELS, Entry, extend_body, make_body

FIRST_TOKEN = """
import asyncio, litellm
async def main():
    messages = [{'role': 'user', 'content': 'Hi'}]
    options = {'api_key': 'k', 'api_base': URL + '/plain/v1', 'stream': True}
    async for chunk in await litellm.acompletion('openai/gpt-4o', messages, **options):
        if chunk.choices[0].delta.content:
            return
asyncio.run(main())
"""

BASES = {
    'chat': ('openai', '/v1'),
    'anthropic': ('anthropic', ''),
    'gemini': ('gemini', '/v1beta/models/gemini-2.5-flash'),
}


class Way:
    def __init__(self, url: str) -> None:
        self._url = url
        litellm.suppress_debug_info = True

    def build(self, api: str, kind: str, conversation: list[Entry], tools: list[dict[str, Any]]) -> Any:
        prefix, path = BASES[api]
        body = make_body('chat', conversation, tools)
        body['model'] = f'{prefix}/{MODELS[api]}'
        return body, {'api_key': KEY, 'api_base': f'{self._url}/{kind}{path}', 'max_tokens': 1000}

    def extend(self, request: Any, turn: list[Entry]) -> None:
        extend_body(request[0], turn)

    async def request(self, request: Any) -> None:
        body, options = request
        await litellm.acompletion(**body, **options)

    async def stream(self, request: Any) -> None:
        body, options = request
        async for _ in await litellm.acompletion(**body, **options, stream=True):
            pass
