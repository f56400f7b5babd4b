"""Run an app on this machine: for good (`run_server`), or for the length of a block (`LocalServer`)."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from starlette.types import ASGIApp
from uvicorn import Config, Server

from ..exceptions import UserError

__all__ = ('LocalServer', 'run_server')

LOOPBACK = '127.0.0.1'
"""Where an app listens unless it is told otherwise: nobody else can reach it there."""

BACKLOG = 2048
"""How many connections may wait to be accepted."""

GRACE = 0.5
"""Seconds that answers have to let their models go when a `LocalServer` stops."""

SILENT = 'critical'
"""An app of ours tells of its own failures; the server beneath would tell them again."""


def run_server(
    app: ASGIApp,
    *,
    host: str = LOOPBACK,
    port: int = 8000,
    log_level: str = 'info',
    on_start: Callable[[str], None] | None = None,
) -> None:
    """Run an app until it is interrupted, with `KeyboardInterrupt`. `port=0` takes a free one.

    `on_start` is called with the server's address once it listens. Raises `UserError` where it cannot listen there.
    """
    with _listen(host, port) as listening:
        if on_start is not None:
            on_start(_url(listening))
        config = Config(app, log_level=log_level, timeout_graceful_shutdown=2, ws='none')
        Server(config).run([listening])


class LocalServer:
    """An app on a free port of this machine, in a thread of its own, for the length of a `with` block.

    ```python {test="skip"}
    with LocalServer(create_app(TestModel())) as url:
        OpenAIModel('any', provider=OpenAIProvider(base_url=f'{url}/v1'))
    ```
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str:
        """Where the app is, without a slash at its end."""
        if self._socket is None:
            raise UserError('LocalServer runs inside its `with` block only')
        return _url(self._socket)

    def start(self) -> str:
        """Start the app, and give its address. Connections are accepted from here on."""
        if self._socket is not None:
            raise UserError(f'This LocalServer runs already, at {self.url}')
        self._socket = _listen(LOOPBACK, 0)
        self._server = Server(
            Config(self._app, log_config=None, log_level=SILENT, timeout_graceful_shutdown=0, ws='none')
        )
        self._thread = threading.Thread(target=self._run, args=(self._server, self._socket), daemon=True)
        self._thread.start()
        return self.url

    def stop(self) -> None:
        """Stop the app, and wait until it has; answers that are under way are broken off."""
        server, thread, listening = self._server, self._thread, self._socket
        self._server = self._thread = self._socket = None
        if server is not None and thread is not None and listening is not None:
            server.should_exit = True
            thread.join(10)
            listening.close()

    @staticmethod
    def _run(server: Server, listening: socket.socket) -> None:
        asyncio.run(_serve(server, listening))

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> str:
        return self.start()

    async def __aexit__(self, *exception: Any) -> None:
        await asyncio.to_thread(self.stop)

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.url if self._socket else "stopped"!r})'


async def _serve(server: Server, listening: socket.socket) -> None:
    """Run a server. Answers that it broke off when it stopped get a moment to let their models go."""
    await server.serve([listening])
    if left := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(left, timeout=GRACE)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        said = getattr(error, 'strerror', None) or str(error)
        raise UserError(f'Nothing can listen at host={host!r}, port={port}: {said}') from error


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f'http://[{host}]:{port}' if ':' in host else f'http://{host}:{port}'
