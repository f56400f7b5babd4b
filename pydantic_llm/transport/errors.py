"""Status and body → exception, one mapping for every vendor, whole or inside a stream. Pure.

The status decides first; the vendor's own words only where the status leaves it open (a 400 for a conversation that is
too long, a 429 for an account without credit).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, cast

from pydantic_core import from_json

from ..exceptions import (
    AuthenticationError,
    ContextLengthError,
    ModelAPIError,
    ModelHTTPError,
    NotFoundError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
)

__all__ = ('error_from_answer', 'error_from_event', 'unreadable')

BY_STATUS: dict[int, type[ModelHTTPError]] = {
    401: AuthenticationError,
    402: QuotaExceededError,
    403: AuthenticationError,
    404: NotFoundError,
    429: RateLimitError,
    503: OverloadedError,
    529: OverloadedError,
}

BY_WORD: dict[str, type[ModelHTTPError]] = {
    'insufficient_quota': QuotaExceededError,
    'billing_hard_limit_reached': QuotaExceededError,
    'billing_error': QuotaExceededError,
    'credit balance is too low': QuotaExceededError,
    'exceeded your current quota': QuotaExceededError,
    'context_length_exceeded': ContextLengthError,
    'prompt is too long': ContextLengthError,
    'maximum context length': ContextLengthError,
    'context window': ContextLengthError,
    'model_not_found': NotFoundError,
    'overloaded_error': OverloadedError,
    'server_is_overloaded': OverloadedError,
}
"""What vendors write where their status says too little. Looked for in type, code and message, in this order."""

WORDS_MATTER_FOR = frozenset({400, 413, 422, 429, 500, 503, 529})
"""The statuses that several kinds of error share."""

STATUS_OF: dict[str, int] = {
    'invalid_request_error': 400,
    'context_length_exceeded': 400,
    'authentication_error': 401,
    'billing_error': 402,
    'insufficient_quota': 429,
    'permission_error': 403,
    'not_found_error': 404,
    'conflict_error': 409,
    'request_too_large': 413,
    'rate_limit_error': 429,
    'rate_limit_exceeded': 429,
    'too_many_requests': 429,
    'api_error': 500,
    'server_error': 500,
    'internal_server_error': 500,
    'service_unavailable': 503,
    'service_unavailable_error': 503,
    'server_is_overloaded': 503,
    'overloaded': 503,
    'timeout_error': 504,
    'overloaded_error': 529,
}
"""The status that stands for an error inside a stream that had begun with 200."""

REQUEST_ID_HEADERS = ('x-request-id', 'request-id', 'x-amzn-requestid', 'apim-request-id', 'x-typesense-request-id')
SECRET_HEADERS = frozenset({'set-cookie', 'authorization', 'x-api-key', 'api-key', 'cookie'})


class _Said(NamedTuple):
    """What a vendor says of an error."""

    message: str
    kinds: tuple[str, ...]
    status: int | None
    request_id: str | None


def error_from_answer(
    status: int, headers: Mapping[str, str], body: bytes, *, model_name: str, provider_name: str | None
) -> ModelHTTPError:
    """The exception for an answer with an error status."""
    parsed = _parse(body)
    said = _read(parsed)
    own = {name.lower(): value for name, value in headers.items() if name.lower() not in SECRET_HEADERS}
    kind = _kind(status, said)
    return kind(
        status,
        model_name,
        parsed,
        message=_sentence(status, model_name, said),
        provider_name=provider_name,
        headers=own,
        request_id=next((own[name] for name in REQUEST_ID_HEADERS if name in own), said.request_id),
        retry_after=_retry_after(own),
        retryable=False if kind in (QuotaExceededError, ContextLengthError) else None,
    )


def error_from_event(event: object, *, model_name: str, provider_name: str | None) -> ModelAPIError:
    """The exception for an error inside a stream, or inside a body with a good status."""
    said = _read(event)
    status = said.status or next((STATUS_OF[word] for word in said.kinds if word in STATUS_OF), None)
    if status is None:
        words = said.message or repr(event)
        return ModelAPIError(model_name, f'{model_name} failed: {words}', provider_name=provider_name)
    return _kind(status, said)(
        status,
        model_name,
        event,
        message=_sentence(status, model_name, said),
        provider_name=provider_name,
        request_id=said.request_id,
        in_stream=True,
    )


def unreadable(body: bytes, *, model_name: str, provider_name: str | None) -> ModelAPIError:
    """The exception for a good status with a body that was cut, or is no JSON though it says so."""
    start = body[:200].decode('utf-8', 'replace')
    message = f'{model_name} answered with a body that is not whole JSON ({len(body)} bytes): {start!r}'
    return ModelAPIError(model_name, message, provider_name=provider_name, retryable=True)


def _parse(body: bytes) -> object:
    try:
        return from_json(body)
    except ValueError:
        return body.decode('utf-8', 'replace') or None


def _read(body: object) -> _Said:
    """Find the vendor's words in any of the shapes that error bodies have."""
    if not isinstance(body, dict):
        return _Said(str(body or ''), (), None, None)
    outer = cast('dict[str, Any]', body)
    error: Any = outer.get('error', outer)
    inner: dict[str, Any] = cast('dict[str, Any]', error) if isinstance(error, dict) else {'message': error}
    codes = [inner.get(key, outer.get(key)) for key in ('code', 'type', 'status', 'status_code')]
    message = inner.get('message') or outer.get('message') or outer.get('detail') or ''
    return _Said(
        message if isinstance(message, str) else repr(message),
        tuple(code for code in codes if isinstance(code, str)),
        next((code for code in codes if _is_status(code)), None),
        _text(outer.get('request_id')),
    )


def _is_status(value: object) -> bool:
    return isinstance(value, int) and 400 <= value <= 599


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _kind(status: int, said: _Said) -> type[ModelHTTPError]:
    if status in WORDS_MATTER_FOR:
        words = ' '.join((*said.kinds, said.message)).lower()
        for word, kind in BY_WORD.items():
            if word in words:
                return kind
    return BY_STATUS.get(status, ModelHTTPError)


def _sentence(status: int, model_name: str, said: _Said) -> str:
    kinds = ', '.join(dict.fromkeys(said.kinds))
    words = said.message.strip()[:1000] or 'no explanation'
    return f'{model_name} answered {status}{f" ({kinds})" if kinds else ""}: {words}'


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from `retry-after-ms` or `retry-after`, which holds seconds or a date."""
    try:
        if (milliseconds := headers.get('retry-after-ms')) is not None:
            return max(float(milliseconds) / 1000, 0.0)
        value = headers.get('retry-after')
        return None if value is None else _seconds(value)
    except (ValueError, TypeError, OverflowError):
        return None


def _seconds(value: str) -> float:
    try:
        return max(float(value), 0.0)
    except ValueError:
        when = parsedate_to_datetime(value)
        return max((when - datetime.now(UTC)).total_seconds(), 0.0)
