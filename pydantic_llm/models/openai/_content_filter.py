"""An answer that a content filter held back, told of by an error: by Azure, and by servers that stand before it.

Elsewhere such an answer is no error but one that ends for `content_filter`, and that is what becomes of it here.
"""

from __future__ import annotations

from typing import Any

from ...json_types import Json
from ...messages import FinishReason
from ...streaming.draft import ResponseDraft

REASONS: dict[str, FinishReason] = {'content_filter': 'content_filter'}
"""The error's code, which is also the API's word for such an end."""


def is_filtered(body: object) -> bool:
    """Whether this error says that a content filter held the answer back."""
    return _error_in(body) is not None


def decode_filtered(event: Json, draft: ResponseDraft) -> bool:
    """Whether this error says so. The draft is complete then, and holds the filter's verdicts under the API's names."""
    if (error := _error_in(event)) is None:
        return False
    inner: Json = error.get('innererror') or {}
    verdicts = inner.get('content_filter_result') or inner.get('content_filter_results')
    said = {
        'content_filter_results': verdicts,
        'content_filters': error.get('content_filters'),
        'message': error.get('message'),
    }
    draft.provider_details.update({name: value for name, value in said.items() if value})
    draft.finish(error['code'], REASONS)
    draft.state = 'complete'
    return True


def _error_in(body: Any) -> Json | None:
    match body:
        case {'error': {'code': 'content_filter'}}:
            error: Json = body['error']
            return error
        case {'type': 'error', 'code': 'content_filter'}:
            event: Json = body
            return event
        case _:
            return None
