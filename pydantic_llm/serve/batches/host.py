"""What the paths of all vendors' batch APIs share: `BatchHost`, and a few responses."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import uuid4

from pydantic_core import to_json
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from ...exceptions import LLMError, NotFoundError
from ...json_types import Json
from ..exchange import json_response
from ..gateway import Gateway
from .answers import BY_NAME, RowAnswers
from .dialects import DIALECTS
from .options import BatchOptions
from .runner import Runner
from .store import INLINE, Job, Store, StoredFile, make_id

__all__ = ('BatchHost', 'Handler', 'find_job', 'find_url', 'send_file')

logger: logging.Logger = logging.getLogger('pydantic_llm.serve')

Handler = Callable[[Request, str], Awaitable[Response]]
"""Handles a request, with the name of its key."""


class BatchHost:
    """The batches of an app."""

    def __init__(self, gateway: Gateway, options: BatchOptions) -> None:
        self.store: Store = Store(options)
        self.options = options
        self._gateway = gateway
        self.runner: Runner = Runner(self.store, options, RowAnswers(gateway).answer)

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
                status, body = BY_NAME[protocol].encode_error(error)
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


def find_job(store: Store, id: str, owner: str, dialect: str) -> Job:
    """Return a batch of a vendor's API. Raises `NotFoundError` if the owner has none with this id."""
    job = store.find_job(id, owner)
    if job.dialect != dialect:
        raise NotFoundError(404, '', message=f'There is no batch {id[:100]!r}')
    return job


def find_url(request: Request) -> str:
    """Return the URL of the app, as the client of a request knows it."""
    return str(request.base_url).rstrip('/')


def send_file(store: Store, file: StoredFile) -> Response:
    """Respond with the content of a file, which is read while it is sent."""
    return FileResponse(store.get_path(file.id), media_type='application/octet-stream')
