"""Tests of the exceptions: pickling, copying, messages."""

from __future__ import annotations

import pickle
from copy import copy, deepcopy

import pytest

from pydantic_llm import exceptions
from pydantic_llm.exceptions import (
    ApprovalRequired,
    AuthenticationError,
    BatchCancelledError,
    BatchExpiredError,
    BatchFailedError,
    CacheMissError,
    CallDeferred,
    ContentFilterError,
    ContentFilterHTTPError,
    ContextLengthError,
    FallbackExceptionGroup,
    LLMError,
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelRetry,
    ModelTimeoutError,
    NotFoundError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    RejectedResponseError,
    RequestNotRecordedError,
    RunCancelled,
    StreamInterruptedError,
    ToolFailed,
    UnexpectedModelBehavior,
    UnknownPriceError,
    UsageLimitExceeded,
    UserError,
)
from pydantic_llm.messages import ModelResponse, TextPart

HTTP = {
    'provider_name': 'openai',
    'headers': {'x': 'y'},
    'request_id': 'r',
    'retry_after': 2.5,
    'in_stream': True,
}
TIMEOUT = ModelTimeoutError('m', deadline='idle_timeout', seconds=3)
ERRORS: list[Exception] = [
    LLMError('x'),
    UserError('x'),
    ModelAPIError('m', 'x', provider_name='p', retryable=True),
    *(
        kind(429, 'm', {'error': 'x'}, **HTTP)  # type: ignore[arg-type] # the table's values have many types
        for kind in (
            ModelHTTPError,
            AuthenticationError,
            NotFoundError,
            ContextLengthError,
            RateLimitError,
            QuotaExceededError,
            OverloadedError,
            ContentFilterHTTPError,
        )
    ),
    ModelConnectionError('m', 'x', provider_name='p'),
    TIMEOUT,
    BatchExpiredError('m', 'x', provider_name='p'),
    BatchCancelledError('m', 'x'),
    BatchFailedError('m', 'x', batch_id='b', errors=[{'code': 'y'}], provider_name='p'),
    CacheMissError('m'),
    RequestNotRecordedError('x', path='a.json', difference='-b'),
    StreamInterruptedError('m', 'x', response=ModelResponse([TextPart('half')], state='interrupted')),
    UnexpectedModelBehavior('x', 'body'),
    RejectedResponseError('m', ModelResponse([TextPart('no')])),
    ContentFilterError('x', body={'reason': 'y'}),
    UsageLimitExceeded('x'),
    UnknownPriceError('x'),
    RunCancelled('x', messages=[ModelResponse([TextPart('no')])], run_id='r'),
    FallbackExceptionGroup('all failed', [TIMEOUT, RateLimitError(429, 'm')]),
    ModelRetry('x'),
    ToolFailed('x'),
    ApprovalRequired({'reason': 'x'}),
    CallDeferred(),
]


def facts(error: BaseException) -> tuple[object, ...]:
    """Return all attributes and texts of an error, and those of the errors inside it."""
    inside = tuple(facts(each) for each in getattr(error, 'exceptions', ()))
    state = {name: value for name, value in vars(error).items() if name != '__notes__'}
    return type(error), str(error), repr(error) if not inside else '', state, inside


def test_every_exception_is_tested() -> None:
    raised = {name for name in exceptions.__all__ if not name.endswith('Warning')}
    assert {type(error).__name__ for error in ERRORS} == raised


@pytest.mark.parametrize('error', ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_can_be_pickled_and_copied(error: Exception) -> None:
    for twin in (pickle.loads(pickle.dumps(error)), copy(error), deepcopy(error)):
        assert facts(twin) == facts(error)


def test_notes_are_pickled_as_well() -> None:
    error = UserError('x')
    error.add_note('seen in row 3')
    assert pickle.loads(pickle.dumps(error)).__notes__ == ['seen in row 3']


RAISED_BY_TOOLS = (ModelRetry, ToolFailed, ApprovalRequired, CallDeferred)


@pytest.mark.parametrize('error', ERRORS, ids=lambda error: type(error).__name__)
def test_every_exception_but_those_that_tools_raise_is_an_llm_error(error: Exception) -> None:
    assert isinstance(error, LLMError) != isinstance(error, RAISED_BY_TOOLS)


def test_the_message_of_an_error() -> None:
    assert str(TIMEOUT) == 'm did not answer within idle_timeout of 3 s'
    assert str(ModelTimeoutError('m', deadline='timeout', seconds=None)) == (
        "m did not answer within the connection's own limit"
    )
    assert str(ModelHTTPError(500, 'm', 'oops')) == "status_code: 500, model_name: m, body: 'oops'"
    assert str(UnexpectedModelBehavior('No choices', '{}')) == 'No choices, body:\n{}'
    assert str(UnexpectedModelBehavior('No choices')) == 'No choices'


@pytest.mark.parametrize(
    ('status', 'retryable'),
    [(400, False), (401, False), (408, True), (409, True), (429, True), (500, True)],
)
def test_the_status_decides_whether_an_error_is_retryable(status: int, retryable: bool) -> None:
    assert ModelHTTPError(status, 'm').retryable is retryable
    assert ModelHTTPError(status, 'm', retryable=not retryable).retryable is not retryable


def test_a_group_can_be_split_by_the_type_of_its_errors() -> None:
    group = FallbackExceptionGroup('all failed', [TIMEOUT, UserError('x')])
    found, rest = group.split(ModelTimeoutError)
    assert isinstance(found, FallbackExceptionGroup)
    assert isinstance(rest, FallbackExceptionGroup)
    assert (found.message, list(found.exceptions)) == ('all failed', [TIMEOUT])
    assert [str(error) for error in rest.exceptions] == ['x']


def test_a_group_is_an_llm_error() -> None:
    with pytest.raises(LLMError):
        raise FallbackExceptionGroup('all failed', [TIMEOUT])


def test_model_retries_with_the_same_message_are_equal() -> None:
    assert ModelRetry('x') == ModelRetry('x') != ModelRetry('y')
    assert len({ModelRetry('x'), ModelRetry('x')}) == 1
    assert ModelRetry('x') != UserError('x')
