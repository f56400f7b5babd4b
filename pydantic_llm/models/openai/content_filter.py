"""Decodes the error by which Azure, and gateways in front of it, report a response that a content filter blocked.

Other servers send such a response with the finish reason `content_filter`; here it becomes the same.
https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter
"""

from __future__ import annotations

from typing import Any, cast

from ...json_types import Json
from ...messages import FinishReason
from ...streaming.draft import ResponseDraft

FINISH_REASONS: dict[str, FinishReason] = {'content_filter': 'content_filter'}
"""The error's code, which is also the API's finish reason."""


def is_content_filter_error(body: object) -> bool:
    """Return whether this error body reports that a content filter blocked the response."""
    return _find_error(body) is not None


def decode_content_filter_error(event: Json, draft: ResponseDraft) -> bool:
    """If this is a content filter's error, complete the draft with its verdicts; return whether it is."""
    if (error := _find_error(event)) is None:
        return False
    inner: Json = error.get('innererror') or {}
    verdicts = inner.get('content_filter_result') or inner.get('content_filter_results')
    details = {
        'content_filter_results': verdicts,
        'content_filters': error.get('content_filters'),
        'message': error.get('message'),
    }
    draft.provider_details.update({name: value for name, value in details.items() if value})
    draft.finish(error['code'], FINISH_REASONS)
    draft.state = 'complete'
    return True


def _find_error(body: Any) -> Json | None:
    match body:
        case {'error': {'code': 'content_filter'}}:
            return cast('Json', body['error'])
        case {'type': 'error', 'code': 'content_filter'}:
            return cast('Json', body)
        case _:
            return None
