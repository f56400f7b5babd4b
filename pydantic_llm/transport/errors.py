"""Status and body → exception, one mapping for every vendor, whole or inside a stream. Pure.

The status decides first; the vendor's own words only where the status leaves it open (a 400 for a conversation that is
too long, a 429 for an account without credit).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
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
from .rate_limits import seconds_until_reset

__all__ = ('RETRY_INFO', 'error_from_event', 'error_from_invalid_json', 'error_from_response')

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
    'api calls / month': QuotaExceededError,
    'context_length_exceeded': ContextLengthError,
    'prompt is too long': ContextLengthError,
    'maximum context length': ContextLengthError,
    'context window': ContextLengthError,
    'exceeds the maximum number of tokens': ContextLengthError,
    'input is too long': ContextLengthError,
    'tokens in the prompt cannot exceed': ContextLengthError,
    'size limit exceeded by': ContextLengthError,
    'api_key_invalid': AuthenticationError,
    'model_not_found': NotFoundError,
    'model identifier is invalid': NotFoundError,
    'servicequotaexceeded': QuotaExceededError,
    'overloaded_error': OverloadedError,
    'server_is_overloaded': OverloadedError,
    'capacity_exceeded': OverloadedError,
}
"""What vendors write where their status says too little. Looked for in type, code and message, in this order."""

WORDS_MATTER_FOR = frozenset({400, 413, 422, 429, 498, 500, 503, 529})
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
    'validation': 422,
    'generation': 424,
    'rate_limit_error': 429,
    'rate_limit_exceeded': 429,
    'too_many_requests': 429,
    'api_error': 500,
    'server_error': 500,
    'internal_server_error': 500,
    'incomplete_generation': 500,
    'service_unavailable': 503,
    'service_unavailable_error': 503,
    'server_is_overloaded': 503,
    'overloaded': 503,
    'timeout_error': 504,
    'overloaded_error': 529,
}
"""The status that stands for an error inside a stream that had begun with 200."""

CODES = ('code', 'type', 'status', 'status_code', 'error_type', 'http_status_code')
"""Where error bodies have a kind or a status; the last two are Hugging Face's."""

TYPE_HEADER = 'x-amzn-errortype'
"""Where Amazon's servers say what kind of error it is: the name, a colon and an address."""

REQUEST_ID_HEADERS = ('x-request-id', 'request-id', 'x-amzn-requestid', 'apim-request-id', 'x-typesense-request-id')
"""Where vendors put their id of an exchange."""

SECRET_HEADERS = frozenset(
    {'set-cookie', 'cookie', 'authorization', 'proxy-authorization', 'x-api-key', 'api-key', 'x-goog-api-key'}
)
"""What an exception must not show, should a server send it back."""

SHOULD_RETRY = {'true': True, 'false': False}
"""The values of `x-should-retry`, by which a vendor says more than its status does."""

USELESS_TO_RETRY = (QuotaExceededError, ContextLengthError)
"""Errors that stay as long as the request does."""

RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo'
"""The type of the error detail in which Google gives the delay before the next attempt: https://google.aip.dev/193."""

ERROR_INFO = 'type.googleapis.com/google.rpc.ErrorInfo'
"""The type of the error detail in which Google gives the reason: https://google.aip.dev/193."""


class _Said(NamedTuple):
    """What a vendor says of an error."""

    message: str
    kinds: tuple[str, ...]
    status: int | None
    request_id: str | None
    retry_after: float | None


def error_from_response(
    status: int, headers: Mapping[str, str], body: bytes, *, model_name: str, provider_name: str | None
) -> ModelHTTPError:
    """The exception for an answer with an error status."""
    parsed = _parse(body)
    own = {name.lower(): value for name, value in headers.items() if name.lower() not in SECRET_HEADERS}
    said = _read(parsed)
    if name := own.get(TYPE_HEADER, '').partition(':')[0]:
        said = said._replace(kinds=(name, *said.kinds))
    retry_after = _retry_after(own)
    kind = _kind(status, said, waiting_helps=retry_after is not None or said.retry_after is not None)
    busy = kind is OverloadedError
    return kind(
        status,
        model_name,
        parsed,
        message=_sentence(status, model_name, said),
        provider_name=provider_name,
        headers=own,
        request_id=next((own[name] for name in REQUEST_ID_HEADERS if name in own), said.request_id),
        retry_after=said.retry_after if retry_after is None else retry_after,
        retryable=False if kind in USELESS_TO_RETRY else SHOULD_RETRY.get(own.get('x-should-retry', ''), busy or None),
    )


def error_from_event(event: object, *, model_name: str, provider_name: str | None) -> ModelAPIError:
    """The exception for an error inside a stream, or inside a body with a good status."""
    said = _read(event)
    status = said.status or next((STATUS_OF[word] for word in said.kinds if word in STATUS_OF), None)
    if status is None:
        words = said.message or repr(event)
        return ModelAPIError(model_name, f'{model_name} failed: {words}', provider_name=provider_name)
    kind = _kind(status, said, waiting_helps=said.retry_after is not None)
    return kind(
        status,
        model_name,
        event,
        message=_sentence(status, model_name, said),
        provider_name=provider_name,
        request_id=said.request_id,
        retry_after=said.retry_after,
        retryable=False if kind in USELESS_TO_RETRY else None,
        in_stream=True,
    )


def error_from_invalid_json(body: bytes, *, model_name: str, provider_name: str | None) -> ModelAPIError:
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
    if isinstance(body, list):
        return _read(next(iter(cast('list[object]', body)), None))
    if not isinstance(body, dict):
        return _Said('' if body is None else str(body), (), None, None, None)
    outer = cast('dict[str, Any]', body)
    error: Any = outer.get('error', outer)
    inner: dict[str, Any] = cast('dict[str, Any]', error) if isinstance(error, dict) else {'message': error}
    codes: list[object] = [inner.get(key, outer.get(key)) for key in CODES]
    wait = _retry_info(inner.get('details'))
    message: object = inner.get('message') or outer.get('message') or outer.get('detail') or ''
    return _Said(
        _words(message),
        (*(code for code in codes if isinstance(code, str)), *_reasons(inner.get('details'))),
        next((status for status in map(_status, codes) if status), None),
        _text(outer.get('request_id')),
        _time(outer.get('estimated_time')) if wait is None else wait,
    )


def _words(message: object) -> str:
    """A message as text, also where it lists what is wrong with the fields of the request, as FastAPI does."""
    match message:
        case str():
            return message
        case dict():
            fields = cast('dict[str, object]', message)
            return _words(fields['detail']) if 'detail' in fields else repr(fields)
        case list():
            mistakes = filter(None, map(_mistake, cast('list[object]', message)))
            return '; '.join(mistakes) or repr(cast('object', message))
        case _:
            return repr(message)


def _mistake(item: object) -> str | None:
    match item:
        case {'loc': list(), 'msg': str() as said}:
            return f'{".".join(map(str, cast("dict[str, Any]", item)["loc"]))}: {said}'
        case _:
            return None


def _status(code: object) -> int | None:
    number = int(code) if isinstance(code, str) and code.isdecimal() else code
    return number if isinstance(number, int) and 400 <= number <= 599 else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _kind(status: int, said: _Said, *, waiting_helps: bool) -> type[ModelHTTPError]:
    """What kind of error it is. Google calls a limit per minute a quota too, and then says how long to wait."""
    kind = BY_STATUS.get(status, ModelHTTPError)
    if status in WORDS_MATTER_FOR:
        words = ' '.join((*said.kinds, said.message)).lower()
        kind = next((kind for word, kind in BY_WORD.items() if word in words), kind)
    return RateLimitError if status == 429 and kind is QuotaExceededError and waiting_helps else kind


def _sentence(status: int, model_name: str, said: _Said) -> str:
    kinds = ', '.join(dict.fromkeys(said.kinds))
    words = said.message.strip()[:1000] or 'no explanation'
    return f'{model_name} answered {status}{f" ({kinds})" if kinds else ""}: {words}'


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from `retry-after-ms`; or `retry-after`, which holds seconds or a date; or when a limit is reset."""
    milliseconds = _number(headers.get('retry-after-ms'))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get('retry-after')
    if value is None:
        return seconds_until_reset(headers)
    seconds = _number(value)
    return _until(value) if seconds is None else seconds


def _retry_info(details: object) -> float | None:
    """Seconds, from the `'34.5s'` of Google's retry info."""
    for item in _list(details):
        match item:
            case {'@type': str() as kind, 'retryDelay': str() as delay} if kind == RETRY_INFO:
                return _number(delay.removesuffix('s'))
            case _:
                pass
    return None


def _reasons(details: object) -> Iterator[str]:
    """What kind of error it is, from Google's error info."""
    for item in _list(details):
        match item:
            case {'@type': str() as kind, 'reason': str() as reason} if kind == ERROR_INFO:
                yield reason
            case _:
                pass


def _list(value: object) -> list[object]:
    return cast('list[object]', value) if isinstance(value, list) else []


def _number(text: str | None) -> float | None:
    """A number that is a time to wait; none is below 0."""
    try:
        return _time(float(text or ''))
    except ValueError:
        return None


def _time(number: object) -> float | None:
    if isinstance(number, bool) or not isinstance(number, int | float) or not isfinite(number):
        return None
    return max(float(number), 0.0)


def _until(date: str) -> float | None:
    try:
        when = parsedate_to_datetime(date)
    except ValueError:
        return None
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)  # `-0000` is UTC too, says RFC 5322
    return max((aware - datetime.now(UTC)).total_seconds(), 0.0)
