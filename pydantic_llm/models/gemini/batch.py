"""Google's Batch API for Gemini, with requests in a file or in the request that creates the batch.

https://ai.google.dev/gemini-api/docs/batch-api

Vertex AI has another one, which reads from Cloud Storage or BigQuery.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from ...json_types import Json
from ...wire.batch_api import (
    BatchApi,
    BatchCounts,
    BatchJob,
    BatchRow,
    BatchStatus,
    InlineRows,
    Upload,
    get_text,
    quote_json,
)

__all__ = ('make_batch_api',)

STATUSES: dict[str, BatchStatus] = {
    'UNSPECIFIED': 'pending',
    'QUEUED': 'pending',
    'PENDING': 'pending',
    'RUNNING': 'running',
    'SUCCEEDED': 'completed',
    'PARTIALLY_SUCCEEDED': 'completed',
    'FAILED': 'failed',
    'CANCELLING': 'cancelling',
    'CANCELLED': 'cancelled',
    'EXPIRED': 'expired',
}
"""The states of a batch -> ours. On the wire, `BATCH_STATE_` or `JOB_STATE_` stands before them
(`t_job_state` in google/genai/_transformers.py)."""

HTTP_STATUSES = {3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501, 14: 503, 16: 401}
"""Codes of an error -> HTTP statuses: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto"""

CANCELLED = 1

NAME = 'pydantic_llm'
"""The name of each batch, which the API requires."""

INLINE_BYTES = 1_000_000
"""The size of rows up to which they stand in the request. The API's limit is 20 MB; each status then has all results,
which cannot be streamed."""


def make_batch_api(model_path: str, base_path: str) -> BatchApi:
    """Return the API for a model. `base_path` is the path of the base URL, with the API's version at its end."""
    root, _, version = base_path.rstrip('/').rpartition('/')
    config = b'{"batch":{"displayName":%b,"inputConfig":' % quote_json(NAME)
    return BatchApi(
        path=f'/{model_path}:batchGenerateContent',
        job_path='/{id}',
        cancel_path='/{id}:cancel',
        max_requests=100_000,  # the API has no limit; so that one batch is not lost as a whole
        max_bytes=2_000_000_000,
        id_pattern='.{1,512}',
        encode_row=encode_row,
        encode_job=encode_job,
        upload=Upload(f'/{root}/upload/{version}/files', '/{id}'),
        inline=InlineRows(
            encode_row=encode_inline_row,
            before=config + b'{"requests":{"requests":[',
            after=b']}}}}',
            max_bytes=INLINE_BYTES,
        ),
        decode_file_id=decode_file_name,
        decode_job=decode_job,
        decode_row=decode_row,
        dropped_settings={'cache': 'its cached content could expire before the batch runs'},
    )


def encode_row(id: str, body: bytes) -> bytes:
    """Return a line of the file."""
    return b'{"key":%b,"request":%b}' % (quote_json(id), body)


def encode_inline_row(id: str, body: bytes) -> bytes:
    """Return a request of a batch without a file."""
    return b'{"request":%b,"metadata":{"key":%b}}' % (body, quote_json(id))


def encode_job(file_id: str, model_name: str) -> Json:
    """Return the body of the request that creates a batch from a file."""
    return {'batch': {'displayName': NAME, 'inputConfig': {'fileName': file_id}}}


def decode_file_name(body: Json) -> object:
    """Return the name of an uploaded file: `'files/abc'`."""
    file = body.get('file')
    return cast('Json', file).get('name') if isinstance(file, dict) else None


def decode_job(body: Json) -> BatchJob:
    """Decode the operation of a batch. The results are in `response`, and in `output` of its metadata."""
    metadata: Json = body.get('metadata') or {}
    word = str(metadata.get('state') or body.get('state') or 'UNSPECIFIED')
    output: Json = body.get('response') or metadata.get('output') or {}
    inlined: Json = output.get('inlinedResponses') or {}
    rows: Sequence[Json] = inlined.get('inlinedResponses') or ()
    name, results = get_text(body, 'name'), output.get('responsesFile')
    source: Json = metadata.get('inputConfig') or {}
    stored = [results, source.get('fileName'), name]
    return BatchJob(
        id=name,
        status=STATUSES.get(word.rpartition('_STATE_')[2], 'running'),
        vendor_status=word,
        counts=_decode_counts(metadata.get('batchStats') or {}),
        result_paths=(f'/{results}:download?alt=media',) if results else (),
        rows=rows,
        stored_paths=tuple(f'/{path}' for path in stored if path),
        errors=[body['error']] if body.get('error') else (),
    )


def _decode_counts(stats: Mapping[str, Any]) -> BatchCounts:
    """Decode the counts, which are texts, as all 64-bit integers of Google's APIs."""
    names = ('requestCount', 'successfulRequestCount', 'failedRequestCount')
    total, succeeded, failed = (int(stats.get(name) or 0) for name in names)
    return BatchCounts(total=total, succeeded=succeeded, failed=failed)


def decode_row(row: Json) -> BatchRow:
    """Decode a line of the file with results, or an inline response."""
    metadata: Json = row.get('metadata') or {}
    id = str(row.get('key') or metadata.get('key') or '')
    response: object = row.get('response')
    if isinstance(response, dict):
        return BatchRow(id=id, outcome='response', body=cast('Json', response))
    error: Json = row.get('error') or row.get('status') or {}
    code = error.get('code')
    if code == CANCELLED:
        return BatchRow(id=id, outcome='cancelled')
    status = HTTP_STATUSES.get(code, code if isinstance(code, int) and code >= 400 else 500) if code else None
    return BatchRow(id=id, outcome='error', body={'error': {**error, 'code': status}}, status=status)
