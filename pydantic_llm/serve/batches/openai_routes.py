"""The paths of OpenAI, Azure and Groq (`OpenAIRoutes`), and of Mistral (`MistralRoutes`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

from starlette.requests import Request
from starlette.responses import Response

from ...exceptions import UserError
from ...json_types import Json
from ..exchange import json_response
from .dialects import encode_file
from .gemini_routes import GeminiRoutes
from .host import Handler, VendorRoutes
from .store import Job
from .uploads import read_form

__all__ = ('MistralRoutes', 'OpenAIRoutes')


OPENAI_PREFIXES = ('/v1', '', '/openai/v1', '/openai')
"""The starts of paths: for OpenAI's clients, with and without a version in the URL, for Groq's (and the newer API of
Azure), and for the older one of Azure."""

MISTRAL_PREFIXES = ('/mistral/v1', '/v1')

OPENAI_PROTOCOLS = {
    '/v1/chat/completions': 'openai-chat',
    '/chat/completions': 'openai-chat',
    '/v1/responses': 'openai-responses',
    '/responses': 'openai-responses',
}
"""Endpoints of a batch -> the protocols of its requests."""


class OpenAIRoutes(VendorRoutes):
    """The paths of OpenAI, Azure and Groq: https://platform.openai.com/docs/api-reference/batch."""

    dialect = 'openai'
    protocol = 'openai-chat'
    prefixes: ClassVar[Sequence[str]] = OPENAI_PREFIXES
    jobs = '/batches'

    def list_handlers(self) -> list[tuple[str, str, Handler]]:
        return [
            ('/files', 'POST', self.upload),
            ('/files/{id}', 'GET', self.show_file),
            ('/files/{id}', 'DELETE', self.delete_file),
            ('/files/{id}/content', 'GET', self.send_file),
            (self.jobs, 'POST', self.create),
            (self.jobs, 'GET', self.list),
            (f'{self.jobs}/{{id}}', 'GET', self.show),
            (f'{self.jobs}/{{id}}', 'DELETE', self.delete),
            (f'{self.jobs}/{{id}}/cancel', 'POST', self.cancel),
        ]

    async def upload(self, request: Request, owner: str) -> Response:
        return json_response(encode_file(await read_form(request, self._store, owner)))

    async def show_file(self, request: Request, owner: str) -> Response:
        return json_response(encode_file(self.find_file(request, owner)))

    async def delete_file(self, request: Request, owner: str) -> Response:
        file = self.find_file(request, owner)
        self._store.delete_file(file)
        return json_response({'id': file.id, 'object': 'file', 'deleted': True})

    async def create(self, request: Request, owner: str) -> Response:
        body = await self._batches.read_json(request)
        endpoint, input_file = body.get('endpoint'), self._choose_input(body)
        protocol = OPENAI_PROTOCOLS.get(str(endpoint))
        if protocol is None:
            raise UserError(f'endpoint is {endpoint!r}: this server runs {", ".join(OPENAI_PROTOCOLS)}')
        self._store.find_file(input_file, owner)
        kept = {name: body[name] for name in ('endpoint', 'completion_window', 'metadata') if body.get(name)}
        job = self._create_job(body, owner=owner, protocol=protocol, input_file=input_file, details=kept)
        return self.respond_with_job(job, request)

    async def list(self, request: Request, owner: str) -> Response:
        data = self.encode_jobs(request, owner)
        return json_response({'object': 'list', 'data': data, 'has_more': False, 'total': len(data)})

    async def show(self, request: Request, owner: str) -> Response:
        job = self._store.find_job(request.path_params['id'], owner)
        if job.dialect == 'gemini':  # the path is one of Google's API too
            return GeminiRoutes(self._batches).respond_with_job(job, request)
        return await super().show(request, owner)

    async def delete(self, request: Request, owner: str) -> Response:
        """Delete a batch: only Google's clients do."""
        return await GeminiRoutes(self._batches).delete(request, owner)

    def _choose_input(self, body: Json) -> str:
        id = body.get('input_file_id')
        if not isinstance(id, str):
            raise UserError("'input_file_id' is missing from the request")
        return id

    def _create_job(self, body: Json, *, owner: str, protocol: str, input_file: str, details: Json) -> Job:
        return self._batches.create_job(
            dialect=self.dialect, protocol=protocol, owner=owner, input_file=input_file, **details
        )


class MistralRoutes(OpenAIRoutes):
    """The paths of Mistral: https://docs.mistral.ai/api/endpoint/batch."""

    dialect = protocol = 'mistral'
    prefixes: ClassVar[Sequence[str]] = MISTRAL_PREFIXES
    jobs = '/batch/jobs'

    def _choose_input(self, body: Json) -> str:
        files: object = body.get('input_files')
        if not isinstance(files, list) or len(ids := cast('list[object]', files)) != 1:
            raise UserError(f'input_files is {files!r}: this server takes the id of one file')
        return str(ids[0])

    def _create_job(self, body: Json, *, owner: str, protocol: str, input_file: str, details: Json) -> Job:
        model = body.get('model')
        if not isinstance(model, (str, type(None))):
            raise UserError(f'model is {model!r}: give the name of a model')
        if protocol != 'openai-chat':
            raise UserError("endpoint must be '/v1/chat/completions'")
        return self._batches.create_job(
            dialect=self.dialect, protocol='mistral', owner=owner, input_file=input_file, model=model, **details
        )
