"""Turns a vendor's HTTP error into an exception: one mapping for every vendor, in responses and inside streams. Pure.

Start at `error_from_response`, `error_from_event` or `error_from_invalid_json`. The error's type, code and message
decide (`error_wording` has the words): a 400 for a conversation that is too long, a 429 for an account without credit.
If they show nothing, and for clear statuses, the status decides. Connection errors and timeouts are in `client_errors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import inf
from typing import Any, NamedTuple, cast

from ..exceptions import (
    AuthenticationError,
    ContentFilterHTTPError,
    ContextLengthError,
    ModelAPIError,
    ModelHTTPError,
    NotFoundError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
)
from ..json_types import parse_json
from ..messages.headers import ResponseHeaders, find_request_id
from ..rate_limits import seconds_until_reset
from .error_wording import classify
from .failure_reasons import summarize_page

__all__ = ('RETRY_INFO', 'error_from_event', 'error_from_invalid_json', 'error_from_response')

ERROR_BY_STATUS: dict[int, type[ModelHTTPError]] = {
    401: AuthenticationError,
    402: QuotaExceededError,
    403: AuthenticationError,
    404: NotFoundError,
    429: RateLimitError,
    503: OverloadedError,
    529: OverloadedError,  # Anthropic: https://docs.claude.com/en/api/errors
}

CLEAR_STATUSES = frozenset({401, 404})
"""The statuses of one kind of error each. Under any other status, the words decide."""

STATUS_BY_ERROR: dict[type[ModelHTTPError], int] = {
    ContextLengthError: 400,
    ContentFilterHTTPError: 400,
    AuthenticationError: 401,
    NotFoundError: 404,
    RateLimitError: 429,
    QuotaExceededError: 429,
    OverloadedError: 503,
}
"""The status of an error inside a stream that has none, and whose words are known."""

STATUS_BY_TYPE: dict[str, int] = {
    # Anthropic: https://docs.claude.com/en/api/errors; OpenAI uses some of these types too
    'invalid_request_error': 400,
    'authentication_error': 401,
    'billing_error': 402,
    'permission_error': 403,
    'not_found_error': 404,
    'conflict_error': 409,
    'request_too_large': 413,
    'rate_limit_error': 429,
    'api_error': 500,
    'timeout_error': 504,
    'overloaded_error': 529,
    # OpenAI and compatible services
    'context_length_exceeded': 400,
    'insufficient_quota': 429,
    'rate_limit_exceeded': 429,
    'too_many_requests': 429,
    'server_error': 500,
    'internal_server_error': 500,
    'service_unavailable': 503,
    'service_unavailable_error': 503,
    'server_is_overloaded': 503,
    # Hugging Face's Text Generation Inference: `_parse_text_generation_error` in huggingface_hub/inference/_common.py
    'validation': 422,
    'generation': 424,
    'incomplete_generation': 500,
    'overloaded': 503,
}
"""The status of an error inside a stream, whose own status was 200."""

CODE_FIELDS = ('code', 'type', 'status', 'status_code', 'error_type', 'http_status_code')
"""The fields of error bodies that hold a type or a status. The last two are Hugging Face's."""

LONGEST_WAIT = 366 * 86_400.0
"""The longest delay before the next attempt that an error reports, in seconds. Servers send years, and infinity."""

QUOTED_CHARACTERS = 1000
"""The most characters of the vendor's message, and of its codes and types, that a message contains."""

STATUS_DIGITS = 3
"""The number of digits of an HTTP status."""

AMAZON_TYPE_HEADER = 'x-amzn-errortype'
"""Amazon's header with the type of the error: a name, a colon and a URL."""

SHOULD_RETRY = {'true': True, 'false': False}
"""The values of `x-should-retry`, which overrides the status. The SDKs of OpenAI and Anthropic obey it too
(`_should_retry` in openai/_base_client.py)."""

USELESS_TO_RETRY = (QuotaExceededError, ContextLengthError, ContentFilterHTTPError)
"""The errors that the same request causes again."""

RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo'
"""The type of the error detail in which Google gives the delay before the next attempt: https://google.aip.dev/193."""

ERROR_INFO = 'type.googleapis.com/google.rpc.ErrorInfo'
"""The type of the error detail in which Google gives the reason: https://google.aip.dev/193."""


class _ErrorBody(NamedTuple):
    """The facts in the body of an error."""

    message: str
    kinds: tuple[str, ...]
    """The error's codes, types and reasons, most specific first."""
    status: int | None
    request_id: str | None
    retry_after: float | None
    """The delay before the next attempt, in seconds."""

    @property
    def text(self) -> str:
        """The codes, types, reasons and the message, to search for words."""
        return ' '.join((*self.kinds, self.message))


def error_from_response(
    status: int, headers: Mapping[str, str], body: bytes, *, model_name: str, provider_name: str | None
) -> ModelHTTPError:
    """Return the exception for a response with an error status."""
    parsed = _parse_body(body)
    own = dict(ResponseHeaders({name.lower(): value for name, value in headers.items()}))
    error = _decode_error_body(parsed)
    if name := own.get(AMAZON_TYPE_HEADER, '').partition(':')[0]:
        error = error._replace(kinds=(name, *error.kinds))
    retry_after = _check_seconds(_read_retry_after(own))
    kind = _choose_error(status, error, has_retry_after=retry_after is not None or error.retry_after is not None)
    busy = kind is OverloadedError
    return kind(
        status,
        model_name,
        parsed,
        message=_format_message(status, model_name, error),
        provider_name=provider_name,
        headers=own,
        request_id=find_request_id(own) or error.request_id,
        retry_after=error.retry_after if retry_after is None else retry_after,
        retryable=False if kind in USELESS_TO_RETRY else SHOULD_RETRY.get(own.get('x-should-retry', ''), busy or None),
    )


def error_from_event(event: object, *, model_name: str, provider_name: str | None) -> ModelAPIError:
    """Return the exception for an error inside a stream, or inside a body with a success status."""
    error = _decode_error_body(event)
    status = error.status or next((STATUS_BY_TYPE[kind] for kind in error.kinds if kind in STATUS_BY_TYPE), None)
    status = status or STATUS_BY_ERROR.get(classify(error.text) or ModelHTTPError)
    if status is None:
        text = (error.message or repr(event))[:QUOTED_CHARACTERS]
        return ModelAPIError(model_name, f'{model_name} failed: {text}', provider_name=provider_name)
    kind = _choose_error(status, error, has_retry_after=error.retry_after is not None)
    return kind(
        status,
        model_name,
        event,
        message=_format_message(status, model_name, error),
        provider_name=provider_name,
        request_id=error.request_id,
        retry_after=error.retry_after,
        retryable=False if kind in USELESS_TO_RETRY else None,
        in_stream=True,
    )


def error_from_invalid_json(body: bytes, *, model_name: str, provider_name: str | None) -> ModelAPIError:
    """Return the exception for a success status with a truncated or invalid JSON body."""
    start = body[:200].decode('utf-8', 'replace')
    message = f'{model_name} answered with a body that is not whole JSON ({len(body)} bytes): {start!r}'
    return ModelAPIError(model_name, message, provider_name=provider_name, retryable=True)


def _parse_body(body: bytes) -> object:
    """Return the parsed JSON, the text if it is not JSON, or `None` for an empty body."""
    try:
        return parse_json(body)
    except ValueError:
        return body.decode('utf-8', 'replace') or None


def _decode_error_body(body: object) -> _ErrorBody:
    """Decode an error body of any vendor.

    OpenAI: `{error: {message, type, code}}`, OpenRouter with a number as `code`; Anthropic:
    `{error: {type, message}, request_id}`; Google: `{error: {code, message, status, details}}`, sometimes in a list;
    Bedrock: `{message}`.
    """
    if isinstance(body, list):
        return _decode_error_body(next(iter(cast('list[object]', body)), None))
    if not isinstance(body, dict):
        return _ErrorBody('' if body is None else str(body), (), None, None, None)
    outer = cast('dict[str, Any]', body)
    error: Any = outer.get('error', outer)
    if isinstance(error, dict) and isinstance(nested := cast('dict[str, Any]', error).get('error'), dict):
        error = cast('dict[str, Any]', nested)  # OpenRouter: tailcallhq/forgecode#571
    inner: dict[str, Any] = cast('dict[str, Any]', error) if isinstance(error, dict) else {'message': error}
    codes: list[object] = [inner.get(name, outer.get(name)) for name in CODE_FIELDS]
    details: object = inner.get('details')
    retry_after = _parse_seconds(next(_read_google_details(details, RETRY_INFO, 'retryDelay'), '').removesuffix('s'))
    request_id: object = outer.get('request_id')
    message: object = inner.get('message') or outer.get('message') or outer.get('detail') or ''
    return _ErrorBody(
        _format_error_text(message) + _format_upstream_error(inner.get('metadata')),
        (*(code for code in codes if isinstance(code, str)), *_read_google_details(details, ERROR_INFO, 'reason')),
        next((status for status in map(_read_status, codes) if status), None),
        request_id if isinstance(request_id, str) else None,
        # Hugging Face's `estimated_time`: the seconds until a model is loaded
        _check_seconds(outer.get('estimated_time')) if retry_after is None else retry_after,
    )


def _format_error_text(message: object) -> str:
    """Return a message as text. FastAPI's validation errors are a list of fields with one message each."""
    match message:
        case str():
            return message
        case dict():
            fields = cast('dict[str, object]', message)
            return _format_error_text(fields['detail']) if 'detail' in fields else repr(fields)
        case list():
            mistakes = filter(None, map(_format_field_error, cast('list[object]', message)))
            return '; '.join(mistakes) or repr(cast('object', message))
        case _:
            return repr(message)


def _format_upstream_error(metadata: object) -> str:
    """Return what OpenRouter knows of the upstream vendor's error; its own message is "Provider returned error".

    https://openrouter.ai/docs/api-reference/errors, OpenRouterTeam/ai-sdk-provider#428
    """
    raw = cast('dict[str, object]', metadata).get('raw') if isinstance(metadata, dict) else None
    match raw:
        case None | '':
            return ''
        case str():
            return f': {raw}'
        case _:
            return f': {raw!r}'


def _format_field_error(item: object) -> str | None:
    match item:
        case {'loc': list(), 'msg': str() as text}:
            return f'{".".join(map(str, cast("dict[str, Any]", item)["loc"]))}: {text}'
        case _:
            return None


def _read_status(code: object) -> int | None:
    # Python refuses to read a number of more than 4,300 digits
    number = int(code) if isinstance(code, str) and len(code) <= STATUS_DIGITS and code.isdecimal() else code
    return number if isinstance(number, int) and 400 <= number <= 599 else None


def _choose_error(status: int, error: _ErrorBody, *, has_retry_after: bool) -> type[ModelHTTPError]:
    """Return the exception class for a status and an error body."""
    kind = ERROR_BY_STATUS.get(status, ModelHTTPError)
    if status not in CLEAR_STATUSES and (known := classify(error.text)) not in (None, ModelHTTPError):
        kind = known
    # Google calls a limit per minute a quota too, and then sends a retry delay: https://google.aip.dev/193
    return RateLimitError if status == 429 and kind is QuotaExceededError and has_retry_after else kind


def _format_message(status: int, model_name: str, error: _ErrorBody) -> str:
    kinds = ', '.join(dict.fromkeys(error.kinds))[:QUOTED_CHARACTERS]
    text = summarize_page(error.message.strip())[:QUOTED_CHARACTERS] or 'no explanation'
    return f'{model_name} answered {status}{f" ({kinds})" if kinds else ""}: {text}'


def _read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return seconds from `retry-after-ms`, `retry-after` (seconds or a date), or the reset of a reached rate limit."""
    milliseconds = _parse_seconds(headers.get('retry-after-ms'))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get('retry-after')
    if value is None:
        return seconds_until_reset(headers)
    seconds = _parse_seconds(value)
    return _count_seconds_until(value) if seconds is None else seconds


def _read_google_details(details: object, kind: str, key: str) -> Iterator[str]:
    """Yield one field of the details whose `@type` is `kind`."""
    for item in cast('list[object]', details) if isinstance(details, list) else []:
        fields = cast('dict[str, object]', item) if isinstance(item, dict) else {}
        if fields.get('@type') == kind and isinstance(value := fields.get(key), str):
            yield value


def _parse_seconds(text: str | None) -> float | None:
    try:
        return _check_seconds(float(text or ''))
    except ValueError:
        return None


def _check_seconds(number: object) -> float | None:
    """Return a finite number as seconds, from 0 to `LONGEST_WAIT`; `None` for anything else."""
    # comparisons, since `isfinite` raises `OverflowError` for an integer of 400 digits
    if isinstance(number, bool) or not isinstance(number, int | float) or not -inf < number < inf:
        return None
    return float(min(max(number, 0), LONGEST_WAIT))


def _count_seconds_until(date: str) -> float | None:
    try:
        when = parsedate_to_datetime(date)
    except ValueError:
        return None
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)  # RFC 5322: `-0000` is UTC too
    return max((aware - datetime.now(UTC)).total_seconds(), 0.0)
