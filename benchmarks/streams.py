"""Compares the CPU time of a streamed chunk, from bytes to typed events, with the vendor's own client."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import compare
from benchmarks.vendors import CHUNKS, anthropic, chat_body, history, openai

TIMES = 10
"""The number of streams per round."""


def run() -> Iterator[str]:
    """Compare the ways for each vendor."""
    yield from _compare_openai()
    yield from _compare_anthropic()


def _compare_openai() -> Iterator[str]:
    client, model = openai(chat_body())
    messages = history(2)
    body = model.encode(model.prepare(messages, stream=True))

    async def theirs() -> None:
        async for _ in await client.chat.completions.create(**body):
            pass

    async def ours() -> None:
        async with model.request_stream(messages) as stream:
            async for _ in stream:
                pass
            assert stream.get().state == 'complete'

    ways = {'the stream of chat.completions.create': theirs, 'OpenAIModel.request_stream': ours}
    yield from compare('openai, a chunk', ways, times=TIMES, per=CHUNKS)


def _compare_anthropic() -> Iterator[str]:
    client, model = anthropic()
    messages = history(2)
    body = model.encode(model.prepare(messages, {'max_tokens': 1000}, stream=True))

    async def theirs() -> None:
        async for _ in await client.messages.create(**body):
            pass

    async def ours() -> None:
        async with model.request_stream(messages, {'max_tokens': 1000}) as stream:
            async for _ in stream:
                pass
            assert stream.get().state == 'complete'

    ways = {'the stream of messages.create': theirs, 'AnthropicModel.request_stream': ours}
    yield from compare('anthropic, an event', ways, times=TIMES, per=CHUNKS)
