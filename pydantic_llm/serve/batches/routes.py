"""The paths of the batch APIs: `BatchRoutes`, and one class for each vendor's paths."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, cast
from uuid import uuid4

from pydantic_core import from_json, to_json
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from ...exceptions import LLMError, NotFoundError, UserError
from ...json_types import Json
from ..bodies import BodyReader
from ..protocols import PROTOCOLS, Protocol
from .dialects import DIALECTS, encode_file, encode_gemini_file
from .options import BatchOptions
from .runner import Runner
from .store import Job, Store, StoredFile, make_id
from .uploads import read_body, read_form

__all__ = ('BatchRoutes',)

OPENAI_PREFIXES = ('/v1', '', '/openai/v1', '/openai')
"""What stands before `/files` and `/batches`: for OpenAI's clients, with a URL that ends with a version, for Groq's (and
Azure's newer API), and for Azure's."""

MISTRAL_PREFIXES = ('/mistral/v1', '/v1')

OPENAI_PROTOCOLS = {
    '/v1/chat/completions': 'openai-chat',
    '/chat/completions': 'openai-chat',
    '/v1/responses': 'openai-responses',
    '/responses': 'openai-responses',
}
"""Endpoints of a batch -> the protocols of its requests."""

UPLOAD_HEADER = 'x-goog-upload-'
"""The start of the names of headers of Google's uploads."""

Handler = Callable[[Request, str], Awaitable[Response]]
"""Handles a request, with the name of the key that sent it."""

Check = Callable[[Request], str]
"""Checks the key of a request. Returns its name. Raises `AuthenticationError`."""

AnswerRow = Callable[[str, Protocol, Json], Awaitable[tuple[int, Json]]]
"""Runs a request: the name of its key, its protocol, its body -> the HTTP status and the body of the response."""

BY_NAME: Mapping[str, Protocol] = {protocol.name: protocol for protocol in PROTOCOLS}


class BatchRoutes:
    """The batch APIs of an app. `check` and `answer` are the app's own."""

    def __init__(self, options: BatchOptions, bodies: BodyReader, *, check: Check, answer: AnswerRow) -> None:
        self.store = Store(options)
        self.options = options
        self.bodies = bodies
        self._check = check
        self._answer = answer
        self.runner = Runner(self.store, options, self._answer_row)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Run batches during the block."""
        return self.runner.running()

    def routes(self) -> list[Route]:
        """Return the paths of all vendors."""
        parts = (_OpenAIRoutes(self), _MistralRoutes(self), _AnthropicRoutes(self), _GeminiRoutes(self))
        return [route for part in parts for route in part.routes()]

    def route(self, path: str, method: str, handler: Handler, protocol: str) -> Route:
        """Return a path whose errors have the form of a protocol."""

        async def handle(request: Request) -> Response:
            try:
                return await handler(request, self._check(request))
            except LLMError as error:
                status, body = BY_NAME[protocol].encode_error(error)
                return _json(body, status)

        return Route(path, handle, methods=[method])

    async def read_json(self, request: Request) -> Json:
        """Return the body of a request."""
        with self.bodies.hold() as body:
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
        new = StoredFile(id=make_id('file-'), owner=owner, name='requests', purpose='inline', created=time.time())
        data = b''.join(to_json(row) + b'\n' for row in rows)
        self.store.check_room(len(data))
        self.store.create_file(new).write_bytes(data)
        self.store.save_file(new)
        return new

    async def _answer_row(self, job: Job, body: Json) -> tuple[int, Json]:
        fields = {**body, 'stream': False} if job.dialect == 'gemini' else body
        if job.model is not None:
            fields = {'model': job.model, **fields}
        return await self._answer(job.owner, BY_NAME[job.protocol], fields)


class _OpenAIRoutes:
    """The paths of OpenAI, Azure and Groq: https://platform.openai.com/docs/api-reference/batch."""

    dialect = 'openai'
    protocol = 'openai-chat'
    prefixes = OPENAI_PREFIXES
    jobs = '/batches'

    def __init__(self, batches: BatchRoutes) -> None:
        self._batches = batches
        self._store = batches.store

    def routes(self) -> list[Route]:
        handlers: list[tuple[str, str, Handler]] = [
            ('/files', 'POST', self.upload),
            ('/files/{id}', 'GET', self.show_file),
            ('/files/{id}', 'DELETE', self.delete_file),
            ('/files/{id}/content', 'GET', self.send_file),
            (self.jobs, 'POST', self.create),
            (self.jobs, 'GET', self.list),
            (f'{self.jobs}/{{id}}', 'GET', self.show),
            (f'{self.jobs}/{{id}}/cancel', 'POST', self.cancel),
        ]
        return [
            self._batches.route(prefix + path, method, handler, self.protocol)
            for prefix in self.prefixes
            for path, method, handler in handlers
        ]

    async def upload(self, request: Request, owner: str) -> Response:
        return _json(encode_file(await read_form(request, self._store, owner)))

    async def show_file(self, request: Request, owner: str) -> Response:
        return _json(encode_file(self._find_file(request, owner)))

    async def delete_file(self, request: Request, owner: str) -> Response:
        file = self._find_file(request, owner)
        self._store.delete_file(file)
        return _json({'id': file.id, 'object': 'file', 'deleted': True})

    async def send_file(self, request: Request, owner: str) -> Response:
        return _send_file(self._store, self._find_file(request, owner))

    async def create(self, request: Request, owner: str) -> Response:
        body = await self._batches.read_json(request)
        endpoint, input_file = body.get('endpoint'), self._choose_input(body)
        protocol = OPENAI_PROTOCOLS.get(str(endpoint))
        if protocol is None:
            raise UserError(f'endpoint is {endpoint!r}: this server runs {", ".join(OPENAI_PROTOCOLS)}')
        self._store.find_file(input_file, owner)
        kept = {name: body[name] for name in ('endpoint', 'completion_window', 'metadata') if body.get(name)}
        job = self._create_job(body, owner=owner, protocol=protocol, input_file=input_file, details=kept)
        return self._describe(job)

    async def list(self, request: Request, owner: str) -> Response:
        jobs = [job for job in self._store.list_jobs(owner) if job.dialect == self.dialect]
        data = [DIALECTS[self.dialect].encode_job(job, '') for job in jobs]
        return _json({'object': 'list', 'data': data, 'has_more': False, 'total': len(data)})

    async def show(self, request: Request, owner: str) -> Response:
        return self._describe(self._find_job(request, owner))

    async def cancel(self, request: Request, owner: str) -> Response:
        job = self._find_job(request, owner)
        self._batches.runner.cancel(job)
        return self._describe(job)

    def _choose_input(self, body: Json) -> str:
        id = body.get('input_file_id')
        if not isinstance(id, str):
            raise UserError("'input_file_id' is missing from the request")
        return id

    def _create_job(self, body: Json, *, owner: str, protocol: str, input_file: str, details: Json) -> Job:
        return self._batches.create_job(
            dialect=self.dialect, protocol=protocol, owner=owner, input_file=input_file, **details
        )

    def _find_file(self, request: Request, owner: str) -> StoredFile:
        return self._store.find_file(request.path_params['id'], owner)

    def _find_job(self, request: Request, owner: str) -> Job:
        return _find_job(self._store, request.path_params['id'], owner, self.dialect)

    def _describe(self, job: Job) -> Response:
        return _json(DIALECTS[self.dialect].encode_job(job, ''))


class _MistralRoutes(_OpenAIRoutes):
    """The paths of Mistral: https://docs.mistral.ai/api/endpoint/batch."""

    dialect = protocol = 'mistral'
    prefixes = MISTRAL_PREFIXES
    jobs = '/batch/jobs'

    def _choose_input(self, body: Json) -> str:
        files = body.get('input_files')
        if not isinstance(files, list) or len(cast('list[object]', files)) != 1:
            raise UserError(f'input_files is {files!r}: this server takes the id of one file')
        return str(files[0])

    def _create_job(self, body: Json, *, owner: str, protocol: str, input_file: str, details: Json) -> Job:
        model = body.get('model')
        if protocol != 'openai-chat':
            raise UserError("endpoint must be '/v1/chat/completions'")
        return self._batches.create_job(
            dialect=self.dialect, protocol='mistral', owner=owner, input_file=input_file, model=model, **details
        )


class _AnthropicRoutes:
    """The paths of Anthropic: https://platform.claude.com/docs/en/api/messages/batches."""

    dialect = protocol = 'anthropic'

    def __init__(self, batches: BatchRoutes) -> None:
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
        return [self._batches.route(path, method, handler, self.protocol) for path, method, handler in handlers]

    async def create(self, request: Request, owner: str) -> Response:
        body = await self._batches.read_json(request)
        rows = body.get('requests')
        if not isinstance(rows, list) or not rows:
            raise UserError('requests: Field required')
        file = self._batches.store_rows(cast('list[object]', rows), owner)
        job = self._batches.create_job(dialect=self.dialect, protocol=self.protocol, owner=owner, input_file=file.id)
        job.total = len(cast('list[object]', rows))
        return self._describe(job, request)

    async def list(self, request: Request, owner: str) -> Response:
        jobs = [job for job in self._store.list_jobs(owner) if job.dialect == self.dialect]
        data = [DIALECTS[self.dialect].encode_job(job, _find_url(request)) for job in jobs]
        ends = {'first_id': data[0]['id'], 'last_id': data[-1]['id']} if data else {'first_id': None, 'last_id': None}
        return _json({'data': data, 'has_more': False, **ends})

    async def show(self, request: Request, owner: str) -> Response:
        return self._describe(self._find_job(request, owner), request)

    async def cancel(self, request: Request, owner: str) -> Response:
        job = self._find_job(request, owner)
        self._batches.runner.cancel(job)
        return self._describe(job, request)

    async def delete(self, request: Request, owner: str) -> Response:
        job = self._find_job(request, owner)
        if not job.has_ended:
            raise UserError(f'The batch {job.id!r} has not ended: cancel it first')
        self._store.delete_job(job)
        self._store.delete_file(self._store.find_file(job.input_file, owner))
        return _json({'id': job.id, 'type': 'message_batch_deleted'})

    async def send_results(self, request: Request, owner: str) -> Response:
        job = self._find_job(request, owner)
        if not job.has_ended or job.output_file is None:
            raise NotFoundError(404, '', message=f'The batch {job.id!r} has no results yet')
        return _send_file(self._store, self._store.find_file(job.output_file, owner))

    def _find_job(self, request: Request, owner: str) -> Job:
        return _find_job(self._store, request.path_params['id'], owner, self.dialect)

    def _describe(self, job: Job, request: Request) -> Response:
        return _json(DIALECTS[self.dialect].encode_job(job, _find_url(request)))


class _GeminiRoutes:
    """The paths of Gemini: https://ai.google.dev/api/batch-api and https://ai.google.dev/api/files."""

    dialect = protocol = 'gemini'

    def __init__(self, batches: BatchRoutes) -> None:
        self._batches = batches
        self._store = batches.store

    def routes(self) -> list[Route]:
        handlers: list[tuple[str, str, Handler]] = [
            ('/upload/v1beta/files', 'POST', self.upload),
            ('/v1beta/models/{model:path}:batchGenerateContent', 'POST', self.create),
            ('/v1beta/batches/{id}:cancel', 'POST', self.cancel),
            ('/v1beta/batches/{id}', 'GET', self.show),
            ('/v1beta/batches/{id}', 'DELETE', self.delete),
            ('/v1beta/files/{id}:download', 'GET', self.send_file),
            ('/download/v1beta/files/{id}:download', 'GET', self.send_file),
            ('/v1beta/files/{id}', 'GET', self.show_file),
            ('/v1beta/files/{id}', 'DELETE', self.delete_file),
        ]
        return [self._batches.route(path, method, handler, self.protocol) for path, method, handler in handlers]

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
            return _json({}, headers={f'{UPLOAD_HEADER}status': 'active'})
        file.is_complete = True
        self._store.save_file(file)
        body = {'file': encode_gemini_file(file, _find_url(request))}
        return _json(body, headers={f'{UPLOAD_HEADER}status': 'final'})

    async def _begin_upload(self, request: Request, owner: str) -> Response:
        body = await self._batches.read_json(request)
        fields: Json = body.get('file') or {}
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
        url = f'{_find_url(request)}/upload/v1beta/files?upload_id={new.id}'
        return _json({}, headers={f'{UPLOAD_HEADER}url': url, f'{UPLOAD_HEADER}status': 'active'})

    async def create(self, request: Request, owner: str) -> Response:
        body = await self._batches.read_json(request)
        batch = _get(body, 'batch')
        config = _get(batch, 'inputConfig', 'input_config')
        name = config.get('fileName') or config.get('file_name')
        rows: object = _get(config, 'requests').get('requests')
        if isinstance(name, str):
            file = self._store.find_file(name.removeprefix('files/'), owner)
        elif isinstance(rows, list) and rows:
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
        return self._describe(job, request)

    async def show(self, request: Request, owner: str) -> Response:
        return self._describe(self._find_job(request, owner), request)

    async def cancel(self, request: Request, owner: str) -> Response:
        self._batches.runner.cancel(self._find_job(request, owner))
        return _json({})

    async def delete(self, request: Request, owner: str) -> Response:
        job = self._find_job(request, owner)
        self._batches.runner.cancel(job)
        self._store.delete_job(job)
        return _json({})

    async def show_file(self, request: Request, owner: str) -> Response:
        file = self._store.find_file(request.path_params['id'], owner)
        return _json(encode_gemini_file(file, _find_url(request)))

    async def delete_file(self, request: Request, owner: str) -> Response:
        self._store.delete_file(self._store.find_file(request.path_params['id'], owner))
        return _json({})

    async def send_file(self, request: Request, owner: str) -> Response:
        return _send_file(self._store, self._store.find_file(request.path_params['id'], owner))

    def _find_job(self, request: Request, owner: str) -> Job:
        return _find_job(self._store, request.path_params['id'], owner, self.dialect)

    def _describe(self, job: Job, request: Request) -> Response:
        body = DIALECTS[self.dialect].encode_job(job, _find_url(request))
        if job.status == 'completed' and job.details.get('inline'):
            body['response'] = body['metadata']['output'] = {
                'inlinedResponses': {'inlinedResponses': self._inline(job)}
            }
        return _json(body)

    def _inline(self, job: Job) -> list[Json]:
        """Return the results of a batch without files, in the order of its requests."""
        keys = [row['metadata']['key'] for row in self._read(job.input_file)]
        results = {row.pop('key'): row for row in self._read(job.output_file)}
        return [{**results[key], 'metadata': {'key': key}} for key in keys]

    def _read(self, file_id: str | None) -> list[Json]:
        assert file_id is not None, 'the job has ended'
        return [from_json(line) for line in self._store.get_path(file_id).read_bytes().splitlines()]


def _number_rows(rows: Sequence[Json]) -> list[Json]:
    """Give a key to each request that has none, since the runner needs one."""
    return [
        {**row, 'metadata': {'key': str(index), **_get(row, 'metadata')}}
        if isinstance(cast('object', row), dict)
        else row
        for index, row in enumerate(rows)
    ]


def _get(fields: Json, *names: str) -> Json:
    """Return the first of some fields that is an object; an empty one if none is."""
    values: list[object] = [fields.get(name) for name in names]
    return next((cast('Json', value) for value in values if isinstance(value, dict)), {})


def _find_job(store: Store, id: str, owner: str, dialect: str) -> Job:
    job = store.find_job(id, owner)
    if job.dialect != dialect:
        raise NotFoundError(404, '', message=f'There is no batch {id[:100]!r}')
    return job


def _find_url(request: Request) -> str:
    return str(request.base_url).rstrip('/')


def _send_file(store: Store, file: StoredFile) -> Response:
    return FileResponse(store.get_path(file.id), media_type='application/octet-stream')


def _json(body: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(to_json(body), status, dict(headers or {}), 'application/json')


_Rows = AsyncGenerator[bytes]
