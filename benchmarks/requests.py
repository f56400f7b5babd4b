"""Compares the CPU time of a request, from typed messages to a typed response, with the vendor's own client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.measure import compare
from benchmarks.vendors import CALLS, anthropic, chat_body, history, openai, tools
from pydantic_llm.messages import ModelMessage
from pydantic_llm.models import ModelRequestParameters

CASES = (
    ('10 messages', 10, 0, 0, 200),
    ('10 messages, 10 tools, 10 tool calls in the response', 10, 10, CALLS, 100),
    ('1,000 messages, 50 tools', 1000, 50, 0, 5),
)
"""The cases: title, number of messages, of tools, of tool calls in the response, of requests per round."""


def run() -> Iterator[str]:
    """Compare the ways for each case and each vendor."""
    for title, messages, count, calls, times in CASES:
        yield from _compare_openai(f'openai, {title}', history(messages), tools(count), calls, times)
    for title, messages, count, calls, times in CASES:
        if not calls:
            yield from _compare_anthropic(f'anthropic, {title}', history(messages), tools(count), times)


def _compare_openai(
    title: str, messages: list[ModelMessage], parameters: ModelRequestParameters, calls: int, times: int
) -> Iterator[str]:
    client, model = openai(chat_body(calls=calls))
    body: dict[str, Any] = model.encode(model.prepare(messages, None, parameters))

    async def theirs() -> None:
        await client.chat.completions.create(**body)

    async def ours() -> None:
        await model.request(messages, None, parameters)

    yield from compare(title, {'chat.completions.create': theirs, 'OpenAIModel.request': ours}, times=times)


def _compare_anthropic(
    title: str, messages: list[ModelMessage], parameters: ModelRequestParameters, times: int
) -> Iterator[str]:
    client, model = anthropic()
    body: dict[str, Any] = model.encode(model.prepare(messages, {'max_tokens': 1000}, parameters))

    async def theirs() -> None:
        await client.messages.create(**body)

    async def ours() -> None:
        await model.request(messages, {'max_tokens': 1000}, parameters)

    yield from compare(title, {'messages.create': theirs, 'AnthropicModel.request': ours}, times=times)
