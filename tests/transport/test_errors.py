from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx2
import pytest

from pydantic_llm.exceptions import (
    AuthenticationError,
    ContextLengthError,
    ModelAPIError,
    ModelHTTPError,
    NotFoundError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
)
from pydantic_llm.transport.errors import error_from_event, error_from_invalid_json, error_from_response


def make_error(status: int, body: Any = b'', **headers: str) -> ModelHTTPError:
    """Return the error for a response. A body that is not bytes becomes JSON; `_` in a header's name becomes `-`."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace('_', '-'): value for name, value in headers.items()}
    return error_from_response(status, named, content, model_name='m', provider_name='vendor')


def error_body(kind: str | None = None, message: str = 'No.', code: Any = None) -> dict[str, Any]:
    """Return an error body of the OpenAI family."""
    return {'error': {'message': message, 'type': kind, 'param': None, 'code': code}}


# ---------------------------------------------------------------------- which error


@pytest.mark.parametrize(
    ('status', 'kind', 'retryable'),
    [
        (400, ModelHTTPError, False),
        (401, AuthenticationError, False),
        (402, QuotaExceededError, False),
        (403, AuthenticationError, False),
        (404, NotFoundError, False),
        (408, ModelHTTPError, True),
        (409, ModelHTTPError, True),
        (413, ModelHTTPError, False),
        (422, ModelHTTPError, False),
        (429, RateLimitError, True),
        (499, ModelHTTPError, True),
        (500, ModelHTTPError, True),
        (502, ModelHTTPError, True),
        (503, OverloadedError, True),
        (504, ModelHTTPError, True),
        (529, OverloadedError, True),
        (307, ModelHTTPError, False),
    ],
)
def test_the_status_decides_the_error(status: int, kind: type[ModelHTTPError], retryable: bool) -> None:
    error = make_error(status, {'error': {'message': 'No.'}})
    assert (type(error), error.status_code, error.retryable) == (kind, status, retryable)


@pytest.mark.parametrize(
    ('status', 'body', 'kind', 'retryable'),
    [
        pytest.param(429, error_body('insufficient_quota'), QuotaExceededError, False, id='OpenAI has no credit'),
        pytest.param(
            429, error_body('requests', code='rate_limit_exceeded'), RateLimitError, True, id='OpenAI has a rate limit'
        ),
        pytest.param(
            400,
            error_body('invalid_request_error', code='context_length_exceeded'),
            ContextLengthError,
            False,
            id='OpenAI has a context limit',
        ),
        pytest.param(
            400,
            {'type': 'error', 'error': {'type': 'invalid_request_error', 'message': 'prompt is too long: 2 > 1'}},
            ContextLengthError,
            False,
            id='Anthropic has a context limit',
        ),
        pytest.param(
            400,
            {'type': 'error', 'error': {'type': 'invalid_request_error', 'message': 'Your credit balance is too low'}},
            QuotaExceededError,
            False,
            id='Anthropic has no credit',
        ),
        pytest.param(
            400,
            {'object': 'error', 'message': "This model's maximum context length is 9 tokens.", 'code': 400},
            ContextLengthError,
            False,
            id='vLLM has a context limit',
        ),
        pytest.param(400, error_body(code='model_not_found'), NotFoundError, False, id='an unknown model'),
        pytest.param(500, error_body('overloaded_error'), OverloadedError, True, id='the type is overloaded'),
        pytest.param(401, error_body('insufficient_quota'), AuthenticationError, False, id='the status is clear'),
        pytest.param(404, error_body(message='context window'), NotFoundError, False, id='the status is clear too'),
        pytest.param(
            429,
            {'error': {'code': 429, 'message': 'You exceeded your current quota', 'status': 'RESOURCE_EXHAUSTED'}},
            QuotaExceededError,
            False,
            id='Google has no quota',
        ),
    ],
)
def test_the_vendors_text_decides_if_the_status_is_ambiguous(
    status: int, body: Any, kind: type[ModelHTTPError], retryable: bool
) -> None:
    error = make_error(status, body)
    assert (type(error), error.retryable) == (kind, retryable)


def google_error(delay: str | None) -> dict[str, Any]:
    """Return Google's error for a reached limit, with the retry delay."""
    info = {'@type': 'type.googleapis.com/google.rpc.RetryInfo', **({'retryDelay': delay} if delay else {})}
    help_ = {'@type': 'type.googleapis.com/google.rpc.Help', 'links': []}
    error = {'code': 429, 'message': 'You exceeded your current quota', 'status': 'RESOURCE_EXHAUSTED'}
    return {'error': {**error, 'details': [help_, info]}}


def test_a_quota_with_a_retry_delay_is_a_rate_limit() -> None:
    error = make_error(429, google_error('34.5s'))
    assert (type(error), error.retry_after, error.retryable) == (RateLimitError, 34.5, True)


@pytest.mark.parametrize('delay', [None, 'soon', ''])
def test_a_quota_without_a_retry_delay_is_a_quota(delay: str | None) -> None:
    assert type(make_error(429, google_error(delay))) is QuotaExceededError


@pytest.mark.parametrize(('word', 'retryable'), [('true', True), ('false', False), ('perhaps', True)])
def test_x_should_retry_decides_about_retrying(word: str, retryable: bool) -> None:
    assert make_error(500, x_should_retry=word).retryable is retryable


def test_a_context_length_error_is_never_retryable() -> None:
    assert not make_error(400, error_body(code='context_length_exceeded'), x_should_retry='true').retryable


# ---------------------------------------------------------------------- the message and the headers


@pytest.mark.parametrize(
    ('body', 'message'),
    [
        (error_body('kind', 'Words.', 'code'), 'm answered 400 (code, kind): Words.'),
        ({'type': 'error', 'error': {'type': 'kind', 'message': 'Words.'}}, 'm answered 400 (kind): Words.'),
        ({'error': {'code': 400, 'message': 'Words.', 'status': 'INVALID'}}, 'm answered 400 (INVALID): Words.'),
        ([{'error': {'code': 400, 'message': 'Words.', 'status': 'INVALID'}}], 'm answered 400 (INVALID): Words.'),
        ({'message': 'Words.'}, 'm answered 400: Words.'),
        ({'detail': 'Words.'}, 'm answered 400: Words.'),
        (
            {'detail': [{'loc': ['body', 0], 'msg': 'Words.'}, {'loc': [], 'msg': 'A.'}]},
            'm answered 400: body.0: Words.; : A.',
        ),
        ({'message': {'detail': [{'loc': ['body'], 'msg': 'Words.'}]}}, 'm answered 400: body: Words.'),
        ({'error': 'Words.'}, 'm answered 400: Words.'),
        ({'error': ['Words.']}, "m answered 400: ['Words.']"),
        ({'error': None}, 'm answered 400: no explanation'),
        ({'error': {'message': None}}, 'm answered 400: no explanation'),
        ({'error': {'message': {'deep': 'Words.'}}}, "m answered 400: {'deep': 'Words.'}"),
        ({}, 'm answered 400: no explanation'),
        ([], 'm answered 400: no explanation'),
        (None, 'm answered 400: no explanation'),
        (b'', 'm answered 400: no explanation'),
        (b'Words.', 'm answered 400: Words.'),
        (b'  \n', 'm answered 400: no explanation'),
        ('Words.', 'm answered 400: Words.'),
        (17, 'm answered 400: 17'),
    ],
)
def test_an_error_contains_the_vendors_message_in_any_body(body: Any, message: str) -> None:
    assert str(make_error(400, body)) == message


def test_a_long_explanation_is_truncated_in_the_message_only() -> None:
    error = make_error(400, b'x' * 5000)
    assert str(error) == f'm answered 400: {"x" * 1000}'
    assert error.body == 'x' * 5000


def test_an_error_has_the_model_the_provider_and_the_response() -> None:
    error = make_error(418, error_body('teapot'), content_type='application/json')
    assert (error.model_name, error.provider_name, error.in_stream) == ('m', 'vendor', False)
    assert error.body == error_body('teapot')
    assert error.headers == {'content-type': 'application/json'}


@pytest.mark.parametrize(
    'name',
    'Set-Cookie Cookie Authorization Proxy-Authorization X-Api-Key Api-Key X-Goog-Api-Key'.split(),
)
def test_an_error_drops_headers_that_may_hold_a_secret(name: str) -> None:
    error = error_from_response(400, {name: 'secret', 'Via': 'x'}, b'', model_name='m', provider_name=None)
    assert error.headers == {'via': 'x'}
    assert 'secret' not in repr(error.__dict__)


def test_headers_of_an_http_library_are_read_in_any_case() -> None:
    headers = httpx2.Headers([('Retry-After', '3'), ('X-Request-ID', 'r1'), ('A', '1'), ('a', '2')])
    error = error_from_response(429, headers, b'', model_name='m', provider_name=None)
    assert (error.retry_after, error.request_id, error.headers['a']) == (3.0, 'r1', '1, 2')


@pytest.mark.parametrize('name', ['x-request-id', 'request-id', 'x-amzn-requestid', 'apim-request-id'])
def test_the_request_id_is_read_from_the_headers(name: str) -> None:
    error = error_from_response(500, {name: 'r1'}, b'{"request_id": "r2"}', model_name='m', provider_name=None)
    assert error.request_id == 'r1'


@pytest.mark.parametrize(('body', 'found'), [({'request_id': 'r2'}, 'r2'), ({'request_id': 5}, None), ([], None)])
def test_the_request_id_is_read_from_the_body(body: Any, found: str | None) -> None:
    assert make_error(500, body).request_id == found


# ---------------------------------------------------------------------- the retry delay


@pytest.mark.parametrize(
    ('headers', 'seconds'),
    [
        ({}, None),
        ({'retry_after': '7'}, 7.0),
        ({'retry_after': '0.5'}, 0.5),
        ({'retry_after': ' 7 '}, 7.0),
        ({'retry_after': '-3'}, 0.0),
        ({'retry_after': 'soon'}, None),
        ({'retry_after': ''}, None),
        ({'retry_after': 'nan'}, None),
        ({'retry_after': 'inf'}, None),
        ({'retry_after': '1e999'}, None),
        ({'retry_after_ms': '1500'}, 1.5),
        ({'retry_after_ms': '1500', 'retry_after': '7'}, 1.5),
        ({'retry_after_ms': 'soon', 'retry_after': '7'}, 7.0),
        ({'retry_after': 'Wed, 21 Oct 2015 07:28:00 GMT'}, 0.0),
        ({'retry_after': 'Wed, 99 Oct 2015 07:28:00 GMT'}, None),
    ],
)
def test_the_retry_delay_is_read_from_the_headers(headers: dict[str, str], seconds: float | None) -> None:
    assert make_error(429, **headers).retry_after == seconds


@pytest.mark.parametrize('zone', ['GMT', '-0000', '+0000'])
def test_the_retry_delay_can_be_a_date(zone: str) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90)).replace('+0000', zone)
    seconds = make_error(503, retry_after=date).retry_after
    assert seconds is not None
    assert 85 < seconds <= 90


# ---------------------------------------------------------------------- inside a stream


@pytest.mark.parametrize(
    ('event', 'kind', 'status', 'retryable'),
    [
        (error_body('server_error'), ModelHTTPError, 500, True),
        (error_body('invalid_request_error'), ModelHTTPError, 400, False),
        (error_body(code='rate_limit_exceeded'), RateLimitError, 429, True),
        (error_body('insufficient_quota'), QuotaExceededError, 429, False),
        (error_body(code='context_length_exceeded'), ContextLengthError, 400, False),
        ({'type': 'error', 'error': {'type': 'overloaded_error', 'message': 'No.'}}, OverloadedError, 529, True),
        ({'type': 'error', 'error': {'type': 'api_error', 'message': 'No.'}}, ModelHTTPError, 500, True),
        ({'error': {'code': 502, 'message': 'No.'}, 'choices': []}, ModelHTTPError, 502, True),
        ({'error': {'code': '503', 'message': 'No.'}}, OverloadedError, 503, True),
        ({'error': {'message': 'No.'}, 'status_code': 429}, RateLimitError, 429, True),
        (google_error('2s'), RateLimitError, 429, True),
    ],
)
def test_an_error_inside_a_stream_is_the_error_of_its_status(
    event: Any, kind: type[ModelHTTPError], status: int, retryable: bool
) -> None:
    error = error_from_event(event, model_name='m', provider_name='vendor')
    assert isinstance(error, ModelHTTPError)
    assert (type(error), error.status_code, error.retryable) == (kind, status, retryable)
    assert (error.in_stream, error.headers, error.body, error.provider_name) == (True, {}, event, 'vendor')


@pytest.mark.parametrize(
    ('event', 'message'),
    [
        (error_body('something_new', 'Words.'), 'm failed: Words.'),
        ({'error': {'code': 200, 'message': 'Words.'}}, 'm failed: Words.'),
        ({'error': {'code': True, 'message': 'Words.'}}, 'm failed: Words.'),
        ({'error': {}}, "m failed: {'error': {}}"),
        ('Words.', 'm failed: Words.'),
    ],
)
def test_an_error_inside_a_stream_may_have_no_status(event: Any, message: str) -> None:
    error = error_from_event(event, model_name='m', provider_name='vendor')
    assert (type(error), str(error), error.retryable) == (ModelAPIError, message, False)


def test_the_retry_delay_is_read_inside_a_stream() -> None:
    error = error_from_event(google_error('2s'), model_name='m', provider_name=None)
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 2.0


def test_a_truncated_body_is_retryable() -> None:
    error = error_from_invalid_json(b'{"choices": [', model_name='m', provider_name='vendor')
    assert str(error) == 'm answered with a body that is not whole JSON (13 bytes): \'{"choices": [\''
    assert (error.retryable, error.provider_name) == (True, 'vendor')


@pytest.mark.parametrize(
    ('headers', 'seconds'),
    [
        ({'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '6m0.5s'}, 360.5),
        ({'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '20ms'}, 0.02),
        ({'x-ratelimit-remaining-tokens': '5', 'x-ratelimit-reset-tokens': '20ms'}, None),
        ({'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '12'}, 12),
        ({'x-ratelimit-remaining': '0', 'x-ratelimit-reset': 'soon'}, None),
        ({'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1.2.3s'}, None),
        ({'retry-after': '3', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '12'}, 3),
        ({'anthropic-ratelimit-tokens-remaining': '0', 'anthropic-ratelimit-tokens-reset': '2020-01-01T00:00:00Z'}, 0),
        ({'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1577836800000'}, 0),
    ],
)
def test_the_retry_delay_is_the_reset_of_a_reached_limit(headers: dict[str, str], seconds: float | None) -> None:
    error = error_from_response(429, headers, b'{}', model_name='m', provider_name=None)
    assert error.retry_after == (None if seconds is None else pytest.approx(seconds))
