"""Runs an app on this machine: until it is interrupted (`run_server`), or during a `with` block (`LocalServer`)."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp
from uvicorn import Config, Server

from .._type_checks import raise_wrong_type
from ..exceptions import UserError
from .connection import Connection

__all__ = ('LocalServer', 'run_server')

LOOPBACK = '127.0.0.1'
"""The default host, which only this machine can reach."""

BACKLOG = 2048
"""The most connections that may wait to be accepted."""

KEEP_ALIVE = 75
"""Seconds that an idle connection stays open. Clients keep one for a shorter time (the SDKs for 5 s, as httpx does), so
that they send no request on a connection that the server closes at this moment."""

MAX_FILES = 65536
"""The limit of open files to ask for."""

CLEANUP_TIMEOUT = 0.5
"""Seconds that the responses in progress have to release their models when a `LocalServer` stops."""

LOCAL_LOG_LEVEL = 'critical'
"""The log level of uvicorn under a `LocalServer`. The app logs its failures itself; uvicorn would log them twice."""


def run_server(
    app: ASGIApp,
    *,
    host: str = LOOPBACK,
    port: int = 8000,
    log_level: str = 'info',
    on_start: Callable[[str], None] | None = None,
) -> None:
    """Run an app until `KeyboardInterrupt`. `port=0` chooses a free port.

    `on_start` is called with the server's URL once it listens. Raises `UserError` if it cannot listen on this port.
    """
    check_app(app)
    _allow_many_files()
    with _open_socket(host, port) as listening:
        if on_start is not None:
            on_start(_url_of(listening))
        config = Config(
            app,
            log_level=log_level,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=KEEP_ALIVE,
            http=Connection,
            ws='none',
        )
        Server(config).run([listening])


def check_app(app: object) -> None:
    """Raise `UserError` unless the value can be an ASGI app."""
    if not callable(app) or isinstance(app, type):
        raise_wrong_type('app', 'an ASGI app', app, 'create_app(model) makes one')


class LocalServer:
    """Runs an app on a free port of this machine, in its own thread, during a `with` block.

    ```python {test="skip"}
    with LocalServer(create_app(TestModel())) as url:
        OpenAIModel('any', provider=OpenAIProvider(base_url=f'{url}/v1'))
    ```
    """

    def __init__(self, app: ASGIApp) -> None:
        check_app(app)
        self._app = app
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str:
        """The URL of the app, without a slash at its end. Raises `UserError` if it is not running."""
        if self._socket is None:
            raise UserError('LocalServer runs inside its `with` block only')
        return _url_of(self._socket)

    def start(self) -> str:
        """Start the app and return its URL. It accepts connections when this returns."""
        if self._socket is not None:
            raise UserError(f'This LocalServer runs already, at {self.url}')
        self._socket = _open_socket(LOOPBACK, 0)
        self._server = Server(
            Config(
                self._app,
                log_config=None,
                log_level=LOCAL_LOG_LEVEL,
                timeout_graceful_shutdown=0,
                timeout_keep_alive=KEEP_ALIVE,
                http=Connection,
                ws='none',
            )
        )
        serve = _serve_until_stopped(self._server, self._socket)
        self._thread = threading.Thread(target=asyncio.run, args=(serve,), daemon=True)
        self._thread.start()
        return self.url

    def stop(self) -> None:
        """Stop the app and wait for its end. Responses in progress are cancelled."""
        server, thread, listening = self._server, self._thread, self._socket
        self._server = self._thread = self._socket = None
        if server is not None and thread is not None and listening is not None:
            server.should_exit = True
            thread.join(10)
            if not thread.is_alive():  # one that is late closes the socket itself, and fails if that is closed
                listening.close()

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    async def __aenter__(self) -> str:
        return self.start()

    async def __aexit__(self, *exception: Any) -> None:
        await asyncio.to_thread(self.stop)

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.url if self._socket else "stopped"!r})'


async def _serve_until_stopped(server: Server, listening: socket.socket) -> None:
    """Run a server, then wait at most `CLEANUP_TIMEOUT` for the responses that its stop cancelled."""
    await server.serve([listening])
    if remaining := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(remaining, timeout=CLEANUP_TIMEOUT)


def _open_socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        reason = getattr(error, 'strerror', None) or str(error)
        raise UserError(f'The server cannot listen on host={host!r}, port={port}: {reason}') from error


def _allow_many_files() -> None:
    """Raise the limit of open files, often 1,024, as far as this process may: each connection is one."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(MAX_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _url_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f'http://[{host}]:{port}' if ':' in host else f'http://{host}:{port}'
