"""Mistral's Batch API.

https://docs.mistral.ai/capabilities/batch

Its files are OpenAI's but for the method and the URL of each line; its jobs are `mistralai.client.models.BatchJob`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...json_types import Json
from ...wire.batch_api import BatchApi, BatchCounts, BatchJob, BatchStatus, Upload, get_text
from ...wire.batch_files import FORM, decode_row, make_row_encoder

__all__ = ('BATCHES',)

STATUSES: dict[str, BatchStatus] = {
    'QUEUED': 'pending',
    'RUNNING': 'running',
    'SUCCESS': 'completed',
    'FAILED': 'failed',
    'TIMEOUT_EXCEEDED': 'expired',
    'CANCELLATION_REQUESTED': 'cancelling',
    'CANCELLED': 'cancelled',
}
"""The states of a job (mistralai.client.models.BatchJobStatus) -> ours."""

FILES = '/v1/files'


def encode_job(file_id: str, model_name: str) -> Json:
    """Return the body of the request that creates a job (mistralai.client.models.CreateBatchJobRequest)."""
    return {'input_files': [file_id], 'endpoint': '/v1/chat/completions', 'model': model_name}


def decode_job(body: Json) -> BatchJob:
    """Decode a job."""
    word = get_text(body, 'status')
    results = [body.get('output_file'), body.get('error_file')]
    inputs: Sequence[Any] = body.get('input_files') or ()
    errors: Sequence[Json] = body.get('errors') or ()
    return BatchJob(
        id=get_text(body, 'id'),
        status=STATUSES.get(word, 'running'),
        vendor_status=word,
        counts=BatchCounts(
            total=body.get('total_requests') or 0,
            succeeded=body.get('succeeded_requests') or 0,
            failed=body.get('failed_requests') or 0,
        ),
        result_paths=tuple(f'{FILES}/{id}/content' for id in results if id),
        rows=body.get('outputs') or (),
        stored_paths=tuple(f'{FILES}/{id}' for id in (*inputs, *results) if id),
        # a job that ends well may report errors of single requests too
        errors=errors if word == 'FAILED' else (),
    )


BATCHES = BatchApi(
    path='/v1/batch/jobs',
    job_path='/v1/batch/jobs/{id}',
    cancel_path='/v1/batch/jobs/{id}/cancel',
    max_requests=100_000,  # https://docs.mistral.ai/resources/known-limitations
    max_bytes=512_000_000,
    id_pattern='.{1,512}',
    encode_row=make_row_encoder(None),
    encode_job=encode_job,
    upload=Upload(FILES, f'{FILES}/{{id}}', FORM),
    decode_job=decode_job,
    decode_row=decode_row,
)
"""Mistral's batches of requests."""
