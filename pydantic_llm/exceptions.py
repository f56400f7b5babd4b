"""The exceptions of this package, as one tree.

```text
LLMError
├── UserError                     a mistake of the caller, found before anything is sent
│   └── RequestNotRecordedError       a request that is not in the recording of a `ReplayModel`
├── ModelAPIError                 model_name, provider_name, retryable
│   ├── ModelHTTPError            status_code, body, headers, request_id, retry_after
│   │   ├── AuthenticationError       401, 403
│   │   ├── NotFoundError             404: no such model or endpoint
│   │   ├── ContextLengthError        the conversation is too long for the model
│   │   ├── RateLimitError            429: retry later
│   │   ├── QuotaExceededError        429, 402: waiting does not help
│   │   ├── OverloadedError           503, 529: the vendor has no capacity
│   │   └── ContentFilterHTTPError    also a ContentFilterError: the vendor refused the content with an error status
│   ├── ModelConnectionError      no response arrived
│   ├── ModelTimeoutError         a deadline passed: deadline, seconds
│   ├── StreamInterruptedError    the connection broke during a response; the partial response is attached
│   ├── CacheMissError            nothing is stored for a request that must not be sent
│   ├── BatchFailedError          the vendor refused or lost a batch
│   ├── BatchExpiredError         a batch ended before it ran this request
│   └── BatchCancelledError       a batch was cancelled before it ran this request
├── UnexpectedModelBehavior       a response that is not the API's, or a model that ignores its instructions
│   └── RejectedResponseError         a response that `fallback_on` rejects; it is attached
├── ContentFilterError            the vendor refused the content
├── UsageLimitExceeded            a limit of `UsageLimits` was exceeded
├── UnknownPriceError             no part of a response has a known price (also a `LookupError`)
├── RunCancelled                  the run was cancelled by the application; its messages are attached
└── FallbackExceptionGroup        every attempt's error (also an `ExceptionGroup`)

ModelRetry                        raised by tools and validators: the model must try again
ToolFailed                        raised by tools: the model gets a failed result, and goes on
ApprovalRequired                  raised by tools: the call must be approved before it is executed
CallDeferred                      raised by tools: another program executes the call

UnknownSettingWarning             a Python warning: no API has a setting of this name
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from .rate_limits import RateLimits

if TYPE_CHECKING:
    from .messages import ModelMessage, ModelResponse
    from .usage import RunUsage

__all__ = (
    'ApprovalRequired',
    'AuthenticationError',
    'BatchCancelledError',
    'BatchExpiredError',
    'BatchFailedError',
    'CacheMissError',
    'CallDeferred',
    'ContentFilterError',
    'ContentFilterHTTPError',
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
    'RequestNotRecordedError',
    'RunCancelled',
    'StreamInterruptedError',
    'ToolFailed',
    'UnexpectedModelBehavior',
    'UnknownPriceError',
    'UnknownSettingWarning',
    'UsageLimitExceeded',
    'UserError',
)


RETRYABLE_STATUSES = frozenset({408, 409, 425, 429, 499})
"""Statuses below 500 after which the same request can succeed. From 500 on, all statuses are retryable."""


def _rebuild_error(kind: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class LLMError(Exception):
    """The base of all exceptions that this package raises. They can be pickled."""

    earlier_attempts: Sequence[Exception] = ()
    """The errors of earlier attempts, if the request was retried before it failed with this error."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_error, (type(self), self.args, self.__dict__)


class UnknownSettingWarning(UserWarning):
    """Issued at the line of the caller for a setting whose name no API has: it is probably misspelt."""


class UserError(LLMError):
    """Raised for a mistake of the caller, before anything is sent."""

    message: str
    """The mistake, and how to correct it."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class RequestNotRecordedError(UserError):
    """Raised by a `ReplayModel` for a request that is not in its recording."""

    path: str
    """The file of the recording."""
    difference: str
    """A diff to the recorded request that is most similar."""

    def __init__(self, message: str, *, path: str, difference: str) -> None:
        self.path = path
        self.difference = difference
        super().__init__(message)


class ModelAPIError(LLMError):
    """Base of the errors of a request that was sent to a model."""

    message: str
    """A description of the error."""
    model_name: str
    """The model that the request was sent to."""
    provider_name: str | None
    """The vendor that the request was sent to."""
    retryable: bool
    """True if the same request can succeed later."""

    def __init__(
        self, model_name: str, message: str, *, provider_name: str | None = None, retryable: bool = False
    ) -> None:
        self.model_name = model_name
        self.message = message
        self.provider_name = provider_name
        self.retryable = retryable
        super().__init__(message)


class ModelHTTPError(ModelAPIError):
    """Raised if the vendor responds with an error status, or sends an error event in a stream."""

    status_code: int
    """The HTTP status; for an error event in a stream, the status with the same meaning."""
    body: Any
    """The body of the response: a JSON value if it is JSON, else text."""
    headers: Mapping[str, str]
    """The headers of the response, with lower-case names, without cookies and keys."""
    request_id: str | None
    """The vendor's id of the request, for its support."""
    retry_after: float | None
    """Seconds to wait before the next attempt, if the vendor sent that."""
    in_stream: bool
    """True if the error was an event in a stream that had started with status 200."""

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
        if retryable is None:
            retryable = status_code in RETRYABLE_STATUSES or status_code >= 500
        super().__init__(
            model_name,
            message or f'status_code: {status_code}, model_name: {model_name}, body: {body!r}',
            provider_name=provider_name,
            retryable=retryable,
        )

    @property
    def rate_limits(self) -> RateLimits:
        """The vendor's limits, and what remains of them, from the headers; empty if they contain none."""
        return RateLimits.from_headers(self.headers)


class AuthenticationError(ModelHTTPError):
    """Raised if the vendor does not accept the key, or the key may not use this model (401, 403)."""


class NotFoundError(ModelHTTPError):
    """Raised if the model or the endpoint does not exist (404)."""


class ContextLengthError(ModelHTTPError):
    """Raised if the conversation is longer than the model's context window."""


class RateLimitError(ModelHTTPError):
    """Raised after too many requests or tokens (429). `retry_after` has the wait in seconds, if the vendor sent one."""


class QuotaExceededError(ModelHTTPError):
    """Raised if the account has no credit or quota left (402, 429); waiting does not help."""


class OverloadedError(ModelHTTPError):
    """Raised if the vendor has no capacity for the request at the moment (503, 529)."""


class ModelConnectionError(ModelAPIError):
    """Raised if the connection fails, or breaks before the response starts."""

    def __init__(self, model_name: str, message: str, *, provider_name: str | None = None) -> None:
        super().__init__(model_name, message, provider_name=provider_name, retryable=True)


class ModelTimeoutError(ModelAPIError):
    """Raised if a deadline of the settings passes, or a time limit of the connection itself."""

    deadline: str
    """The name of the setting: `'timeout'`, `'first_token_timeout'` or `'idle_timeout'`."""
    seconds: float | None
    """The value of the setting in seconds; `None` for a time limit of the connection itself."""

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
    """Raised if the connection breaks, or the vendor stops, in the middle of a response."""

    response: ModelResponse | None
    """The partial response, with `state='interrupted'`."""

    def __init__(
        self, model_name: str, message: str, *, provider_name: str | None = None, response: ModelResponse | None = None
    ) -> None:
        self.response = response
        super().__init__(model_name, message, provider_name=provider_name, retryable=True)


class CacheMissError(ModelAPIError):
    """Raised by a `CachedModel` with `response_cache_mode='only'` if nothing is stored. Nothing was sent."""

    def __init__(self, model_name: str) -> None:
        message = f"No response of {model_name} is stored for this request, and its response_cache_mode is 'only'"
        super().__init__(model_name, message)


class BatchFailedError(ModelAPIError):
    """Raised if the vendor refused or lost a batch: the error of each request that has none of its own."""

    batch_id: str
    """The vendor's id of the batch."""
    errors: Sequence[object]
    """The vendor's explanations, in its form."""

    def __init__(
        self,
        model_name: str,
        message: str,
        *,
        batch_id: str,
        errors: Sequence[object] = (),
        provider_name: str | None = None,
    ) -> None:
        self.batch_id = batch_id
        self.errors = errors
        super().__init__(model_name, message, provider_name=provider_name)


class BatchExpiredError(ModelAPIError):
    """The error of a request that its batch did not run in time. The same request can succeed in another batch."""

    def __init__(self, model_name: str, message: str, *, provider_name: str | None = None) -> None:
        super().__init__(model_name, message, provider_name=provider_name, retryable=True)


class BatchCancelledError(ModelAPIError):
    """The error of a request that was not run, since its batch was cancelled before."""


class UnexpectedModelBehavior(LLMError):
    """Raised if a response is not a valid one of the API, or if the model does not produce a valid output."""

    message: str
    """A description of the unexpected behavior."""
    body: str | None
    """The response, or the part of it that is invalid."""

    def __init__(self, message: str, body: str | None = None) -> None:
        self.message = message
        self.body = body
        super().__init__(message if body is None else f'{message}, body:\n{body}')


class RejectedResponseError(UnexpectedModelBehavior):
    """Raised if `fallback_on` of a `FallbackModel` or a `RouterModel` rejects a response."""

    model_name: str
    """The model that sent the response."""
    response: ModelResponse
    """The rejected response, complete."""

    def __init__(self, model_name: str, response: ModelResponse) -> None:
        self.model_name = model_name
        self.response = response
        super().__init__(f'The response of {model_name} was rejected by fallback_on')


class ContentFilterError(LLMError):
    """Raised if the vendor refuses to respond because of the content of the request or of the response."""

    message: str
    """A description of the refusal."""
    body: Any
    """The explanation of the vendor, if it sent one."""

    def __init__(self, message: str, *, body: object | None = None) -> None:
        self.message = message
        self.body = body
        super().__init__(message)


class ContentFilterHTTPError(ModelHTTPError, ContentFilterError):
    """Raised if the vendor refuses the content of the request or of the response with an error status."""

    def __init__(self, status_code: int, model_name: str, body: object | None = None, **options: Any) -> None:
        super().__init__(status_code, model_name, body, **options)
        self.body = body  # the other base resets it


class UsageLimitExceeded(LLMError):
    """Raised if a run exceeds a limit of its `UsageLimits`, or would with the next request or tool call."""


class UnknownPriceError(LLMError, LookupError):
    """Raised if the price of a response is read, and nothing of it has a known price. The message has the reasons."""


class RunCancelled(LLMError):
    """Raised if the application cancelled the run: with a `CancellationToken`, or with `cancel()` of the run.

    A run whose task is cancelled (`Task.cancel()`, `asyncio.timeout`) raises `CancelledError` as usual;
    `from_cancellation` finds its messages.
    """

    def __init__(
        self,
        message: str,
        *,
        messages: Sequence[ModelMessage] = (),
        first_new: int = 0,
        usage: RunUsage | None = None,
        run_id: str | None = None,
        conversation_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self._messages = list(messages)
        self._first_new = first_new
        self.usage = usage
        """The usage of the run."""
        self.run_id = run_id
        self.conversation_id = conversation_id

    def all_messages(self) -> list[ModelMessage]:
        """Return all messages of the run. They can be passed as `message_history`: every tool call has a result."""
        return list(self._messages)

    def new_messages(self) -> list[ModelMessage]:
        """Return the messages of the run without the history that was passed in."""
        return self._messages[self._first_new :]

    def attach_to(self, error: BaseException) -> None:
        """Attach the messages to the `CancelledError` of a run, for `from_cancellation`."""
        error.__dict__[_CANCELLED_RUN] = self

    @classmethod
    def from_cancellation(cls, error: BaseException) -> RunCancelled | None:
        """Return the messages of the run that was cancelled with this error, or of one that it was raised from."""
        seen: set[int] = set()
        current: BaseException | None = error
        while current is not None and id(current) not in seen:
            seen.add(id(current))
            if isinstance(current, RunCancelled):
                return current
            if isinstance(found := current.__dict__.get(_CANCELLED_RUN), RunCancelled):
                return found
            current = current.__cause__ or current.__context__
        return None


_CANCELLED_RUN = 'pydantic_llm_cancelled_run'
"""Name of the attribute of a `CancelledError` with the messages of its run."""


class FallbackExceptionGroup(LLMError, ExceptionGroup[Exception]):
    """Raised if every model of a `FallbackModel` or `RouterModel` fails; `exceptions` has the error of each attempt."""

    def __new__(cls, message: str, exceptions: Sequence[Exception]) -> Self:
        return super().__new__(cls, message, exceptions)

    def __init__(self, message: str, exceptions: Sequence[Exception]) -> None:
        super().__init__(message, exceptions)

    def derive(  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride] -- the base gives any group
        self, excs: Sequence[Exception], /
    ) -> FallbackExceptionGroup:
        """Return a group of some of the errors with the same message, for `except*` and `split`."""
        return FallbackExceptionGroup(self.message, excs)


class _ForModel(Exception):
    """A message for the model, which can be stored as JSON."""

    kind: ClassVar[str]
    message: str
    """The message for the model."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and other.message == self.message

    def __hash__(self) -> int:
        return hash((type(self), self.message))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Describe the stored form: an object with `kind` and `message`."""
        from pydantic_core import core_schema as schemas

        fields = {
            'kind': schemas.typed_dict_field(schemas.literal_schema([cls.kind])),
            'message': schemas.typed_dict_field(schemas.str_schema()),
        }
        stored = schemas.no_info_after_validator_function(
            lambda value: cls(value['message']), schemas.typed_dict_schema(fields)
        )
        return schemas.json_or_python_schema(
            json_schema=stored,
            python_schema=schemas.union_schema([schemas.is_instance_schema(cls), stored]),
            serialization=schemas.plain_serializer_function_ser_schema(
                lambda error: {'kind': cls.kind, 'message': error.message}
            ),
        )


class ModelRetry(_ForModel):
    """Raise this in a tool or an output validator to describe an error to the model, which then tries again."""

    kind = 'model-retry'


class ToolFailed(_ForModel):
    """Raise this in a tool to tell the model that the call failed. It is not counted against the tool's retries."""

    kind = 'tool-failed'


class _OpenCall(Exception):
    """A tool call that the run leaves open."""

    def __init__(self, metadata: dict[str, Any] | None = None) -> None:
        self.metadata = metadata
        """Data of the application about the call, for `DeferredToolRequests.metadata`."""
        super().__init__()


class ApprovalRequired(_OpenCall):
    """Raise this in a tool whose call must be approved first. The run ends with a `DeferredToolRequests`."""


class CallDeferred(_OpenCall):
    """Raise this in a tool whose call is executed elsewhere. The run ends with a `DeferredToolRequests`."""
