"""The paths of Anthropic's Message Batches API: `AnthropicRoutes`."""

from __future__ import annotations

from typing import cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...exceptions import NotFoundError, UserError
from ..exchange import json_response
from .dialects import DIALECTS
from .host import BatchHost, Handler, find_job, find_url, send_file
from .store import Job

__all__ = ('AnthropicRoutes',)


class AnthropicRoutes:
    """The paths of Anthropic: https://platform.claude.com/docs/en/api/messages/batches."""

    dialect = protocol = 'anthropic'

    def __init__(self, batches: BatchHost) -> None:
        self._batches = batches
        self._store = batches.store

    def routes(self) -> list[Route]:
        path = '/v1/messages/batches'
        handlers: list[tuple[str, str, Handler]] = [
            (path, 'POST', self.create),
            (path, 'GET', self.list),
            (f'{path}/{{id}}', 'GET', self.show),
            (f'{path}/{{id}}', 'DELETE', self.delete),
            (f'{path}/{{id}}/cancel', 'POST', self.cancel),
            (f'{path}/{{id}}/results', 'GET', self.send_results),
        ]
        return [self._batches.make_route(path, method, handler, self.protocol) for path, method, handler in handlers]

    async def create(self, request: Request, owner: str) -> Response:
        body = await self._batches.read_json(request)
        rows = body.get('requests')
        if not isinstance(rows, list) or not rows:
            raise UserError('requests: Field required')
        file = self._batches.store_rows(cast('list[object]', rows), owner)
        job = self._batches.create_job(dialect=self.dialect, protocol=self.protocol, owner=owner, input_file=file.id)
        job.total = len(cast('list[object]', rows))
        return self._respond_with_job(job, request)

    async def list(self, request: Request, owner: str) -> Response:
        jobs = [job for job in self._store.list_jobs(owner) if job.dialect == self.dialect]
        data = [DIALECTS[self.dialect].encode_job(job, find_url(request)) for job in jobs]
        ends = {'first_id': data[0]['id'], 'last_id': data[-1]['id']} if data else {'first_id': None, 'last_id': None}
        return json_response({'data': data, 'has_more': False, **ends})

    async def show(self, request: Request, owner: str) -> Response:
        return self._respond_with_job(self._find_job(request, owner), request)

    async def cancel(self, request: Request, owner: str) -> Response:
        job = self._find_job(request, owner)
        self._batches.runner.cancel(job)
        return self._respond_with_job(job, request)

    async def delete(self, request: Request, owner: str) -> Response:
        job = self._find_job(request, owner)
        if not job.has_ended:
            raise UserError(f'The batch {job.id!r} has not ended: cancel it first')
        self._store.delete_job(job)
        return json_response({'id': job.id, 'type': 'message_batch_deleted'})

    async def send_results(self, request: Request, owner: str) -> Response:
        job = self._find_job(request, owner)
        if not job.has_ended or job.output_file is None:
            raise NotFoundError(404, '', message=f'The batch {job.id!r} has no results yet')
        return send_file(self._store, self._store.find_file(job.output_file, owner))

    def _find_job(self, request: Request, owner: str) -> Job:
        return find_job(self._store, request.path_params['id'], owner, self.dialect)

    def _respond_with_job(self, job: Job, request: Request) -> Response:
        return json_response(DIALECTS[self.dialect].encode_job(job, find_url(request)))
