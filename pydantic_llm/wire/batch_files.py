"""Batches as files of JSON Lines, in the form of OpenAI's Batch API: what Azure, Groq and Mistral share with it.

https://platform.openai.com/docs/guides/batch
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from ..json_types import Json
from .batch_api import BatchApi, BatchCounts, BatchJob, BatchRow, BatchStatus, Upload, get_text, quote_json

__all__ = ('FORM', 'decode_row', 'make_batch_api', 'make_row_encoder')

STATUSES: dict[str, BatchStatus] = {
    'validating': 'pending',
    'in_progress': 'running',
    'finalizing': 'running',
    'completed': 'completed',
    'failed': 'failed',
    'expired': 'expired',
    'cancelling': 'cancelling',
    'cancelled': 'cancelled',
    'canceled': 'cancelled',  # Azure: https://learn.microsoft.com/azure/ai-foundry/openai/how-to/batch
}
"""OpenAI's states of a batch (openai.types.batch.Batch) -> ours."""

UNANSWERED = {'batch_expired': 'expired', 'batch_cancelled': 'cancelled'}
"""The codes of requests that were not run: https://platform.openai.com/docs/api-reference/batch/request-output"""

FORM = {'purpose': 'batch'}
"""The fields of the form that uploads a file."""


def make_row_encoder(url: str | None) -> Callable[[str, bytes], bytes]:
    """Return the encoder of a line; `url` is the API's own path, `None` if the job names it."""
    where = b'' if url is None else b'"method":"POST","url":' + quote_json(url) + b','

    def encode_row(id: str, body: bytes) -> bytes:
        return b'{"custom_id":%b,%b"body":%b}' % (quote_json(id), where, body)

    return encode_row


def make_batch_api(*, endpoint: str, prefix: str = '', max_bytes: int) -> BatchApi:
    """Return the API of a vendor that has OpenAI's paths and fields, with `prefix` before each path."""

    def encode_job(file_id: str, model_name: str) -> Json:
        return {'input_file_id': file_id, 'endpoint': endpoint, 'completion_window': '24h'}

    def decode_job(body: Json) -> BatchJob:
        return _decode_job(body, f'{prefix}/files')

    return BatchApi(
        path=f'{prefix}/batches',
        job_path=f'{prefix}/batches/{{id}}',
        cancel_path=f'{prefix}/batches/{{id}}/cancel',
        max_requests=50_000,
        max_bytes=max_bytes,
        id_pattern='.{1,512}',  # the vendors document no limit; metadata values have this one
        encode_row=make_row_encoder(endpoint),
        encode_job=encode_job,
        upload=Upload(f'{prefix}/files', f'{prefix}/files/{{id}}', FORM),
        decode_job=decode_job,
        decode_row=decode_row,
    )


def _decode_job(body: Json, files: str) -> BatchJob:
    word = get_text(body, 'status')
    counts: Mapping[str, Any] = body.get('request_counts') or {}
    errors: Mapping[str, Any] = body.get('errors') or {}
    results = [body.get('output_file_id'), body.get('error_file_id')]
    stored = [body.get('input_file_id'), *results]
    return BatchJob(
        id=get_text(body, 'id'),
        status=STATUSES.get(word, 'running'),
        vendor_status=word,
        counts=BatchCounts(
            total=counts.get('total') or 0, succeeded=counts.get('completed') or 0, failed=counts.get('failed') or 0
        ),
        result_paths=tuple(f'{files}/{id}/content' for id in results if id),
        stored_paths=tuple(f'{files}/{id}' for id in stored if id),
        errors=errors.get('data') or (),
    )


def decode_row(row: Json) -> BatchRow:
    """Decode a line of a file of results, or of errors."""
    id = str(row.get('custom_id') or '')
    response: Json = row.get('response') or {}
    error: object = row.get('error')
    status, body = response.get('status_code'), response.get('body')
    code = cast('Json', error).get('code') if isinstance(error, dict) else None
    if isinstance(code, str) and code in UNANSWERED:
        return BatchRow(id=id, outcome='expired' if UNANSWERED[code] == 'expired' else 'cancelled')
    failed_status = status if isinstance(status, int) and status >= 400 else None
    if failed_status is None and not error and isinstance(body, dict):
        return BatchRow(id=id, outcome='response', body=cast('Json', body), request_id=response.get('request_id'))
    return BatchRow(
        id=id,
        outcome='error',
        body=cast('Json', body) if isinstance(body, dict) and body else {'error': error or body},
        status=failed_status,
        request_id=response.get('request_id'),
    )
