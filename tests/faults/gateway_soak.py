"""Many requests through a gateway whose upstream fails, and which is killed and started again in the middle.

`python -m tests.faults.gateway_soak 10000`. Every client gets a response or a typed error of its SDK, and the budget of
the key has counted every response: each complete one exactly, each lost one by its estimate at most.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import openai

from pydantic_llm.messages import ModelMessage
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.serve import Fault, LocalServer, create_app

CLIENTS = 32
FAULTY = 0.1
"""The share of requests that the upstream server answers with a fault."""

TEXT = 'one two three four '

CONFIG = """
[server]
port = {port}
state = "{folder}/budgets.db"

[models.m]
model = "openai:m"
provider = {{ api_key_env = "SOAK_KEY", base_url = "{url}/v1" }}
settings = {{ retries = 0, timeout = 20 }}

[[keys]]
name = "soak"
key_env = "SOAK_KEY"
tokens_per_day = 1_000_000_000
"""

FAULTS = (
    Fault(status=500),
    Fault(status=429, headers={'retry-after': '0'}),
    Fault(cut_after=1),
    Fault(garbage_after=1),
    Fault(error_after=1),
    Fault(body=b'<html>', content_type='text/html'),
)


@dataclass
class Report:
    """What the clients and the gateway counted."""

    outcomes: Counter[str] = field(default_factory=Counter[str])
    complete_tokens: int = 0
    """The tokens of the responses that clients received completely."""
    counted_tokens: int = 0
    """The tokens that the budget counted."""
    lost: int = 0
    """The requests whose end no client saw."""


def make_upstream(seed: int) -> Any:
    """Build the upstream server: one request in ten gets a fault."""
    choose = random.Random(seed)

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncGenerator[str]:
        for word in TEXT.split():
            yield f'{word} '

    def plan(fields: Any) -> Fault | None:
        return choose.choice(FAULTS) if choose.random() < FAULTY else None

    return create_app(FunctionModel(stream_function=stream, model_name='m'), faults=plan)


class GatewayProcess:
    """A gateway in a process of its own, which can be killed."""

    def __init__(self, folder: Path, url: str) -> None:
        with socket.create_server(('127.0.0.1', 0)) as free:
            self.port: int = free.getsockname()[1]
        self._config = folder / 'gateway.toml'
        self._config.write_text(CONFIG.format(port=self.port, folder=folder, url=url))
        self._process: subprocess.Popen[bytes] | None = None
        self.up = asyncio.Event()

    @property
    def url(self) -> str:
        return f'http://127.0.0.1:{self.port}'

    async def start(self) -> None:
        command = [sys.executable, '-m', 'pydantic_llm', 'serve', '--config', str(self._config), '--grace', '5']
        environment = {**os.environ, 'SOAK_KEY': 'secret'}
        self._process = subprocess.Popen(  # noqa: ASYNC220 -- it returns at once
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )
        async with httpx2.AsyncClient() as client:
            for _ in range(400):
                try:
                    if (await client.get(f'{self.url}/ready')).status_code == 200:
                        self.up.set()
                        return
                except httpx2.HTTPError:
                    pass
                await asyncio.sleep(0.05)
        raise TimeoutError('the gateway did not start')

    def kill(self) -> None:
        self.up.clear()
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@asynccontextmanager
async def run_gateway(seed: int) -> AsyncGenerator[GatewayProcess]:
    with TemporaryDirectory() as folder:
        async with LocalServer(make_upstream(seed)) as upstream:
            gateway = GatewayProcess(Path(folder), upstream)
            await gateway.start()
            try:
                yield gateway
            finally:
                gateway.kill()


async def run(requests: int, *, seed: int = 1) -> Report:
    """Send the requests; after half of them, kill the gateway and start it again."""
    report = Report()
    async with run_gateway(seed) as gateway:
        client = openai.AsyncOpenAI(base_url=f'{gateway.url}/v1', api_key='secret', max_retries=0, timeout=30)
        half = asyncio.Event()
        numbers = _count(requests, half)
        clients = [asyncio.create_task(_send_all(client, numbers, report, gateway.up)) for _ in range(CLIENTS)]
        await half.wait()
        gateway.kill()
        await gateway.start()
        await asyncio.gather(*clients)
        await client.close()
        async with httpx2.AsyncClient() as reader:
            usage = await reader.get(f'{gateway.url}/usage', headers={'x-api-key': 'secret'})
        report.counted_tokens = usage.json()['spent'][0]['tokens']
    return report


def _count(requests: int, half: asyncio.Event) -> Iterator[int]:
    """Yield the numbers of the requests, and set the event at half of them."""
    for number in range(requests):
        if number == requests // 2:
            half.set()
        yield number


async def _send_all(client: openai.AsyncOpenAI, numbers: Iterator[int], report: Report, up: asyncio.Event) -> None:
    for number in numbers:
        try:
            tokens = await _send_one(client, stream=bool(number % 2))
        except openai.OpenAIError as error:
            report.outcomes[type(error).__name__] += 1
            report.lost += not isinstance(error, openai.APIStatusError)
            await up.wait()
        except httpx2.HTTPError as error:  # the SDK does not wrap a stream that breaks off
            report.outcomes[type(error).__name__] += 1
            report.lost += 1
        else:
            report.outcomes['response'] += 1
            report.complete_tokens += tokens


async def _send_one(client: openai.AsyncOpenAI, *, stream: bool) -> int:
    """Send a request and return the tokens of the response, which must be complete."""
    given: Any = {'model': 'm', 'messages': [{'role': 'user', 'content': 'Count to four.'}], 'max_tokens': 50}
    if not stream:
        completion = await client.chat.completions.create(**given)
        assert completion.choices[0].message.content == TEXT, completion
        return completion.usage.total_tokens if completion.usage else 0
    text, tokens = '', 0
    chunks = await client.chat.completions.create(**given, stream=True, stream_options={'include_usage': True})
    async for chunk in chunks:
        text += ''.join(choice.delta.content or '' for choice in chunk.choices)
        tokens = chunk.usage.total_tokens if chunk.usage else tokens
    assert text == TEXT, text
    return tokens


def check(report: Report, requests: int) -> None:
    """Raise `AssertionError` unless every request has an outcome, and the budget is right."""
    assert sum(report.outcomes.values()) == requests, report
    estimate = 150
    assert report.counted_tokens >= report.complete_tokens, report
    failed_streams = requests - report.outcomes['response']
    assert report.counted_tokens - report.complete_tokens <= failed_streams * estimate, report


def main() -> None:
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    report = asyncio.run(run(requests))
    sys.stdout.write(f'{report}\n')
    check(report, requests)


if __name__ == '__main__':
    main()
