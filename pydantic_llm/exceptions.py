"""Everything that this library raises, as one tree.

```text
LLMError
├── UserError                     the caller's mistake, found before anything is sent
├── ModelAPIError                 model_name, provider_name, retryable
│   ├── ModelHTTPError            status_code, body, headers, request_id, retry_after
│   │   ├── AuthenticationError       401, 403
│   │   ├── NotFoundError             404: no such model or endpoint
│   │   ├── ContextLengthError        the conversation is too long for the model
│   │   ├── RateLimitError            429: wait and try again
│   │   ├── QuotaExceededError        429, 402: waiting does not help
│   │   └── OverloadedError           503, 529: the vendor has no capacity now
│   ├── ModelConnectionError      no answer came
│   ├── ModelTimeoutError         which deadline passed, and how long it was
│   └── StreamInterruptedError    the wire broke in the middle of an answer; what had arrived is attached
├── UnexpectedModelBehavior       an answer that is not the API's, or a model that does not do as it is told
│   └── RejectedResponseError         an answer that `fallback_on` refuses; it is attached
├── ContentFilterError            the vendor refused to answer on grounds of content
├── UsageLimitExceeded            a `UsageLimits` was passed
└── FallbackExceptionGroup        every attempt's error (also an `ExceptionGroup`)

ModelRetry                        what a tool raises to ask the model to try again
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from .messages import ModelResponse

__all__ = (
    'AuthenticationError',
    'ContentFilterError',
    'ContextLengthError',
    'FallbackExceptionGroup',
    'LLMError',
    'ModelAPIError',
    'ModelConnectionError',
    'ModelHTTPError',
    'ModelRetry',
    'ModelTimeoutError',
    'NotFoundError',
    'OverloadedError',
    'QuotaExceededError',
    'RateLimitError',
    'RejectedResponseError',
    'StreamInterruptedError',
    'UnexpectedModelBehavior',
    'UsageLimitExceeded',
    'UserError',
)


def _rebuild(kind: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class LLMError(Exception):
    """The root of every error that this library raises. All of them can be pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


class UserError(LLMError):
    """A mistake of the caller, found before anything was sent."""

    message: str
    """What is wrong, and what to do about it."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class ModelAPIError(LLMError):
    """A request to a model failed."""

    message: str
    """What happened."""
    model_name: str
    """The model that was asked."""
    provider_name: str | None
    """Who was asked."""
    retryable: bool
    """Whether the same request could succeed later."""

    def __init__(
        self, model_name: str, message: str, *, provider_name: str | None = None, retryable: bool = False
    ) -> None:
        self.model_name = model_name
        self.message = message
        self.provider_name = provider_name
        self.retryable = retryable
        super().__init__(message)


class ModelHTTPError(ModelAPIError):
    """The vendor answered with an error status, or put an error into a stream that had begun well."""

    status_code: int
    """The HTTP status; for an error inside a stream, the status that stands for it."""
    body: object | None
    """The vendor's own description: the parsed JSON where it is JSON, text otherwise."""
    headers: Mapping[str, str]
    """The answer's headers, with lower-case names; empty for an error inside a stream."""
    request_id: str | None
    """The vendor's id of this exchange, for a support ticket."""
    retry_after: float | None
    """Seconds that the vendor asks to wait, where it says so."""
    in_stream: bool
    """Whether the error arrived inside a stream that had begun with a good status."""

    def __init__(
        self,
        status_code: int,
        model_name: str,
        body: object | None = None,
        *,
        message: str | None = None,
        provider_name: str | None = None,
        headers: Mapping[str, str] | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
        in_stream: bool = False,
    ) -> None:
        self.status_code = status_code
        self.body = body
        self.headers = dict(headers or {})
        self.request_id = request_id
        self.retry_after = retry_after
        self.in_stream = in_stream
        said = message or f'status_code: {status_code}, model_name: {model_name}, body: {body!r}'
        again = status_code in (408, 409, 425, 429, 499) or status_code >= 500 if retryable is None else retryable
        super().__init__(model_name, said, provider_name=provider_name, retryable=again)


class AuthenticationError(ModelHTTPError):
    """The vendor does not accept the key, or the key may not use this model (401, 403)."""


class NotFoundError(ModelHTTPError):
    """The vendor knows no such model or endpoint (404)."""


class ContextLengthError(ModelHTTPError):
    """The conversation is longer than the model's context window."""


class RateLimitError(ModelHTTPError):
    """Too many requests or tokens for now (429); `retry_after` says how long to wait where the vendor does."""


class QuotaExceededError(ModelHTTPError):
    """The account has no credit or quota left; waiting does not help."""


class OverloadedError(ModelHTTPError):
    """The vendor has no capacity for this request at the moment (503, 529)."""


class ModelConnectionError(ModelAPIError):
    """No answer: the connection could not be made, or it broke before the answer began."""

    def __init__(self, model_name: str, message: str, *, provider_name: str | None = None) -> None:
        super().__init__(model_name, message, provider_name=provider_name, retryable=True)


class ModelTimeoutError(ModelAPIError):
    """A deadline passed. `deadline` is the name of the setting, `seconds` its value."""

    deadline: str
    """`'timeout'`, `'first_token_timeout'` or `'idle_timeout'`."""
    seconds: float | None
    """How long the deadline was; `None` where the connection's own limit was reached."""

    def __init__(
        self, model_name: str, *, deadline: str, seconds: float | None, provider_name: str | None = None
    ) -> None:
        self.deadline = deadline
        self.seconds = seconds
        limit = "the connection's own limit" if seconds is None else f'{deadline} of {seconds:g} s'
        super().__init__(
            model_name, f'{model_name} did not answer within {limit}', provider_name=provider_name, retryable=True
        )


class StreamInterruptedError(ModelAPIError):
    """The wire broke in the middle of an answer."""

    response: ModelResponse | None
    """What had arrived, with `state='interrupted'`."""

    def __init__(
        self,
        model_name: str,
        message: str,
        *,
        provider_name: str | None = None,
        response: ModelResponse | None = None,
    ) -> None:
        self.response = response
        super().__init__(model_name, message, provider_name=provider_name, retryable=True)


class UnexpectedModelBehavior(LLMError):
    """An answer that is not what the API promises, or a model that keeps doing what it was told not to do."""

    message: str
    """What was unexpected."""
    body: str | None
    """The answer, or the part of it that could not be read."""

    def __init__(self, message: str, body: str | None = None) -> None:
        self.message = message
        self.body = body
        super().__init__(message if body is None else f'{message}, body:\n{body}')


class RejectedResponseError(UnexpectedModelBehavior):
    """An answer that `fallback_on` of a `FallbackModel` or a `RouterModel` refuses."""

    model_name: str
    """The model that gave it."""
    response: ModelResponse
    """The answer."""

    def __init__(self, model_name: str, response: ModelResponse) -> None:
        self.model_name = model_name
        self.response = response
        super().__init__(f'The answer of {model_name} was refused by fallback_on')


class ContentFilterError(LLMError):
    """The vendor refused on grounds of content. `body` is its own explanation, where it gives one."""

    message: str
    """What was refused."""
    body: object | None
    """The vendor's own explanation."""

    def __init__(self, message: str, *, body: object | None = None) -> None:
        self.message = message
        self.body = body
        super().__init__(message)


class UsageLimitExceeded(LLMError):
    """A limit of `UsageLimits` was reached."""


class FallbackExceptionGroup(LLMError, ExceptionGroup[Exception]):
    """Every model of a `FallbackModel` failed; `exceptions` holds each attempt's error in order."""

    def __new__(cls, message: str, exceptions: Sequence[Exception]) -> Self:
        return super().__new__(cls, message, exceptions)

    def __init__(self, message: str, exceptions: Sequence[Exception]) -> None:
        super().__init__(message, exceptions)

    def derive(  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride] -- the base gives any group
        self, excs: Sequence[Exception], /
    ) -> FallbackExceptionGroup:
        """A group with the same message over some of the errors, as `except*` asks for."""
        return FallbackExceptionGroup(self.message, excs)


class ModelRetry(Exception):
    """Raised by a tool or an output validator to tell the model what was wrong and ask it to try again."""

    message: str
    """What the model is told."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModelRetry) and other.message == self.message

    def __hash__(self) -> int:
        return hash((type(self), self.message))
