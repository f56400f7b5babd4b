"""Compares the gateway with the least that a proxy of Starlette and httpx2 can do, whole and streamed.

The proxies, their upstream server and the client are processes of their own. The CPU time is that of the proxy's
process; the latency is what a proxy adds to a request that is sent to the upstream server itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter, sleep

from benchmarks.loopback import server

ROUNDS = 5
"""The number of measurements per proxy, after one that warms up."""

REQUESTS = 128
"""The number of requests per round."""

CROWDS = (1, 64)
"""The numbers of requests at the same time."""

LITELLM = Path('.venv-peers/litellm/bin/litellm')
"""The program of LiteLLM's proxy, if it is installed (`make bench-peers`)."""

LITELLM_ENVIRONMENT = {
    'LITELLM_LOCAL_MODEL_COST_MAP': 'True',
    'LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY': 'true',
}
"""It fetches nothing, and starts without a key."""

GAP = 0.0
"""The pause between two chunks of a stream, in seconds: none, but each is written on its own."""


@dataclass
class Target:
    """A server to send requests to, and what was measured there in each round."""

    port: int
    path: str
    pid: int
    latencies: list[float] = field(default_factory=list[float])
    """The milliseconds of every request."""
    rates: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])
    """Milliseconds of CPU per request."""


def run() -> Iterator[str]:
    """Compare the proxies, and yield the lines of the report."""
    with ExitStack() as running:
        url = running.enter_context(server('benchmarks.chat_server', 0, GAP))
        started = {name: _start_proxy(running, name, url) for name in ('bare', 'gateway')}
        if LITELLM.exists():
            started['litellm'] = _start_litellm(running, url)
        ports, pids = ({name: pair[position] for name, pair in started.items()} for position in (0, 1))
        for port in ports.values():
            _wait_for(port)
        for stream in (False, True):
            for crowd in CROWDS:
                targets = {'direct': Target(int(url.rpartition(':')[2]), '/chat/completions', 0)}
                targets |= {name: Target(ports[name], '/v1/chat/completions', pids[name]) for name in ports}
                asyncio.run(_measure(targets, crowd, stream=stream))
                yield from _report(f'{"streamed" if stream else "whole"}, {crowd} at once', targets)


def _start_proxy(running: ExitStack, name: str, url: str) -> tuple[int, int]:
    """Start a proxy of `gateway_proxies`. Return its port and the id of its process."""
    command = [sys.executable, '-m', 'benchmarks.gateway_proxies', name, url]
    process = running.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    running.callback(process.terminate)
    assert process.stdout is not None
    return int(process.stdout.readline()), process.pid


def _start_litellm(running: ExitStack, url: str) -> tuple[int, int]:
    """Start LiteLLM's proxy. Return its port and the id of its process."""
    with socket.create_server(('127.0.0.1', 0)) as free:
        port: int = free.getsockname()[1]
    folder = Path(running.enter_context(TemporaryDirectory()))
    model = {'model_name': 'm', 'litellm_params': {'model': 'openai/m', 'api_base': url, 'api_key': 'k'}}
    config = folder / 'config.yaml'
    config.write_text(json.dumps({'model_list': [model]}))  # JSON is YAML
    command = [str(LITELLM), '--config', str(config), '--port', str(port), '--host', '127.0.0.1']
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=quiet, stderr=quiet, env=os.environ | LITELLM_ENVIRONMENT)
    running.enter_context(process)
    running.callback(process.kill)
    return port, process.pid


def _wait_for(port: int) -> None:
    """Wait until a server accepts connections: LiteLLM's needs up to a minute for its start."""
    for _ in range(1200):
        try:
            socket.create_connection(('127.0.0.1', port), 1).close()
        except OSError:
            sleep(0.1)
        else:
            return
    raise TimeoutError(f'nothing listens on port {port}')


def _report(title: str, targets: Mapping[str, Target]) -> Iterator[str]:
    direct = targets['direct']
    yield f'{title}: direct {median(direct.latencies):.2f} ms'
    for name, target in list(targets.items())[1:]:
        added = [_percentile(target, percent) - _percentile(direct, percent) for percent in (50, 99)]
        latency = f'{median(target.latencies):.2f} ms, adds {added[0]:.2f} ms (p50), {added[1]:.2f} ms (p99)'
        yield f'    {name}: {median(target.rates):,.0f}/s, {latency}, {median(target.cpu):.2f} ms of CPU'
    for name in list(targets)[2:]:
        yield _compare(name, targets)


def _compare(name: str, targets: Mapping[str, Target]) -> str:
    """Return the line with the ratios of a proxy to the bare one."""
    direct, bare, gateway = targets['direct'], targets['bare'], targets[name]
    ratios = [ours / theirs for ours, theirs in zip(gateway.cpu, bare.cpu, strict=True)]
    spread = f'({min(ratios):.2f} to {max(ratios):.2f})'
    base = _percentile(direct, 50)
    added_ratio = (_percentile(gateway, 50) - base) / (_percentile(bare, 50) - base)
    return f"    {name}: {added_ratio:.2f} of bare's added latency, {median(ratios):.2f} of its CPU {spread}"


def _percentile(target: Target, percent: int) -> float:
    return quantiles(target.latencies, n=100)[percent - 1]


async def _measure(targets: Mapping[str, Target], crowd: int, *, stream: bool) -> None:
    """Send the requests of every round to each target in turns."""
    for round_ in range(ROUNDS + 1):
        for target in targets.values():
            cpu, started = read_cpu(target.pid), perf_counter()
            taken = await asyncio.gather(*(send_requests(target, REQUESTS // crowd, stream) for _ in range(crowd)))
            seconds = perf_counter() - started
            if round_:
                target.latencies += [each for several in taken for each in several]
                target.rates.append(REQUESTS / seconds)
                target.cpu.append((read_cpu(target.pid) - cpu) / REQUESTS)


async def send_requests(target: Target, count: int, stream: bool) -> list[float]:
    """Send requests over one connection, one after the other. Return the milliseconds of each."""
    body = json.dumps(
        {'model': 'm', 'messages': [{'role': 'user', 'content': 'How is the weather?'}], 'stream': stream},
        separators=(',', ':'),
    ).encode()
    head = f'POST {target.path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n'
    request = f'{head}content-length: {len(body)}\r\n\r\n'.encode() + body
    reader, writer = await asyncio.open_connection('127.0.0.1', target.port)
    taken: list[float] = []
    for _ in range(count):
        started = perf_counter()
        writer.write(request)
        await _read_response(reader)
        taken.append((perf_counter() - started) * 1000)
    writer.close()
    return taken


async def _read_response(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b'\r\n\r\n')).lower()
    assert head.startswith(b'http/1.1 200'), head
    if b'content-length:' in head:
        await reader.readexactly(int(head.partition(b'content-length:')[2].partition(b'\r\n')[0]))
        return
    while size := int(await reader.readline(), 16):
        await reader.readexactly(size + 2)
    await reader.readline()


def read_cpu(pid: int) -> float:
    """Return the CPU time of a process so far, in milliseconds."""
    if not pid:
        return 0.0
    return int(Path(f'/proc/{pid}/schedstat').read_text().split()[0]) / 1e6
