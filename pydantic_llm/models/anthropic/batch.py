"""Anthropic's Message Batches API, which takes all requests at once.

https://platform.claude.com/docs/en/build-with-claude/batch-processing
The types of its bodies are in `anthropic.types.messages`: `MessageBatch`, `MessageBatchIndividualResponse`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ...json_types import Json
from ...wire.batch_api import BatchApi, BatchCounts, BatchJob, BatchRow, BatchStatus, InlineRows, get_text, quote_json

__all__ = ('BATCHES',)

PATH = '/v1/messages/batches'

STATUSES: dict[str, BatchStatus] = {'in_progress': 'running', 'canceling': 'cancelling'}
"""The states before the end of a batch -> ours."""

MAX_BYTES = 256_000_000
"""256 MB, with at most 100,000 requests, are the limit of a batch."""


def encode_row(id: str, body: bytes) -> bytes:
    """Return a request of a batch."""
    return b'{"custom_id":%b,"params":%b}' % (quote_json(id), body)


def decode_job(body: Json) -> BatchJob:
    """Decode a batch. Its results are at a fixed path below the base URL, which `results_url` names too."""
    word, id = get_text(body, 'processing_status'), get_text(body, 'id')
    counts: Mapping[str, Any] = body.get('request_counts') or {}
    unfinished = [counts.get(name) or 0 for name in ('errored', 'canceled', 'expired')]
    path = f'{PATH}/{id}'
    has_results = word == 'ended' and body.get('archived_at') is None
    return BatchJob(
        id=id,
        status=STATUSES.get(word, 'running') if word != 'ended' else _find_end(body, counts),
        vendor_status=word,
        counts=BatchCounts(
            total=sum(count for count in counts.values() if isinstance(count, int)),
            succeeded=counts.get('succeeded') or 0,
            failed=sum(unfinished),
        ),
        result_paths=(f'{path}/results',) if has_results else (),
        stored_paths=(path,),
    )


def _find_end(body: Json, counts: Mapping[str, Any]) -> BatchStatus:
    """Return how a batch ended, which the API calls `ended` in every case."""
    if body.get('cancel_initiated_at') and counts.get('canceled'):
        return 'cancelled'
    return 'expired' if counts.get('expired') else 'completed'


def decode_row(row: Json) -> BatchRow:
    """Decode a line of the results."""
    id, result = str(row.get('custom_id') or ''), cast('Json', row['result'])
    match result:
        case {'type': 'succeeded'}:
            return BatchRow(id=id, outcome='response', body=result['message'])
        case {'type': 'canceled'}:
            return BatchRow(id=id, outcome='cancelled')
        case {'type': 'expired'}:
            return BatchRow(id=id, outcome='expired')
        case _:
            return BatchRow(id=id, outcome='error', body=result.get('error') or result)


BATCHES = BatchApi(
    path=PATH,
    job_path=f'{PATH}/{{id}}',
    cancel_path=f'{PATH}/{{id}}/cancel',
    max_requests=100_000,
    max_bytes=MAX_BYTES,
    id_pattern=r'[a-zA-Z0-9_-]{1,64}',  # anthropic-sdk-python#984: at most 64 characters
    inline=InlineRows(encode_row=encode_row, before=b'{"requests":[', after=b']}', max_bytes=MAX_BYTES),
    decode_job=decode_job,
    decode_row=decode_row,
    joined_headers=frozenset({'anthropic-beta'}),
)
"""Anthropic's batches of requests."""
