"""The HTTP requests of a batch: `BatchClient`. It knows a `BatchApi` and no vendor.

Each request has the retries and deadlines of the model's settings; transfers of files have retries only. The request
that creates a batch is sent again only after a response that refuses it, since it could run, and cost, twice.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Literal, TypeVar, cast
from urllib.parse import urlsplit

from pydantic_core import to_json

from ..exceptions import (
    LLMError,
    ModelAPIError,
    NotFoundError,
    OverloadedError,
    RateLimitError,
    UnexpectedModelBehavior,
)
from ..json_types import Json, parse_json
from ..models import check_allow_model_requests
from ..retries.budget import Budget
from ..settings import ModelSettings
from ..transport import Deadlines, FileBody, RawRequest, RawResponse
from ..transport.errors import error_from_invalid_json
from ..wire.batch_api import BatchApi, BatchJob, BatchRow
from ..wire.model import WireModel
from ..wire.reader import DECODING_ERRORS
from .parts import Part

__all__ = ('BatchClient',)

T = TypeVar('T')

UPLOAD_URL_HEADER = 'x-goog-upload-url'
"""The header with the address of the second request of an upload to Google."""

SAFE_PATH = re.compile(r'[A-Za-z0-9_.:/?=&,%~+@-]*')
"""The form of paths. They hold ids that the vendor chose, which must not lead to something else."""

QUOTED_CHARACTERS = 2000

Method = Literal['GET', 'POST', 'DELETE']


class BatchClient:
    """Sends the requests of batches of one model."""

    def __init__(self, model: WireModel[Any], api: BatchApi) -> None:
        check_allow_model_requests()
        self.model = model
        self.api = api
        self.settings: ModelSettings = model.merged_settings(None)
        self._headers: Mapping[str, str] = self.settings.get('extra_headers', {})

    async def create(self, part: Part, headers: Mapping[str, str]) -> tuple[BatchJob, str | None]:
        """Create a batch. Return it, and the path of the file that was uploaded for it, if there is one."""
        if part.is_inline:
            return await self._create(b'', headers, part.make_body(self.api)), None
        file_id = await self._upload(part)
        assert self.api.upload is not None, 'the part is not inline'
        assert self.api.encode_job is not None, 'there is an upload'
        path = self.api.upload.file_path.format(id=file_id)
        try:
            body = to_json(self.api.encode_job(file_id, self.model.model_name))
            return await self._create(body, headers), path
        except BaseException:
            await self.delete(path)
            raise

    async def fetch(self, id: str) -> BatchJob:
        """Return the state of a batch."""
        return self._decode(self.api.decode_job, await self._call('GET', self.api.job_path.format(id=id)))

    async def cancel(self, id: str) -> None:
        """Cancel a batch. The vendor does so some time later."""
        await self._call('POST', self.api.cancel_path.format(id=id), b'{}')

    async def delete(self, path: str) -> LLMError | None:
        """Delete what the vendor stores at a path. Return the error if that failed."""
        try:
            await self._call('DELETE', path)
        except NotFoundError:
            pass
        except LLMError as error:
            return error
        return None

    async def read_rows(self, job: BatchJob) -> AsyncGenerator[BatchRow]:
        """Yield the results of a batch that has ended. A file whose download breaks off is downloaded again."""
        for row in job.rows:
            yield self._decode(self.api.decode_row, row)
        for path in job.result_paths:
            budget, count = Budget.of(self.settings), 0
            while True:
                try:
                    async with aclosing(self._read_lines(path, skip=count)) as lines:
                        async for line in lines:
                            count += 1
                            yield self._decode(self.api.decode_row, line)
                    break
                except LLMError as error:
                    failure = error
                if not await budget.pause(failure):
                    raise budget.with_failures(failure)

    # ------------------------------------------------------------------ creation

    async def _upload(self, part: Part) -> str:
        upload = self.api.upload
        assert upload is not None, 'the part is not inline'
        send = self._upload_form if upload.form is not None else self._upload_resumable

        async def attempt() -> Json:
            return self._parse(await send(upload.path, part.make_body(self.api)))

        body = await Budget.of(self.settings).run(attempt)
        file_id = self._decode(self.api.decode_file_id, body)
        if not isinstance(file_id, str) or not file_id:
            raise self._make_unexpected(body, 'no id of the uploaded file')
        return file_id

    async def _upload_form(self, path: str, file: FileBody) -> RawResponse:
        return await self._send_raw(self._make_request('POST', path, file=file))

    async def _upload_resumable(self, path: str, file: FileBody) -> RawResponse:
        """Upload a file by the protocol of https://ai.google.dev/gemini-api/docs/files, in one piece."""
        start = {
            'X-Goog-Upload-Protocol': 'resumable',
            'X-Goog-Upload-Command': 'start',
            'X-Goog-Upload-Header-Content-Length': str(len(file)),
            'X-Goog-Upload-Header-Content-Type': file.content_type,
        }
        begun = await self._send_raw(
            self._make_request('POST', path, to_json({'file': {'displayName': file.name}}), start)
        )
        url = urlsplit(begun.headers.get(UPLOAD_URL_HEADER, ''))
        if not url.path:
            raise UnexpectedModelBehavior(f'{self.model.base_url} named no address for the upload of a file')
        # the key goes to the host of the base URL, whatever host the response names
        target = f'/{url.path}?{url.query}' if url.query else f'/{url.path}'
        rest = {'X-Goog-Upload-Offset': '0', 'X-Goog-Upload-Command': 'upload, finalize'}
        return await self._send_raw(self._make_request('POST', target, headers=rest, file=file))

    async def _create(self, body: bytes, headers: Mapping[str, str], file: FileBody | None = None) -> BatchJob:
        request = self._make_request('POST', self.api.path, body, headers, file=file)

        async def send() -> RawResponse:
            try:
                return await self._send_raw(request)
            except ModelAPIError as error:
                error.retryable = error.retryable and isinstance(error, (RateLimitError, OverloadedError))
                raise

        response = await Budget.of(self.settings).run(send)
        return self._decode(self.api.decode_job, self._parse(response))

    # ------------------------------------------------------------------ requests

    async def _call(self, method: Method, path: str, body: bytes = b'') -> Json:
        request = self._make_request(method, path, body)

        async def attempt() -> Json:
            return self._parse(await self._send_raw(request))

        return await Budget.of(self.settings).run(attempt)

    async def _send_raw(self, request: RawRequest) -> RawResponse:
        return await self.model.provider.connection.send(request)

    def _make_request(
        self,
        method: Method,
        path: str,
        body: bytes = b'',
        headers: Mapping[str, str] | None = None,
        *,
        file: FileBody | None = None,
    ) -> RawRequest:
        if not SAFE_PATH.fullmatch(path) or '..' in path:
            raise UnexpectedModelBehavior(f'{self.model.base_url} named something by {path[:100]!r}, which is no id')
        deadlines = Deadlines() if file is not None else Deadlines.from_settings(self.settings)
        all_headers = {**self._headers, **(headers or {})}
        return RawRequest(path, body, self.model.model_name, all_headers, deadlines, method, file)

    async def _read_lines(self, path: str, *, skip: int) -> AsyncGenerator[Json]:
        """Yield the JSON of each line of a file after the first `skip` lines."""
        headers = {'Accept': 'application/octet-stream'}
        request = self._make_request('GET', path, headers=headers)
        stream = await self.model.provider.connection.open(request)
        try:
            pieces: list[bytes] = []
            while chunk := await stream.read():
                *lines, rest = chunk.split(b'\n')
                for line in lines:
                    pieces.append(line)
                    whole = b''.join(pieces)
                    pieces.clear()
                    if not whole.strip():
                        continue
                    if skip:
                        skip -= 1
                    else:
                        yield self._parse_object(whole)
                pieces.append(rest)
            if (last := b''.join(pieces)).strip() and not skip:
                yield self._parse_object(last)
        finally:
            await stream.aclose()

    # ------------------------------------------------------------------ decoding

    def _parse(self, response: RawResponse) -> Json:
        return self._parse_object(response.body or b'{}')  # to a deletion, for example

    def _parse_object(self, data: bytes) -> Json:
        """Parse a body or a line. One that is not a JSON object is truncated: its error is retryable."""
        try:
            parsed: object = parse_json(data)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise error_from_invalid_json(data, model_name=self.model.model_name, provider_name=self.model.system)
        return cast('Json', parsed)

    def _decode(self, decode: Callable[[Json], T], body: Json) -> T:
        try:
            return decode(body)
        except DECODING_ERRORS as error:
            raise self._make_unexpected(body, f'{type(error).__name__}: {error}') from error

    def _make_unexpected(self, body: object, reason: str) -> UnexpectedModelBehavior:
        message = f'{self.model.base_url} did not answer as an API of batches ({reason})'
        return UnexpectedModelBehavior(message, str(body)[:QUOTED_CHARACTERS])
