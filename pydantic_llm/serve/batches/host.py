"""What the paths of all vendors' batch APIs share: `BatchHost`, and `VendorRoutes`, the base class of their paths."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar
from uuid import uuid4

from pydantic_core import to_json
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from ...exceptions import LLMError, NotFoundError
from ...json_types import Json
from ..exchange import json_response
from ..gateway import Gateway
from ..protocols import PROTOCOLS_BY_NAME
from .dialects import DIALECTS
from .options import BatchOptions
from .rows import RowSender
from .runner import Runner
from .store import INLINE, Job, Store, StoredFile, make_id

__all__ = ('BatchHost', 'Handler', 'VendorRoutes', 'find_url')

logger: logging.Logger = logging.getLogger('pydantic_llm.serve')

Handler = Callable[[Request, str], Awaitable[Response]]
"""Handles a request, with the name of its key."""


class BatchHost:
    """The batches of an app."""

    def __init__(self, gateway: Gateway, options: BatchOptions) -> None:
        self.store: Store = Store(options)
        self.options = options
        self._gateway = gateway
        self.runner: Runner = Runner(self.store, options, RowSender(gateway).send)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Run batches during the block."""
        return self.runner.running()

    def make_route(self, path: str, method: str, handler: Handler, protocol: str) -> Route:
        """Return a path whose errors have the form of a protocol."""

        async def handle(request: Request) -> Response:
            try:
                key = self._gateway.access.check(request)
                return await handler(request, '' if key is None else key.name)
            except ClientDisconnect:
                return Response()  # not sent
            except Exception as error:
                if not isinstance(error, LLMError):
                    logger.exception('A request for batches failed')
                status, body = PROTOCOLS_BY_NAME[protocol].encode_error(error)
                return json_response(body, status)

        return Route(path, handle, methods=[method])

    async def read_json(self, request: Request) -> Json:
        """Return the body of a request."""
        with self._gateway.bodies.hold() as body:
            await body.read(request)
            return await body.parse()

    def create_job(
        self, *, dialect: str, protocol: str, owner: str, input_file: str, model: str | None = None, **details: Any
    ) -> Job:
        """Create a batch, and begin to run it."""
        now, id = time.time(), make_id(DIALECTS[dialect].id_prefix)
        job = Job(
            id=str(uuid4()) if dialect == 'mistral' else id,
            owner=owner,
            dialect=dialect,
            protocol=protocol,
            input_file=input_file,
            created=now,
            expires=now + self.options.expire_after,
            model=model,
            details=details,
        )
        self.store.save_job(job)
        self.runner.start(job)
        return job

    def store_rows(self, rows: Sequence[object], owner: str) -> StoredFile:
        """Store rows that were in a request, as a file."""
        new = StoredFile(id=make_id('file-'), owner=owner, name='requests', purpose=INLINE, created=time.time())
        data = b''.join(to_json(row) + b'\n' for row in rows)
        self.store.check_room(len(data))
        self.store.create_file(new).write_bytes(data)
        self.store.save_file(new)
        return new


class VendorRoutes(ABC):
    """The paths of one vendor's batch API. A handler gets the request and the name of its key."""

    dialect: ClassVar[str]
    """The name of the vendor in `DIALECTS`."""
    protocol: ClassVar[str]
    """The name of the protocol in whose form errors are sent."""
    prefixes: ClassVar[Sequence[str]] = ('',)
    """The starts of all paths."""

    def __init__(self, batches: BatchHost) -> None:
        self._batches = batches
        self._store = batches.store

    @abstractmethod
    def list_handlers(self) -> list[tuple[str, str, Handler]]:
        """Return the paths, each with its HTTP method and its handler."""

    def routes(self) -> list[Route]:
        return [
            self._batches.make_route(prefix + path, method, handler, self.protocol)
            for prefix in self.prefixes
            for path, method, handler in self.list_handlers()
        ]

    async def show(self, request: Request, owner: str) -> Response:
        return self.respond_with_job(self.find_job(request, owner), request)

    async def cancel(self, request: Request, owner: str) -> Response:
        job = self.find_job(request, owner)
        self._batches.runner.cancel(job)
        return self.respond_with_job(job, request)

    async def send_file(self, request: Request, owner: str) -> Response:
        return self.respond_with_file(self.find_file(request, owner))

    def find_file(self, request: Request, owner: str) -> StoredFile:
        """Return the file of a path. Raises `NotFoundError` if the owner has none with this id."""
        return self._store.find_file(request.path_params['id'], owner)

    def find_job(self, request: Request, owner: str) -> Job:
        """Return the batch of a path. Raises `NotFoundError` if the owner has none of this vendor with this id."""
        job = self._store.find_job(id := request.path_params['id'], owner)
        if job.dialect != self.dialect:
            raise NotFoundError(404, '', message=f'There is no batch {id[:100]!r}')
        return job

    def encode_jobs(self, request: Request, owner: str) -> list[Json]:
        """Encode the batches of an owner, the newest first."""
        jobs = (job for job in self._store.list_jobs(owner) if job.dialect == self.dialect)
        return [DIALECTS[self.dialect].encode_job(job, find_url(request)) for job in jobs]

    def respond_with_job(self, job: Job, request: Request) -> Response:
        return json_response(DIALECTS[self.dialect].encode_job(job, find_url(request)))

    def respond_with_file(self, file: StoredFile) -> Response:
        """Respond with the content of a file, which is read while it is sent."""
        return FileResponse(self._store.get_path(file.id), media_type='application/octet-stream')


def find_url(request: Request) -> str:
    """Return the URL of the app, as the client of a request knows it."""
    return str(request.base_url).rstrip('/')
