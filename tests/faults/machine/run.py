"""Runs the machine with a seed and a Redis server."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.machine.machine import WrapperMachine

SERVER = shutil.which('redis-server')


@contextmanager
def find_server(folder: Path) -> Generator[Any]:
    """Run a Redis server and yield a client; yield `None` if there is no `redis-server`."""
    if SERVER is None:
        yield None
        return
    socket = folder / 'redis.sock'
    options = ['--port', '0', '--unixsocket', str(socket), '--save', '', '--appendonly', 'no', '--dir', str(folder)]
    process = subprocess.Popen([SERVER, *options], stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while not socket.exists() and time.monotonic() < until:
            time.sleep(0.01)
        client = redis.Redis(unix_socket_path=str(socket), decode_responses=True)
        yield client
        client.close()
    finally:
        process.kill()
        process.wait()


def run(count: int, number: int, server: Any, **changes: Any) -> dict[str, int]:
    """Run `count` examples with a seed. Return the number of requests of callers, and of requests to the vendor."""
    totals = {'examples': 0, 'calls': 0, 'requests': 0}

    class Counted(WrapperMachine):
        redis_server = server

        def teardown(self) -> None:
            super().teardown()
            totals['examples'] += 1
            totals['calls'] += len(self.calls)
            totals['requests'] += len(self.world.vendor.visits)

    profile = settings(
        max_examples=count,
        stateful_step_count=changes.get('steps', 25),
        deadline=None,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=[*HealthCheck],  # pyright: ignore[reportArgumentType] -- an enumeration,
    )
    run_state_machine_as_test(seed(number)(Counted), settings=profile)
    return totals
