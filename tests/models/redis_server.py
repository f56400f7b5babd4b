"""A Redis server for one test: the fixture `redis`."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVER = shutil.which('redis-server')

needs_redis = pytest.mark.skipif(SERVER is None, reason='there is no redis-server on this machine')


class Redis:
    """A Redis server for one test."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            self.port: int = probe.getsockname()[1]
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f'redis://127.0.0.1:{self.port}'

    def start(self) -> None:
        assert SERVER is not None
        options = f'--port {self.port} --bind 127.0.0.1 --appendonly no --dir {self.folder}'.split()
        self.process = subprocess.Popen([SERVER, *options, '--save', ''], stdout=subprocess.DEVNULL)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                socket.create_connection(('127.0.0.1', self.port), 0.1).close()
            except OSError:
                time.sleep(0.01)
            else:
                return
        raise TimeoutError('redis-server does not accept connections')

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    yield server
    server.kill()
