"""Runs an app on this machine: until it is interrupted (`run_server`), or during a `with` block (`LocalServer`)."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from math import ceil
from typing import Any

from starlette.applications import Starlette
from starlette.types import ASGIApp
from uvicorn import Config, Server

from .._checks import check_number
from .._type_checks import is_callable, raise_wrong_type
from ..exceptions import UserError
from .connection import Connection
from .gateway import Gateway
from .status_pages import StatusPages

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

GRACE = 10.0
"""Seconds that requests in progress have to finish when a server stops. Docker kills a process after 10 seconds, and
systemd after 90."""

ERROR_SECONDS = 2
"""Seconds that late requests have to send their errors."""

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
    grace: float = GRACE,
    metrics_port: int | None = None,
) -> None:
    """Run an app until `KeyboardInterrupt` or SIGTERM. `port=0` chooses a free port.

    Then it accepts no connections, and requests in progress have `grace` seconds to finish; those that are late get an
    error in the form of their protocol. A second Ctrl-C ends it at once. `on_start` is called with the server's URL
    once it listens. `metrics_port` is a port for `/metrics`, `/health` and `/ready`, without a key. Raises `UserError`
    if it cannot listen on a port.
    """
    check_app(app)
    check_number('grace', grace, least=0, required=True)
    gateway = _find_gateway(app)
    _allow_many_files()
    with ExitStack() as opened:
        listening = opened.enter_context(_open_socket(host, port))
        for_metrics = None
        if metrics_port is not None:
            for_metrics = opened.enter_context(_open_socket(host, metrics_port))
        if on_start is not None:
            on_start(_format_url(listening))
        config = _make_config(app, log_level, grace, access_log=gateway is None or not gateway.logs_requests)
        server = _GracefulServer(config, gateway, grace)
        asyncio.run(_serve(server, listening, gateway, for_metrics))


def _find_gateway(app: ASGIApp) -> Gateway | None:
    gateway = getattr(getattr(app, 'state', None), 'gateway', None)
    return gateway if isinstance(gateway, Gateway) else None


def _make_config(app: ASGIApp, log_level: str, grace: float, *, access_log: bool) -> Config:
    return Config(
        app,
        log_level=log_level,
        timeout_graceful_shutdown=ceil(grace) + ERROR_SECONDS,
        timeout_keep_alive=KEEP_ALIVE,
        access_log=access_log,
        http=Connection,
        ws='none',
    )


async def _serve(
    server: Server, listening: socket.socket, gateway: Gateway | None, for_metrics: socket.socket | None
) -> None:
    """Run a server, and one for metrics on a socket of its own, which stops after it."""
    if for_metrics is None:
        await server.serve([listening])
        return
    if gateway is None:
        raise UserError('metrics_port= needs an app that create_app made')
    pages = Starlette(routes=StatusPages(gateway).metrics_routes())
    metrics = _MetricsServer(Config(pages, log_config=None, access_log=False, http=Connection, ws='none'))
    serving = asyncio.create_task(metrics.serve([for_metrics]))
    try:
        await server.serve([listening])
    finally:
        metrics.should_exit = True
        await serving


class _GracefulServer(Server):
    """uvicorn's server. When it stops, the gateway is not ready, and ends late requests after `grace` seconds."""

    def __init__(self, config: Config, gateway: Gateway | None, grace: float) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._grace = grace

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._gateway is None:
            await super().shutdown(sockets)
            return
        drain = self._gateway.drain
        drain.begin()
        ending = asyncio.get_running_loop().call_later(self._grace, drain.end)
        try:
            await super().shutdown(sockets)
        finally:
            ending.cancel()


class _MetricsServer(Server):
    """A server that leaves signals to another one."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def check_app(app: object) -> None:
    """Raise `UserError` unless the value can be an ASGI app."""
    if not is_callable(app) or isinstance(app, type):
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
        return _format_url(self._socket)

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


def _format_url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f'http://[{host}]:{port}' if ':' in host else f'http://{host}:{port}'
