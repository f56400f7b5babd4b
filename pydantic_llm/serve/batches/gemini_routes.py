"""The paths of Gemini's batches, and of the files for them: `GeminiRoutes`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import cast

from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import Response

from ...exceptions import UserError
from ...json_types import Json
from ..exchange import json_response
from .dialects import DIALECTS, encode_gemini_file
from .host import Handler, VendorRoutes, find_url
from .store import Job, StoredFile, make_id
from .uploads import read_body

__all__ = ('GeminiRoutes',)

VERSIONS = ('v1beta', 'v1')
"""The versions of the API."""

SHARED_PATHS = {('v1', '/{version}/batches/{id}'), ('v1', '/{version}/files/{id}')}
"""Paths that OpenAI's API has too. `OpenAIRoutes` handles them."""

UPLOAD_HEADER = 'x-goog-upload-'
"""The start of the names of headers of Google's uploads."""


class GeminiRoutes(VendorRoutes):
    """The paths of Gemini: https://ai.google.dev/api/batch-api and https://ai.google.dev/api/files."""

    dialect = protocol = 'gemini'

    def list_handlers(self) -> list[tuple[str, str, Handler]]:
        handlers: list[tuple[str, str, Handler]] = [
            ('/upload/{version}/files', 'POST', self.upload),
            ('/{version}/models/{model:path}:batchGenerateContent', 'POST', self.create),
            ('/{version}/batches/{id}:cancel', 'POST', self.cancel),
            ('/{version}/batches/{id}', 'GET', self.show),
            ('/{version}/batches/{id}', 'DELETE', self.delete),
            ('/{version}/files/{id}:download', 'GET', self.send_file),
            ('/download/{version}/files/{id}:download', 'GET', self.send_file),
            ('/{version}/files/{id}', 'GET', self.show_file),
            ('/{version}/files/{id}', 'DELETE', self.delete_file),
        ]
        return [
            (path.replace('{version}', version), method, handler)
            for version in VERSIONS
            for path, method, handler in handlers
            if (version, path) not in SHARED_PATHS
        ]

    async def upload(self, request: Request, owner: str) -> Response:
        """Handle one request of a resumable upload: the first one, or one with bytes.

        https://ai.google.dev/gemini-api/docs/files, and `_upload_fd` in google/genai/_api_client.py.
        """
        commands = [word.strip() for word in request.headers.get(f'{UPLOAD_HEADER}command', '').split(',')]
        if 'start' in commands:
            return await self._begin_upload(request, owner)
        file = self._store.find_file(request.query_params.get('upload_id', ''), owner)
        if request.headers.get(f'{UPLOAD_HEADER}offset', '0') != str(file.size) or file.is_complete:
            raise UserError(f'The upload of {file.id!r} goes on at {file.size}')
        await read_body(request, self._store, file)
        if 'finalize' not in commands:
            return json_response({}, headers={f'{UPLOAD_HEADER}status': 'active'})
        file.is_complete = True
        self._store.save_file(file)
        body = {'file': encode_gemini_file(file, find_url(request))}
        return json_response(body, headers={f'{UPLOAD_HEADER}status': 'final'})

    async def _begin_upload(self, request: Request, owner: str) -> Response:
        body = await self._batches.read_json(request)
        if not isinstance(fields := cast('object', body.get('file') or {}), dict):
            raise UserError("'file' is not an object")
        fields = cast('Json', fields)
        size = request.headers.get(f'{UPLOAD_HEADER}header-content-length', '0')
        self._store.check_room(int(size) if size.isdecimal() and len(size) < 20 else 0)
        new = StoredFile(
            id=make_id('file-'),
            owner=owner,
            name=str(fields.get('displayName') or fields.get('display_name') or 'file')[:200],
            purpose='batch',
            created=time.time(),
            content_type=request.headers.get(f'{UPLOAD_HEADER}header-content-type', 'application/jsonl'),
            is_complete=False,
        )
        self._store.create_file(new)
        url = f'{find_url(request)}{request.url.path}?upload_id={new.id}'
        return json_response({}, headers={f'{UPLOAD_HEADER}url': url, f'{UPLOAD_HEADER}status': 'active'})

    async def create(self, request: Request, owner: str) -> Response:
        body = await self._batches.read_json(request)
        batch = _get(body, 'batch')
        config = _get(batch, 'inputConfig', 'input_config')
        name = config.get('fileName') or config.get('file_name')
        rows: object = _get(config, 'requests').get('requests')
        if isinstance(name, str):
            file = self._store.find_file(name.removeprefix('files/'), owner)
        elif isinstance(rows, list) and rows and all(isinstance(row, dict) for row in cast('list[object]', rows)):
            file = self._batches.store_rows(_number_rows(cast('list[Json]', rows)), owner)
        else:
            raise UserError("'batch.inputConfig' has neither a file nor requests")
        job = self._batches.create_job(
            dialect=self.dialect,
            protocol=self.protocol,
            owner=owner,
            input_file=file.id,
            model=request.path_params['model'],
            displayName=batch.get('displayName') or batch.get('display_name'),
            inline=name is None,
        )
        return self.respond_with_job(job, request)

    async def cancel(self, request: Request, owner: str) -> Response:
        self._batches.runner.cancel(self.find_job(request, owner))
        return json_response({})

    async def delete(self, request: Request, owner: str) -> Response:
        """Delete a batch, also one that has not ended."""
        job = self.find_job(request, owner)
        self._batches.runner.cancel(job)
        self._store.delete_job(job)
        return json_response({})

    async def show_file(self, request: Request, owner: str) -> Response:
        file = self.find_file(request, owner)
        return json_response(encode_gemini_file(file, find_url(request)))

    async def delete_file(self, request: Request, owner: str) -> Response:
        self._store.delete_file(self.find_file(request, owner))
        return json_response({})

    def respond_with_job(self, job: Job, request: Request) -> Response:
        body = DIALECTS[self.dialect].encode_job(job, find_url(request))
        if job.status == 'completed' and job.details.get('inline'):
            body['response'] = body['metadata']['output'] = {
                'inlinedResponses': {'inlinedResponses': self._inline(job)}
            }
        return json_response(body)

    def _inline(self, job: Job) -> list[Json]:
        """Return the results of a batch without files, in the order of its requests."""
        keys = [row['metadata']['key'] for row in self._read_rows(job.input_file)]
        results = {row.pop('key'): row for row in self._read_rows(job.output_file)}
        return [{**results[key], 'metadata': {'key': key}} for key in keys]

    def _read_rows(self, file_id: str | None) -> list[Json]:
        assert file_id is not None, 'the job has ended'
        return [from_json(line) for line in self._store.get_path(file_id).read_bytes().splitlines()]


def _number_rows(rows: Sequence[Json]) -> list[Json]:
    """Give a key to each request that has none, since the runner needs one."""
    return [{**row, 'metadata': {'key': str(index), **_get(row, 'metadata')}} for index, row in enumerate(rows)]


def _get(fields: Json, *names: str) -> Json:
    """Return the first of some fields that is an object; an empty one if none is."""
    values: list[object] = [fields.get(name) for name in names]
    empty: Json = {}
    return next((cast('Json', value) for value in values if isinstance(value, dict)), empty)
