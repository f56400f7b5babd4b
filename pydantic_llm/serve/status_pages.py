"""The paths that no protocol owns: the models, what a key has spent, health, readiness and metrics."""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..exceptions import AuthenticationError, NotFoundError, OverloadedError
from .catalog import describe_model
from .exchange import json_response
from .gateway import Gateway
from .metrics import CONTENT_TYPE

__all__ = ('StatusPages',)

LIST_PATHS = ('/v1/models', '/openai/v1/models', '/openai/models')
"""The paths that list the models: the first for the vendors' own clients, the others for Azure's."""

logger: logging.Logger = logging.getLogger('pydantic_llm.serve')


class StatusPages:
    """The pages of one app."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def routes(self) -> list[Route]:
        pages = dict.fromkeys(LIST_PATHS, self._list_models)
        pages |= {f'{path}/{{name:path}}': self._show_model for path in LIST_PATHS}
        pages |= {'/usage': self._show_usage, '/metrics': self._show_metrics}
        return [*(Route(path, page) for path, page in pages.items()), *self.probes()]

    def probes(self) -> list[Route]:
        """Return the pages that need no key, for what watches the process."""
        return [Route('/health', _report_health), Route('/ready', self._report_readiness)]

    def metrics_routes(self) -> list[Route]:
        """Return the pages for a port of their own, which need no key."""
        return [Route('/metrics', self._write_metrics), *self.probes()]

    async def _write_metrics(self, request: Request) -> Response:
        return Response(self._gateway.metrics.write(), media_type=CONTENT_TYPE)

    async def _list_models(self, request: Request) -> Response:
        """Respond with the list of models, in a form that the clients of every protocol accept."""
        names = self._gateway.catalog.list_names(self._gateway.access.check(request))
        page = {'first_id': names[0], 'last_id': names[-1], 'has_more': False}
        return json_response({'object': 'list', 'data': [describe_model(name) for name in names], **page})

    async def _show_model(self, request: Request) -> Response:
        name = request.path_params['name']
        key = self._gateway.access.check(request)
        found = self._gateway.catalog.find(name).name
        if key is not None and not key.allows(found):
            raise NotFoundError(404, name, message=f'There is no model {name!r} for the key {key.name!r}')
        return json_response(describe_model(name))

    async def _show_usage(self, request: Request) -> Response:
        """Respond with what the key of the request has spent."""
        key = self._gateway.access.check(request)
        if key is None:
            raise NotFoundError(404, '', message='This server has no keys, so it keeps no usage')
        try:
            return json_response(await self._gateway.admissions.describe(key))
        except Exception as error:
            logger.exception('The budgets cannot be read')
            raise OverloadedError(503, '', message='The budgets cannot be read') from error

    async def _show_metrics(self, request: Request) -> Response:
        key = self._gateway.access.check(request)
        if key is not None and not key.metrics:
            raise AuthenticationError(403, '', message=f'The key {key.name!r} may not read metrics')
        return await self._write_metrics(request)

    async def _report_readiness(self, request: Request) -> Response:
        """Respond with 503 while the app is stopping, or while its store cannot be reached."""
        if self._gateway.drain.is_draining:
            return json_response({'status': 'stopping'}, 503)
        try:
            await self._gateway.admissions.check()
        except Exception as error:
            logger.exception('The budgets cannot be read')
            return json_response({'status': 'the budgets cannot be read', 'error': type(error).__name__}, 503)
        return json_response({'status': 'ready'})


async def _report_health(request: Request) -> Response:
    return Response('ok')
