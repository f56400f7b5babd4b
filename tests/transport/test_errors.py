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


def answered(status: int, body: Any = b'', **headers: str) -> ModelHTTPError:
    """The error for an answer; what is not bytes is JSON, and `_` in a header's name stands for `-`."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace('_', '-'): value for name, value in headers.items()}
    return error_from_response(status, named, content, model_name='m', provider_name='vendor')


def said(kind: str | None = None, message: str = 'No.', code: Any = None) -> dict[str, Any]:
    """An error as OpenAI's family writes it."""
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
def test_the_status_says_which_error_it_is(status: int, kind: type[ModelHTTPError], retryable: bool) -> None:
    error = answered(status, {'error': {'message': 'No.'}})
    assert (type(error), error.status_code, error.retryable) == (kind, status, retryable)


@pytest.mark.parametrize(
    ('status', 'body', 'kind', 'retryable'),
    [
        pytest.param(429, said('insufficient_quota'), QuotaExceededError, False, id='OpenAI has no credit'),
        pytest.param(
            429, said('requests', code='rate_limit_exceeded'), RateLimitError, True, id='OpenAI is asked often'
        ),
        pytest.param(
            400,
            said('invalid_request_error', code='context_length_exceeded'),
            ContextLengthError,
            False,
            id='OpenAI is told too much',
        ),
        pytest.param(
            400,
            {'type': 'error', 'error': {'type': 'invalid_request_error', 'message': 'prompt is too long: 2 > 1'}},
            ContextLengthError,
            False,
            id='Anthropic is told too much',
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
            id='vLLM is told too much',
        ),
        pytest.param(400, said(code='model_not_found'), NotFoundError, False, id='a model that is not there'),
        pytest.param(500, said('overloaded_error'), OverloadedError, True, id='overloaded, says the type'),
        pytest.param(401, said('insufficient_quota'), AuthenticationError, False, id='the status is clear'),
        pytest.param(404, said(message='context window'), NotFoundError, False, id='the status is clear too'),
        pytest.param(
            429,
            {'error': {'code': 429, 'message': 'You exceeded your current quota', 'status': 'RESOURCE_EXHAUSTED'}},
            QuotaExceededError,
            False,
            id='Google has no quota',
        ),
    ],
)
def test_the_vendors_words_decide_where_the_status_does_not(
    status: int, body: Any, kind: type[ModelHTTPError], retryable: bool
) -> None:
    error = answered(status, body)
    assert (type(error), error.retryable) == (kind, retryable)


def google(delay: str | None) -> dict[str, Any]:
    """Google's word for a limit, with how long to wait."""
    info = {'@type': 'type.googleapis.com/google.rpc.RetryInfo', **({'retryDelay': delay} if delay else {})}
    help_ = {'@type': 'type.googleapis.com/google.rpc.Help', 'links': []}
    error = {'code': 429, 'message': 'You exceeded your current quota', 'status': 'RESOURCE_EXHAUSTED'}
    return {'error': {**error, 'details': [help_, info]}}


def test_a_quota_that_waiting_gives_back_is_a_rate_limit() -> None:
    error = answered(429, google('34.5s'))
    assert (type(error), error.retry_after, error.retryable) == (RateLimitError, 34.5, True)


@pytest.mark.parametrize('delay', [None, 'soon', ''])
def test_a_quota_that_waiting_does_not_give_back_is_one(delay: str | None) -> None:
    assert type(answered(429, google(delay))) is QuotaExceededError


@pytest.mark.parametrize(('word', 'retryable'), [('true', True), ('false', False), ('perhaps', True)])
def test_a_vendor_may_say_itself_whether_to_try_again(word: str, retryable: bool) -> None:
    assert answered(500, x_should_retry=word).retryable is retryable


def test_a_vendor_cannot_make_a_long_conversation_shorter_by_trying_again() -> None:
    assert not answered(400, said(code='context_length_exceeded'), x_should_retry='true').retryable


# ---------------------------------------------------------------------- what it says


@pytest.mark.parametrize(
    ('body', 'message'),
    [
        (said('kind', 'Words.', 'code'), 'm answered 400 (code, kind): Words.'),
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
def test_an_error_says_what_the_vendor_said_in_any_of_its_shapes(body: Any, message: str) -> None:
    assert str(answered(400, body)) == message


def test_a_long_explanation_is_cut_in_the_message_and_whole_in_the_body() -> None:
    error = answered(400, b'x' * 5000)
    assert str(error) == f'm answered 400: {"x" * 1000}'
    assert error.body == 'x' * 5000


def test_an_error_knows_who_was_asked_and_what_came() -> None:
    error = answered(418, said('teapot'), content_type='application/json')
    assert (error.model_name, error.provider_name, error.in_stream) == ('m', 'vendor', False)
    assert error.body == said('teapot')
    assert error.headers == {'content-type': 'application/json'}


@pytest.mark.parametrize(
    'name',
    'Set-Cookie Cookie Authorization Proxy-Authorization X-Api-Key Api-Key X-Goog-Api-Key'.split(),
)
def test_an_error_does_not_show_a_header_that_may_hold_a_secret(name: str) -> None:
    error = error_from_response(400, {name: 'secret', 'Via': 'x'}, b'', model_name='m', provider_name=None)
    assert error.headers == {'via': 'x'}
    assert 'secret' not in repr(error.__dict__)


def test_headers_of_an_http_library_are_read_in_any_case() -> None:
    headers = httpx2.Headers([('Retry-After', '3'), ('X-Request-ID', 'r1'), ('A', '1'), ('a', '2')])
    error = error_from_response(429, headers, b'', model_name='m', provider_name=None)
    assert (error.retry_after, error.request_id, error.headers['a']) == (3.0, 'r1', '1, 2')


@pytest.mark.parametrize('name', ['x-request-id', 'request-id', 'x-amzn-requestid', 'apim-request-id'])
def test_the_vendors_id_of_the_exchange_is_found_in_the_headers(name: str) -> None:
    error = error_from_response(500, {name: 'r1'}, b'{"request_id": "r2"}', model_name='m', provider_name=None)
    assert error.request_id == 'r1'


@pytest.mark.parametrize(('body', 'found'), [({'request_id': 'r2'}, 'r2'), ({'request_id': 5}, None), ([], None)])
def test_the_vendors_id_of_the_exchange_may_stand_in_the_body(body: Any, found: str | None) -> None:
    assert answered(500, body).request_id == found


# ---------------------------------------------------------------------- how long to wait


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
def test_how_long_to_wait_is_read_from_the_headers(headers: dict[str, str], seconds: float | None) -> None:
    assert answered(429, **headers).retry_after == seconds


@pytest.mark.parametrize('zone', ['GMT', '-0000', '+0000'])
def test_the_time_to_wait_may_be_a_date(zone: str) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90)).replace('+0000', zone)
    seconds = answered(503, retry_after=date).retry_after
    assert seconds is not None
    assert 85 < seconds <= 90


# ---------------------------------------------------------------------- inside a stream


@pytest.mark.parametrize(
    ('event', 'kind', 'status', 'retryable'),
    [
        (said('server_error'), ModelHTTPError, 500, True),
        (said('invalid_request_error'), ModelHTTPError, 400, False),
        (said(code='rate_limit_exceeded'), RateLimitError, 429, True),
        (said('insufficient_quota'), QuotaExceededError, 429, False),
        (said(code='context_length_exceeded'), ContextLengthError, 400, False),
        ({'type': 'error', 'error': {'type': 'overloaded_error', 'message': 'No.'}}, OverloadedError, 529, True),
        ({'type': 'error', 'error': {'type': 'api_error', 'message': 'No.'}}, ModelHTTPError, 500, True),
        ({'error': {'code': 502, 'message': 'No.'}, 'choices': []}, ModelHTTPError, 502, True),
        ({'error': {'code': '503', 'message': 'No.'}}, OverloadedError, 503, True),
        ({'error': {'message': 'No.'}, 'status_code': 429}, RateLimitError, 429, True),
        (google('2s'), RateLimitError, 429, True),
    ],
)
def test_an_error_inside_a_stream_is_what_it_would_have_been_outside(
    event: Any, kind: type[ModelHTTPError], status: int, retryable: bool
) -> None:
    error = error_from_event(event, model_name='m', provider_name='vendor')
    assert isinstance(error, ModelHTTPError)
    assert (type(error), error.status_code, error.retryable) == (kind, status, retryable)
    assert (error.in_stream, error.headers, error.body, error.provider_name) == (True, {}, event, 'vendor')


@pytest.mark.parametrize(
    ('event', 'message'),
    [
        (said('something_new', 'Words.'), 'm failed: Words.'),
        ({'error': {'code': 200, 'message': 'Words.'}}, 'm failed: Words.'),
        ({'error': {'code': True, 'message': 'Words.'}}, 'm failed: Words.'),
        ({'error': {}}, "m failed: {'error': {}}"),
        ('Words.', 'm failed: Words.'),
    ],
)
def test_an_error_inside_a_stream_may_stand_for_no_status(event: Any, message: str) -> None:
    error = error_from_event(event, model_name='m', provider_name='vendor')
    assert (type(error), str(error), error.retryable) == (ModelAPIError, message, False)


def test_the_time_to_wait_may_stand_inside_a_stream() -> None:
    error = error_from_event(google('2s'), model_name='m', provider_name=None)
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 2.0


def test_a_body_that_was_cut_can_be_asked_for_again() -> None:
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
def test_a_limit_that_was_reached_says_when_it_is_reset(headers: dict[str, str], seconds: float | None) -> None:
    error = error_from_response(429, headers, b'{}', model_name='m', provider_name=None)
    assert error.retry_after == (None if seconds is None else pytest.approx(seconds))
