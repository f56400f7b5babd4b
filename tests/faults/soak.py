"""Sends thousands of requests at the same time, for minutes: `python -m tests.faults.soak 600`, which is `make soak`.

Each wave is 2,000 requests, whole and streamed, in seven rooms, half of them through a gateway in this process. A
request names in its prompt what the server has to do, a response or one of several faults; some requests are cancelled,
some streams are read slowly, and some are not read at all while the server sends without an end. So the outcome of each
request is known before. The server holds good streams open after their first text until all of the wave have begun, so
that they are open at the same time. The report counts what was lost, and what is left of tasks, threads, files,
connections and memory. The exit status is 1 if that is anything.

Read `main`, then `Soak`. `Upstream` is the server, in a process of its own.
"""

from __future__ import annotations

import asyncio
import gc
import random
import resource
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2

from pydantic_llm.exceptions import LLMError
from pydantic_llm.messages import ModelRequest, ModelResponse
from pydantic_llm.models import Model
from pydantic_llm.serve import LocalServer, create_app
from pydantic_llm.settings import ModelSettings
from tests.faults.vendors import KEY, RESPONSE, VENDORS, Vendor
from tests.transport.server import Exchange, serve_in_process

WAVE = 2000
"""The number of requests at the same time."""

SECONDS = 600.0

ROOMS = {vendor.name: vendor for vendor in VENDORS if vendor.name not in ('azure', 'huggingface', 'bedrock', 'litellm')}
"""The rooms whose models use the network from this event loop, each with a server of its own API."""

CLIENT_ROOMS = ('openai', 'openai-responses', 'anthropic', 'gemini', 'cohere')
"""The rooms whose models send requests to the gateway, one for each protocol at a path of its own."""

FAULTS = ('reset', 'reset_later', 'busy', 'garbage', 'truncate', 'silent')
"""What the server does instead of a response, for one request in ten."""

OTHERS = ('cancel', 'slow', 'abandon')
"""What the client does to a good stream, each for one request in fifty."""

BEGINNING = {'openai-chat': 2, 'openai-responses': 5, 'anthropic': 4, 'gemini': 1, 'cohere': 3, 'mistral': 2}
"""The number of frames of a stream up to the first one with text."""

SILENCE = 5.0
"""The deadlines of a request whose server stays silent, in seconds."""

LIMIT = 600.0
"""The seconds after which a request counts as lost."""

STARTING = 12
"""The number of requests that begin at the same time: the SDKs give a connection five seconds, also if many wait."""

HELD_BYTES = 16 * 1024 * 1024
"""The most bytes that a stream may take which its client does not read: those in the buffers of up to four sockets."""

LEEWAY_KB = 40_000
"""The growth of the memory after the first wave that is not a leak: pools and caches that fill."""


def main() -> None:
    """Run waves for as many seconds as the command line says, print the report, and exit with 1 if it is bad."""
    seconds = float(sys.argv[1]) if sys.argv[1:] else SECONDS
    _raise_file_limit()
    with serve_in_process(Upstream()) as url:
        soak = Soak(url, random.Random(1))
        asyncio.run(soak.run(seconds))
    sys.stdout.write('\n'.join(soak.report()) + '\n')
    sys.exit(any(soak.problems()))


def _raise_file_limit() -> None:
    """A wave needs a file for each request, and three where the gateway is between."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 5 * WAVE if hard == resource.RLIM_INFINITY else min(5 * WAVE, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


# ---------------------------------------------------------------------- the server


class Upstream:
    """The servers of all vendors: the first part of the path is the vendor, and the body names the thing to do."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        """The bytes that each abandoned stream took."""
        self.waiting: list[asyncio.Event] = []
        """The good streams that are held open."""

    async def __call__(self, exchange: Exchange) -> None:
        if exchange.path == '/taken':
            await exchange.respond({'taken': max(self.taken, default=0)})
            return
        if exchange.path == '/release':
            await exchange.respond({'released': len(self.waiting)})
            for each in self.waiting:
                each.set()
            self.waiting.clear()
            return
        vendor = ROOMS[exchange.path.split('/')[1]]
        stream = b'"stream":true' in exchange.body.replace(b' ', b'') or ':stream' in exchange.path
        kind = next(kind for kind in (*FAULTS, *OTHERS, 'good') if b'do ' + kind.encode() + b'.' in exchange.body)
        if kind == 'abandon':
            await self._flood(exchange, vendor)
        elif kind in FAULTS:
            await self._fail(exchange, vendor, kind, stream=stream)
        else:
            await self._respond(exchange, vendor, stream=stream, slowly=kind == 'cancel')

    async def _respond(self, exchange: Exchange, vendor: Vendor, *, stream: bool, slowly: bool) -> None:
        if not stream:
            await asyncio.sleep(0.5 if slowly else 0)
            await exchange.respond(vendor.body())
            return
        await exchange.begin()
        for number, frame in enumerate(vendor.frames()):
            if number == BEGINNING[vendor.protocol] and not slowly:
                await self._hold(exchange)
            await exchange.chunk(frame)
            await asyncio.sleep(0.5 if slowly else 0)
        await exchange.end()

    async def _hold(self, exchange: Exchange) -> None:
        """Keep a stream open until `/release`, with comments: Groq's client waits for 60 seconds at most."""
        self.waiting.append(release := asyncio.Event())
        while not release.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(release.wait(), 10)
                return
            await exchange.chunk(b': waiting\n\n')

    async def _fail(self, exchange: Exchange, vendor: Vendor, kind: str, *, stream: bool) -> None:
        if kind == 'busy':
            await exchange.respond(vendor.error(503), status=503)
            return
        if kind != 'reset':
            await exchange.begin('text/event-stream' if stream else 'application/json')
            for part in vendor.frames()[:3] if stream else [vendor.body()[:20]]:
                await exchange.chunk(part)
        if kind == 'garbage':
            await exchange.chunk(b'data: {"no JSON\n\n')
        if kind in ('garbage', 'truncate'):
            await exchange.end()
        elif kind == 'silent':
            await exchange.wait_until_gone()
        else:
            exchange.reset()

    async def _flood(self, exchange: Exchange, vendor: Vendor) -> None:
        """Send the beginning of a stream, and then text without an end, until the client is gone."""
        await exchange.begin()
        *beginning, text = vendor.frames()[: BEGINNING[vendor.protocol]]
        taken = 0
        try:
            for frame in beginning:
                await exchange.chunk(frame)
            while True:
                await exchange.chunk(text)
                taken += len(text)
                await asyncio.sleep(0)
        except ConnectionError:
            exchange.drop()
        finally:
            self.taken.append(taken)


# ---------------------------------------------------------------------- the client


@dataclass
class Left:
    """What a process holds at one moment."""

    kilobytes: int
    files: int
    threads: int
    tasks: int


@dataclass
class Soak:
    """Waves of requests, and what became of them."""

    url: str
    chance: random.Random
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """The number of requests, by what the server had to do and what came out."""
    lost: list[str] = field(default_factory=list[str])
    left: list[Left] = field(default_factory=list[Left])
    """What was there before the gateway was started, after each wave, and after the gateway was stopped."""
    at_once: int = 0
    """The most good streams that were open at the same time."""
    connections: int = 0
    """The connections and tasks of the gateway after the last wave."""
    taken: int = 0
    seconds: float = 0.0

    async def run(self, seconds: float) -> None:
        """Send waves until the time is over, at least three."""
        began = monotonic()
        server = LocalServer(create_app(self._make_models(), key=KEY))
        self.left.append(_measure())
        async with server as gateway:
            direct = [(name, self._make(name)) for name in ROOMS]
            through = [(f'{name} through the gateway', ROOMS[name].make(gateway)) for name in CLIENT_ROOMS]
            while len(self.left) < 4 or monotonic() - began < seconds:
                await self._send_wave(direct, through)
                self.connections = await _settle(server)
                self.left.append(_measure())
                self._report_progress(monotonic() - began)
        self.left.append(_measure())
        self.taken = (await self._ask_server('taken'))['taken']
        self.seconds = monotonic() - began

    def _report_progress(self, seconds: float) -> None:
        sys.stdout.write(f'{seconds:6.0f} s  {self.outcomes.total():,} requests, {self.left[-1]}\n')
        sys.stdout.flush()

    def _make_models(self) -> dict[str, Model]:
        """Return a model of a room by chance for the name that each client asks the gateway for."""
        rooms = self.chance.sample([*ROOMS], len(CLIENT_ROOMS))
        names = (ROOMS[client].make('http://127.0.0.1').model_name for client in CLIENT_ROOMS)
        return {name: self._make(room) for name, room in zip(names, rooms, strict=True)}

    def _make(self, name: str) -> Model:
        return ROOMS[name].make(f'{self.url}/{name}')

    async def _send_wave(self, *models: list[tuple[str, Model]]) -> None:
        """Send a wave: half of the requests by the models of each list."""
        starting = asyncio.Semaphore(STARTING)
        requests: list[asyncio.Task[None]] = []
        for _ in range(WAVE):
            await starting.acquire()
            name, model = self.chance.choice(self.chance.choice(models))
            requests.append(asyncio.create_task(self._send(name, model, _Once(starting.release))))
        for _ in range(STARTING):
            await starting.acquire()
        released = await self._ask_server('release')
        self.at_once = max(self.at_once, released['released'])
        await asyncio.gather(*requests)
        for _, model in chain(*models):
            await model.aclose()

    async def _ask_server(self, path: str) -> dict[str, int]:
        async with httpx2.AsyncClient(timeout=60) as client:
            return (await client.get(f'{self.url}/{path}')).json()

    async def _send(self, name: str, model: Model, started: _Once) -> None:
        """Send one request, and count its outcome. `started` is called when a stream has begun, or at the end."""
        kind = self._choose_kind()
        stream = kind in ('slow', 'abandon') or self.chance.random() < 0.75
        try:
            async with asyncio.timeout(LIMIT):
                outcome = await self._await_outcome(model, kind, started, stream=stream)
        except TimeoutError:
            outcome = 'no end'
        except Exception as error:  # noqa: BLE001 -- it is counted as lost
            outcome = f'{type(error).__name__}: {error}'
        finally:
            started()
        self.outcomes[kind, outcome.partition(':')[0]] += 1
        expected = {'cancel': ('cancelled', 'complete'), 'abandon': ('left',)}
        expected |= {'truncate': ('error', 'incomplete')}
        wanted = expected.get(kind, ('error',) if kind in FAULTS else ('complete',))
        if outcome.partition(' ')[0] not in wanted:
            self.lost.append(f'{name}, {"streamed" if stream else "whole"}, {kind}: {outcome[:300]}')

    def _choose_kind(self) -> str:
        number = self.chance.random()
        if number < 0.1:
            return self.chance.choice(FAULTS)
        return self.chance.choice(OTHERS) if number < 0.16 else 'good'

    async def _await_outcome(self, model: Model, kind: str, started: _Once, *, stream: bool) -> str:
        settings: ModelSettings = {'retries': 0}
        if kind == 'silent':
            settings |= {'timeout': SILENCE}
        messages = [ModelRequest.user_text_prompt(f'Please do {kind}.')]
        work = _read(model, messages, settings, kind, started) if stream else _ask(model, messages, settings)
        sending = asyncio.create_task(work)
        if kind == 'cancel':
            await asyncio.sleep(self.chance.random())
            sending.cancel()
        try:
            return await sending
        except asyncio.CancelledError:
            return 'cancelled'
        except LLMError as error:
            return f'error {type(error).__name__}: {error}'

    def problems(self) -> Iterator[str]:
        """Yield what was lost or leaked."""
        first, last = self.left[0], self.left[-1]
        yield from self.lost[:20]
        if self.connections:
            yield f'{self.connections} connections and tasks of the gateway'
        for name in ('files', 'threads', 'tasks'):
            if getattr(last, name) > getattr(first, name):
                yield f'{name}: {getattr(first, name)} at first, {getattr(last, name)} at last'
        if self.taken > HELD_BYTES:
            yield f'a stream that nobody reads took {self.taken:,} bytes'
        if last.kilobytes > self.left[2].kilobytes * 1.1 + LEEWAY_KB:
            yield f'memory: {self.left[2].kilobytes:,} kB after the second wave, {last.kilobytes:,} kB at last'

    def report(self) -> Iterator[str]:
        """Yield the lines of the report."""
        start, first, middle, last = self.left[0], self.left[1], self.left[len(self.left) // 2], self.left[-1]
        rate = self.outcomes.total() / self.seconds
        waves = len(self.left) - 2
        yield f'\n{self.outcomes.total():,} requests in {waves} waves and {self.seconds:.0f} s: {rate:.0f}/s'
        for (kind, outcome), count in sorted(self.outcomes.items()):
            yield f'  {kind:12} {outcome:40} {count:8,}'
        yield f'lost: {len(self.lost)}; good streams open at the same time: {self.at_once:,}'
        memory = ', '.join(f'{each.kilobytes:,}' for each in (start, first, middle, last))
        yield f'memory: {memory} kB (before, after the first wave, in the middle, at the end)'
        leaked = [f'{name} {getattr(last, name) - getattr(start, name)}' for name in ('files', 'threads', 'tasks')]
        yield f'left: {", ".join(leaked)}; connections and tasks of the gateway {self.connections}'
        yield f'the most that an abandoned stream took: {self.taken:,} bytes'
        yield from (f'PROBLEM: {problem}' for problem in self.problems())


class _Once:
    """Calls a function the first time that it is called."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._functions = [function]

    def __call__(self) -> None:
        if self._functions:
            self._functions.pop()()


async def _ask(model: Model, messages: Any, settings: ModelSettings) -> str:
    return _judge(await model.request(messages, settings))


async def _read(model: Model, messages: Any, settings: ModelSettings, kind: str, started: _Once) -> str:
    async with model.request_stream(messages, settings) as stream:
        async for _ in stream:
            started()
            if kind == 'abandon':
                await asyncio.sleep(3)
                return 'left'
            if kind == 'slow':
                await asyncio.sleep(0.2)
        return _judge(stream.get())


def _judge(response: ModelResponse) -> str:
    """Return `complete` if the response is the one that the server sent, else what differs."""
    if response.state == 'incomplete':
        return 'incomplete'
    usage = (response.usage.input_tokens, response.usage.output_tokens)
    expected = (RESPONSE.usage.input_tokens, RESPONSE.usage.output_tokens)
    calls = [call.args_as_dict() for call in response.tool_calls]
    if response.state != 'complete' or response.text != RESPONSE.text or len(calls) != 1 or usage != expected:
        return f'wrong: {response!r}'
    return 'complete'


async def _settle(server: LocalServer) -> int:
    """Wait until the gateway has noticed all disconnects. Return the number of its connections and tasks."""
    running = server._server  # pyright: ignore[reportPrivateUsage]
    assert running is not None
    state = running.server_state
    gc.collect()  # the clients of SDKs close themselves in a task when they are collected
    for _ in range(200):
        await asyncio.sleep(0.05)
        if not state.connections and not state.tasks:
            break
    return len(state.connections) + len(state.tasks)


def _measure() -> Left:
    status = Path('/proc/self/status').read_text()
    kilobytes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith('VmRSS'))
    files = len([*Path('/proc/self/fd').iterdir()])
    threads = [thread for thread in threading.enumerate() if not thread.name.startswith('asyncio_')]  # the loop's own
    return Left(kilobytes, files, len(threads), len(asyncio.all_tasks()))


if __name__ == '__main__':
    main()
