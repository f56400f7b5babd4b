"""Compares a response from the cache with a request to a server on loopback, and with LiteLLM's cache in memory."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.loopback import server
from benchmarks.measure import Way, compare
from benchmarks.vendors import history
from pydantic_llm.models import Model
from pydantic_llm.models.cached import CachedModel, SQLiteCache
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.models.openai.chat.message_dicts import messages_to_openai
from pydantic_llm.providers.openai import OpenAIProvider

KEY = 'a-key-of-the-benchmark'

CASES = ((2, 200), (100, 50))
"""The cases: number of messages, of requests per round."""


def run() -> Iterator[str]:
    """Compare the ways for a short and a long conversation."""
    for count, times in CASES:
        with server('benchmarks.chat_server', 0) as url, TemporaryDirectory() as folder:
            yield from compare(f'{count} messages', _make_ways(url, Path(folder), count), times=times)


def _make_ways(url: str, folder: Path, count: int) -> dict[str, Way]:
    messages = history(count)

    def ask(make: Callable[[], Model], *, stream: bool = False) -> Way:
        model = make()

        async def request() -> None:
            if not stream:
                assert (await model.request(messages)).text
                return
            async with model.request_stream(messages) as streamed:
                async for _ in streamed:
                    pass

        return request

    def plain() -> Model:
        return OpenAIChatModel('m', provider=OpenAIProvider(api_key=KEY, base_url=url))

    ways = {
        'OpenAIChatModel': ask(plain),
        'CachedModel, memory': ask(lambda: CachedModel(plain())),
        'CachedModel, memory, streamed': ask(lambda: CachedModel(plain()), stream=True),
        'CachedModel, SQLite': ask(lambda: CachedModel(plain(), SQLiteCache(folder / 'cache.db'))),
    }
    litellm = _make_litellm(url, messages_to_openai(messages))
    return ways if litellm is None else {**ways, 'LiteLLM, cache in memory': litellm}


def _make_litellm(url: str, messages: list[dict[str, Any]]) -> Way | None:
    """Return the way of LiteLLM; `None` if a package is missing: a hit imports those of `litellm[proxy]`."""
    os.environ.setdefault('LITELLM_LOCAL_MODEL_COST_MAP', 'True')  # else its import downloads a file
    try:
        import litellm
        import litellm.proxy.pass_through_endpoints.success_handler
        from litellm.caching.caching import Cache
    except ImportError:
        return None
    litellm.cache = Cache(type='local')
    logging.getLogger('LiteLLM').setLevel(logging.ERROR)

    async def request() -> None:
        options: Any = {'api_key': KEY, 'api_base': url, 'caching': True}
        response: Any = await litellm.acompletion('openai/gpt-4o', messages, **options)
        assert response.choices[0].message.content
        await asyncio.sleep(0)  # it stores the response in a task

    return request
