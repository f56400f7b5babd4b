"""Does jobs in one way, in a process of its own: `python -m benchmarks.worker bare http://127.0.0.1:8000`.

Each line of its input is a job, as JSON; each line of its output is what that cost. The ways are modules of
`benchmarks.ways`: bare httpx2, this library, the vendors' SDKs, other libraries. Those of others run in their own
environments, so that this module imports none of them, and nothing of this library.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from time import process_time
from typing import Any

from benchmarks.gateway import Target, read_cpu, send_requests
from benchmarks.ways.conversation import TURN, Entry, make_conversation, make_tools

Job = dict[str, Any]

WARM_UPS = 64
"""The number of requests through a proxy before it is measured: the first import modules and fill caches."""


async def _measure_cpu(work: Callable[[], Awaitable[object]], times: int) -> float:
    gc.collect()
    started = process_time()
    for _ in range(times):
        await work()
    return (process_time() - started) / times


async def _run_request(way: Any, job: Job) -> float:
    request = way.build(job['api'], job['kind'], _converse(job), make_tools(job.get('tools', 0)))
    return await _measure_cpu(lambda: way.request(request), job['times'])


async def _run_turn(way: Any, job: Job) -> float:
    """Measure requests that are each one turn longer than the one before."""
    request = way.build(job['api'], job['kind'], _converse(job), make_tools(job['tools']))
    await way.request(request)

    async def take_turn() -> None:
        way.extend(request, TURN)
        await way.request(request)

    return await _measure_cpu(take_turn, job['times'])


async def _run_stream(way: Any, job: Job) -> float:
    request = way.build(job['api'], job['kind'], _converse(job), [])
    return await _measure_cpu(lambda: way.stream(request), job['times']) / job['chunks']


async def _run_crowd(way: Any, job: Job) -> float:
    """Measure requests, or streams, that are in progress at the same time."""
    requests = [way.build(job['api'], job['kind'], _converse(job), []) for _ in range(job['crowd'])]
    do = way.stream if 'chunks' in job else way.request

    async def do_all() -> None:
        await asyncio.gather(*map(do, requests))

    return await _measure_cpu(do_all, 1) / job['crowd'] / job.get('chunks', 1)


async def _run_peak(way: Any, job: Job) -> float:
    """Measure the memory of each of many streams, in bytes: the growth of the process, which counts only once."""
    await way.stream(way.build(job['api'], job['kind'], _converse(job), []))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await _run_crowd(way, job)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / job['crowd']


@contextmanager
def _start_proxy(arguments: list[str]) -> Iterator[Target]:
    command = [sys.executable, '-m', 'benchmarks.gateway_proxies', *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Target(int(process.stdout.readline()), '/v1/chat/completions', process.pid)
        finally:
            process.terminate()


async def _run_proxy(way: Any, job: Job) -> float:
    """Measure the CPU time of a proxy's process, which forwards requests to the server."""
    crowd, count = job['crowd'], max(job['times'] // job['crowd'], 1)
    with _start_proxy(way.name_proxy(job['kind'])) as target:
        await asyncio.sleep(1)  # a port is printed before its server listens
        await send_requests(target, WARM_UPS, job['stream'])
        before = read_cpu(target.pid)
        await asyncio.gather(*(send_requests(target, count, job['stream']) for _ in range(crowd)))
        return (read_cpu(target.pid) - before) / 1000 / count / crowd


async def _run_agent(way: Any, job: Job) -> float:
    return await _measure_cpu(way.make_agent(job['kind']), job['times'])


async def _run_memory(way: Any, job: Job) -> float:
    """Measure the memory of the messages of a conversation, in bytes."""
    conversation = _converse(job)
    gc.collect()
    tracemalloc.start()
    history = way.build_history(conversation)
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert history
    return size


async def _run_dump(way: Any, job: Job) -> float:
    history = way.build_history(_converse(job))

    async def dump() -> None:
        way.dump(history)

    return await _measure_cpu(dump, job['times'])


async def _run_load(way: Any, job: Job) -> float:
    dumped = way.dump(way.build_history(_converse(job)))

    async def load() -> None:
        way.load(dumped)

    return await _measure_cpu(load, job['times'])


async def _run_encode(way: Any, job: Job) -> float:
    async def encode() -> None:
        way.encode(request)

    request = way.build(job['api'], job['kind'], _converse(job), make_tools(job['tools']))
    return await _measure_cpu(encode, job['times'])


JOBS = {
    'request': _run_request,
    'turn': _run_turn,
    'stream': _run_stream,
    'crowd': _run_crowd,
    'peak': _run_peak,
    'proxy': _run_proxy,
    'agent': _run_agent,
    'memory': _run_memory,
    'dump': _run_dump,
    'load': _run_load,
    'encode': _run_encode,
}


def _converse(job: Job) -> list[Entry]:
    return make_conversation(job.get('messages', 2))


async def main() -> None:
    """Do the jobs until the input ends. What a way cannot do costs `null`."""
    name, url = sys.argv[1:]
    way = import_module(f'benchmarks.ways.{name}').Way(url)
    for line in sys.stdin:
        job: Job = json.loads(line)
        try:
            cost = await JOBS[job['job']](way, job)
        except Exception as error:  # noqa: BLE001 -- another library's
            sys.stderr.write(f'{name} cannot do {job}: {type(error).__name__}: {error}\n'[:500])
            cost = None
        sys.stdout.write(f'{json.dumps(cost)}\n')
        sys.stdout.flush()


if __name__ == '__main__':
    asyncio.run(main())
