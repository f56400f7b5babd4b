"""The forms of rows, jobs and files in each vendor's batch API: `DIALECTS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from typing import Literal, cast

from ...exceptions import UserError
from ...json_types import Json
from .store import Job, JobStatus, StoredFile

__all__ = ('DIALECTS', 'Dialect', 'Unrun', 'check_row', 'encode_file', 'encode_gemini_file')

Unrun = Literal['expired', 'cancelled']
"""The reason why a request was not run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The forms of one vendor."""

    name: str
    id_prefix: str
    """The start of the ids of batches."""
    decode_row: Callable[[Json], tuple[object, object]]
    """Row -> the id and the body of a request, which the runner checks."""
    encode_result: Callable[[str, int, Json], Json]
    """The id, the HTTP status and the body of a response or an error -> row."""
    encode_unrun: Callable[[str, Unrun], Json]
    """The id of a request that was not run -> row."""
    encode_job: Callable[[Job, str], Json]
    """Job, and the URL of the server -> body."""
    has_error_file: bool = False
    """True if rows without a response are in a file of their own."""


# ---------------------------------------------------------------------- OpenAI, Azure, Groq

UNRUN_ERRORS: dict[Unrun, Json] = {
    'expired': {'code': 'batch_expired', 'message': 'The request was not run before the batch expired.'},
    'cancelled': {'code': 'batch_cancelled', 'message': 'The request was not run, since the batch was cancelled.'},
}
"""https://platform.openai.com/docs/api-reference/batch/request-output"""


def _decode_openai_row(row: Json) -> tuple[object, object]:
    return row.get('custom_id'), row.get('body')


def _encode_openai_result(id: str, status: int, body: Json) -> Json:
    response = {'status_code': status, 'request_id': token_hex(16), 'body': body}
    return {'id': f'batch_req_{token_hex(8)}', 'custom_id': id, 'response': response, 'error': None}


def _encode_openai_unrun(id: str, reason: Unrun) -> Json:
    return {'id': f'batch_req_{token_hex(8)}', 'custom_id': id, 'response': None, 'error': UNRUN_ERRORS[reason]}


def _encode_openai_job(job: Job, url: str) -> Json:
    """Encode a job as `openai.types.Batch`."""
    ends: dict[JobStatus, str] = {
        'completed': 'completed_at',
        'failed': 'failed_at',
        'expired': 'expired_at',
        'cancelled': 'cancelled_at',
    }
    times = {ends[job.status]: _drop_fraction(job.ended)} if job.status in ends else {}
    return {
        'id': job.id,
        'object': 'batch',
        'endpoint': job.details.get('endpoint'),
        'errors': {'object': 'list', 'data': job.errors} if job.errors else None,
        'input_file_id': job.input_file,
        'completion_window': job.details.get('completion_window', '24h'),
        'status': job.status,
        'output_file_id': job.output_file if job.has_ended else None,
        'error_file_id': job.error_file if job.has_ended else None,
        'created_at': int(job.created),
        'expires_at': int(job.expires),
        'in_progress_at': _drop_fraction(job.started),
        'cancelling_at': _drop_fraction(job.cancelling),
        'metadata': job.details.get('metadata'),
        'request_counts': {'total': job.total, 'completed': job.succeeded, 'failed': job.failed},
        **times,
    }


def encode_file(file: StoredFile) -> Json:
    """Encode a file as `openai.types.FileObject`, with the fields that Mistral's clients need too."""
    return {
        'id': file.id,
        'object': 'file',
        'bytes': file.size,
        'size_bytes': file.size,
        'created_at': int(file.created),
        'filename': file.name,
        'purpose': file.purpose,
        'status': 'processed',
        'sample_type': 'batch_request' if file.purpose == 'batch' else 'batch_result',
        'source': 'upload',
    }


# ---------------------------------------------------------------------- Mistral

MISTRAL_STATUSES: dict[JobStatus, str] = {
    'validating': 'QUEUED',
    'in_progress': 'RUNNING',
    'cancelling': 'CANCELLATION_REQUESTED',
    'completed': 'SUCCESS',
    'failed': 'FAILED',
    'expired': 'TIMEOUT_EXCEEDED',
    'cancelled': 'CANCELLED',
}


def _encode_mistral_job(job: Job, url: str) -> Json:
    """Encode a job as `mistralai.client.models.BatchJob`."""
    return {
        'id': job.id,
        'object': 'batch',
        'input_files': [job.input_file],
        'endpoint': job.details.get('endpoint'),
        'model': job.model,
        'metadata': job.details.get('metadata'),
        'errors': [{'message': error['message'], 'count': 1} for error in job.errors],
        'status': MISTRAL_STATUSES[job.status],
        'created_at': int(job.created),
        'started_at': _drop_fraction(job.started),
        'completed_at': _drop_fraction(job.ended),
        'total_requests': job.total,
        'completed_requests': job.succeeded + job.failed,
        'succeeded_requests': job.succeeded,
        'failed_requests': job.failed,
        'output_file': job.output_file if job.has_ended else None,
        'error_file': job.error_file if job.has_ended else None,
    }


# ---------------------------------------------------------------------- Anthropic


def _decode_anthropic_row(row: Json) -> tuple[object, object]:
    return row.get('custom_id'), row.get('params')


def _encode_anthropic_result(id: str, status: int, body: Json) -> Json:
    result = {'type': 'succeeded', 'message': body} if status < 400 else {'type': 'errored', 'error': body}
    return {'custom_id': id, 'result': result}


def _encode_anthropic_unrun(id: str, reason: Unrun) -> Json:
    return {'custom_id': id, 'result': {'type': 'expired' if reason == 'expired' else 'canceled'}}


def _encode_anthropic_job(job: Job, url: str) -> Json:
    """Encode a job as `anthropic.types.messages.MessageBatch`. The counts are those at the end."""
    unfinished = 0 if job.has_ended else job.total
    counts = {'succeeded': job.succeeded, 'errored': job.errored, 'canceled': job.cancelled, 'expired': job.expired}
    word = 'ended' if job.has_ended else 'canceling' if job.status == 'cancelling' else 'in_progress'
    return {
        'id': job.id,
        'type': 'message_batch',
        'processing_status': word,
        'request_counts': {'processing': unfinished, **(counts if job.has_ended else dict.fromkeys(counts, 0))},
        'created_at': _format_time(job.created),
        'expires_at': _format_time(job.expires),
        'ended_at': _format_time(job.ended),
        'cancel_initiated_at': _format_time(job.cancelling),
        'archived_at': None,
        'results_url': f'{url}/v1/messages/batches/{job.id}/results' if job.has_ended else None,
    }


# ---------------------------------------------------------------------- Gemini

GEMINI_STATUSES: dict[JobStatus, str] = {
    'validating': 'BATCH_STATE_PENDING',
    'in_progress': 'BATCH_STATE_RUNNING',
    'cancelling': 'BATCH_STATE_RUNNING',
    'completed': 'BATCH_STATE_SUCCEEDED',
    'failed': 'BATCH_STATE_FAILED',
    'expired': 'BATCH_STATE_EXPIRED',
    'cancelled': 'BATCH_STATE_CANCELLED',
}

GEMINI_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 10, 429: 8, 499: 1, 501: 12, 503: 14, 504: 4}
"""HTTP statuses -> codes of errors: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto"""

INTERNAL, CANCELLED, DEADLINE_EXCEEDED = 13, 1, 4


def _decode_gemini_row(row: Json) -> tuple[object, object]:
    match row:
        case {'metadata': {'key': key}} if not row.get('key'):
            return key, row.get('request')
        case _:
            return row.get('key'), row.get('request')


def _encode_gemini_result(id: str, status: int, body: Json) -> Json:
    if status < 400:
        return {'key': id, 'response': body}
    message = body['error']['message']
    return {'key': id, 'error': {'code': GEMINI_CODES.get(status, INTERNAL), 'message': message}}


def _encode_gemini_unrun(id: str, reason: Unrun) -> Json:
    code = CANCELLED if reason == 'cancelled' else DEADLINE_EXCEEDED
    return {'key': id, 'error': {'code': code, 'message': f'The request was {reason}'}}


def _encode_gemini_job(job: Job, url: str) -> Json:
    """Encode a job as a `Operation` with a `GenerateContentBatch`. Results that are inline are added by the route.

    https://ai.google.dev/api/batch-api
    """
    counts = {'requestCount': job.total, 'successfulRequestCount': job.succeeded, 'failedRequestCount': job.failed}
    metadata: Json = {
        '@type': 'type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch',
        'model': f'models/{job.model}',
        'displayName': job.details.get('displayName'),
        'createTime': _format_time(job.created),
        'updateTime': _format_time(job.ended or job.started or job.created),
        'batchStats': {name: str(count) for name, count in counts.items()},
        'state': GEMINI_STATUSES[job.status],
        'name': f'batches/{job.id}',
    }
    body: Json = {'name': f'batches/{job.id}', 'metadata': metadata}
    if job.ended is not None:
        metadata['endTime'] = _format_time(job.ended)
        body['done'] = True
    if job.errors:
        body['error'] = {'code': 3, 'message': job.errors[0]['message']}
    if job.status == 'completed' and not job.details.get('inline'):
        body['response'] = metadata['output'] = {'responsesFile': f'files/{job.output_file}'}
    return body


def encode_gemini_file(file: StoredFile, url: str) -> Json:
    """Encode a file as Google's `File`: https://ai.google.dev/api/files#File."""
    return {
        'name': f'files/{file.id}',
        'displayName': file.name,
        'mimeType': file.content_type,
        'sizeBytes': str(file.size),
        'createTime': _format_time(file.created),
        'updateTime': _format_time(file.created),
        'uri': f'{url}/v1beta/files/{file.id}',
        'state': 'ACTIVE',
        'source': 'UPLOADED',
    }


# ---------------------------------------------------------------------- all


def check_row(dialect: Dialect, row: object) -> tuple[str, Json]:
    """Return the id and the body of a request in a file. Raises `UserError` if it is not a valid row."""
    if not isinstance(row, dict):
        raise UserError('The row is not a JSON object')
    id, body = dialect.decode_row(cast('Json', row))
    if not isinstance(id, str) or not id:
        raise UserError('The row has no id')
    if not isinstance(body, dict):
        raise UserError('The row has no request')
    return id, cast('Json', body)


def _drop_fraction(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)


def _format_time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat().replace('+00:00', 'Z')


OPENAI = Dialect(
    name='openai',
    id_prefix='batch_',
    decode_row=_decode_openai_row,
    encode_result=_encode_openai_result,
    encode_unrun=_encode_openai_unrun,
    encode_job=_encode_openai_job,
    has_error_file=True,
)

MISTRAL = Dialect(
    name='mistral',
    id_prefix='',
    decode_row=_decode_openai_row,
    encode_result=_encode_openai_result,
    encode_unrun=_encode_openai_unrun,
    encode_job=_encode_mistral_job,
    has_error_file=True,
)

ANTHROPIC = Dialect(
    name='anthropic',
    id_prefix='msgbatch_',
    decode_row=_decode_anthropic_row,
    encode_result=_encode_anthropic_result,
    encode_unrun=_encode_anthropic_unrun,
    encode_job=_encode_anthropic_job,
)

GEMINI = Dialect(
    name='gemini',
    id_prefix='',
    decode_row=_decode_gemini_row,
    encode_result=_encode_gemini_result,
    encode_unrun=_encode_gemini_unrun,
    encode_job=_encode_gemini_job,
)

DIALECTS: Mapping[str, Dialect] = {each.name: each for each in (OPENAI, MISTRAL, ANTHROPIC, GEMINI)}
"""The dialects by name."""
