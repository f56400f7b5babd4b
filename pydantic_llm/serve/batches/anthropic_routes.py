"""The paths of Anthropic's Message Batches API: `AnthropicRoutes`."""

from __future__ import annotations

from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from ...exceptions import NotFoundError, UserError
from ..exchange import json_response
from .host import Handler, VendorRoutes

__all__ = ('AnthropicRoutes',)


class AnthropicRoutes(VendorRoutes):
    """The paths of Anthropic: https://platform.claude.com/docs/en/api/messages/batches."""

    dialect = protocol = 'anthropic'

    prefixes = ('/v1/messages/batches',)

    def list_handlers(self) -> list[tuple[str, str, Handler]]:
        return [
            ('', 'POST', self.create),
            ('', 'GET', self.list),
            ('/{id}', 'GET', self.show),
            ('/{id}', 'DELETE', self.delete),
            ('/{id}/cancel', 'POST', self.cancel),
            ('/{id}/results', 'GET', self.send_results),
        ]

    async def create(self, request: Request, owner: str) -> Response:
        body = await self._batches.read_json(request)
        rows = body.get('requests')
        if not isinstance(rows, list) or not rows:
            raise UserError('requests: Field required')
        file = self._batches.store_rows(cast('list[object]', rows), owner)
        job = self._batches.create_job(dialect=self.dialect, protocol=self.protocol, owner=owner, input_file=file.id)
        job.total = len(cast('list[object]', rows))
        return self.respond_with_job(job, request)

    async def list(self, request: Request, owner: str) -> Response:
        data = self.encode_jobs(request, owner)
        ends = {'first_id': data[0]['id'], 'last_id': data[-1]['id']} if data else {'first_id': None, 'last_id': None}
        return json_response({'data': data, 'has_more': False, **ends})

    async def delete(self, request: Request, owner: str) -> Response:
        job = self.find_job(request, owner)
        if not job.has_ended:
            raise UserError(f'The batch {job.id!r} has not ended: cancel it first')
        self._store.delete_job(job)
        return json_response({'id': job.id, 'type': 'message_batch_deleted'})

    async def send_results(self, request: Request, owner: str) -> Response:
        job = self.find_job(request, owner)
        if not job.has_ended or job.output_file is None:
            raise NotFoundError(404, '', message=f'The batch {job.id!r} has no results yet')
        return self.respond_with_file(self._store.find_file(job.output_file, owner))
