"""Translates LiteLLM's exceptions to ours. Pure. Start at `translate`.

LiteLLM gives errors its own names and statuses: an overloaded Anthropic (529) is an internal error (500), and so is a
refused connection. The vendor's own response is still available: it is the last in the chain of causes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from pydantic_core import to_json

from ..exceptions import (
    ContentFilterError,
    ContentFilterHTTPError,
    ContextLengthError,
    LLMError,
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelTimeoutError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    StreamInterruptedError,
    UnexpectedModelBehavior,
    UserError,
)
from ..json_types import Json
from ..transport.deadlines import DeadlineExceeded
from ..transport.error_wording import classify
from ..transport.errors import error_from_event, error_from_response

__all__ = ('is_truncation', 'translate')


TIMEOUTS = frozenset({'Timeout', 'TimeoutError', 'TimeoutException', 'APITimeoutError'})
"""The exceptions for a timeout of the connection's own."""

CONNECTION_ERRORS = frozenset({
    'TransportError',  # httpx
    'ClientConnectionError', 'ClientPayloadError',  # aiohttp
    'ConnectionClosedError', 'EndpointConnectionError',  # botocore
    'ConnectionError',
})  # fmt: skip
"""The exceptions for a failed connection."""

MISTAKES = frozenset({'BadRequestError', 'NotFoundError', 'UnprocessableEntityError'})
"""The exceptions for a mistake of the caller, if no vendor has responded."""

VENDORS_OWN = (ContextLengthError, ContentFilterHTTPError, QuotaExceededError, RateLimitError, OverloadedError)
"""The errors that only a vendor reports: if the words show one, it is no mistake of the caller that LiteLLM found."""

UNREADABLE = frozenset({'JSONDecodeError', 'APIResponseValidationError', 'ValidationError'})
"""The exceptions for a response that is not a chat completion."""

UNREADABLE_TEXTS = ("no 'choices'", 'Empty or invalid response')
"""Parts of LiteLLM's messages for a response that is not a chat completion."""

MISSING_KEY_ERROR = ('openai', 'OpenAIError')
"""The module and name of the `openai` package's exception for a missing key: the base class of its exceptions, which
it raises for nothing else."""

NAMES_BEFORE = re.compile(r'^(?:(?:litellm\.)?\w*(?:Error|Timeout)(?: Error)?: |\w+Exception(?: \w+)? - )+')
"""The exceptions' names that LiteLLM puts before the vendor's message."""

ADVICE_AFTER = re.compile(
    r'\s*(?:LiteLLM: model group|Traceback \(most recent call last\)|This looks like a bug in LiteLLM|Handle with `).*',
    re.DOTALL,
)
"""The advice that LiteLLM puts after the vendor's message."""

MAX_LINKS = 12
"""The maximum number of causes that are followed."""


def translate(
    error: Exception, model_name: str, *, provider_name: str, secrets: Iterable[str], in_stream: bool = False
) -> Exception:
    """Return our exception for one of LiteLLM's, without the `secrets` in its message."""
    if isinstance(error, LLMError):
        return error
    if isinstance(error, DeadlineExceeded):
        return ModelTimeoutError(
            model_name, deadline=error.deadline, seconds=error.seconds, provider_name=provider_name
        )
    links = [*_follow_causes(error)]
    names = {name for link in links for name in _list_class_names(link)}
    case = _Case(links, names, _hide_secrets(_read_message(error), secrets), model_name, provider_name)
    if (known := case.from_name() or case.from_response(secrets)) is not None:
        return known
    if names & TIMEOUTS:
        return ModelTimeoutError(model_name, deadline='timeout', seconds=None, provider_name=provider_name)
    if names & CONNECTION_ERRORS:
        return case.connection_error(in_stream=in_stream)
    return case.stream_error() if in_stream else case.request_error()


def is_truncation(error: BaseException) -> bool:
    """Return whether LiteLLM raised this error for a stream that ended without a finish reason."""
    return 'ended before a finish_reason' in str(error)


@dataclass(frozen=True, slots=True)
class _Case:
    """An exception of LiteLLM's: its chain of causes, the names of all their classes, and the vendor's message."""

    links: list[BaseException]
    names: set[str]
    message: str
    model_name: str
    provider_name: str

    def from_name(self) -> Exception | None:
        """Return the exception that the name determines, if LiteLLM's name is more precise than a status."""
        if 'ContentPolicyViolationError' in self.names:
            return ContentFilterError(self.message)
        if 'ContextWindowExceededError' in self.names:
            return self._make_http_error(ContextLengthError, 400, retryable=False)
        if 'BudgetExceededError' in self.names:
            return self._make_http_error(QuotaExceededError, 429, retryable=False)
        if self.names & {'RouterRateLimitError', 'RouterRateLimitErrorBasic'}:
            delays = (getattr(link, 'cooldown_time', None) for link in self.links)
            delay = next((delay for delay in delays if delay is not None), None)
            return self._make_http_error(RateLimitError, 429, retry_after=delay)
        return None

    def from_response(self, secrets: Iterable[str]) -> ModelHTTPError | None:
        """Return the exception for the vendor's response, if one of the causes, searched from the last, has it."""
        for link in reversed(self.links):
            response: Any = getattr(link, 'response', None)
            if response is not None and 'HTTPStatusError' in _list_class_names(link):
                body = _hide_secrets(_read_body(response) or self.message, secrets).encode()
                return self._make_response_error(response.status_code, response.headers, body)
        return None

    def connection_error(self, *, in_stream: bool) -> ModelAPIError:
        """Return the exception for a connection that failed, before or inside a stream."""
        kind: type[ModelConnectionError | StreamInterruptedError] = ModelConnectionError
        what = f'No answer from {self.model_name}'
        if in_stream:
            kind, what = StreamInterruptedError, f'The answer of {self.model_name} broke off'
        return kind(self.model_name, f'{what}: {self.message}', provider_name=self.provider_name)

    def stream_error(self) -> ModelAPIError:
        """Return the exception for an error of the vendor, or of LiteLLM itself, inside a stream."""
        values: list[object] = [getattr(link, 'body', None) for link in self.links]
        bodies = [cast('Json', value) for value in values if isinstance(value, dict)]
        body: Json = bodies[0] if bodies else {}
        event: Json = {'error': {'code': self._find_status(), **body, 'message': self.message}}
        return error_from_event(event, model_name=self.model_name, provider_name=self.provider_name)

    def request_error(self) -> Exception:
        """Return the exception for an error without a response: LiteLLM rejected the request or failed itself."""
        status, first = self._find_status(), _list_class_names(self.links[0])
        if self.names & UNREADABLE or any(text in self.message for text in UNREADABLE_TEXTS):
            return UnexpectedModelBehavior(f'{self.model_name} did not answer with a chat completion: {self.message}')
        kinds = {(type(link).__module__, type(link).__name__) for link in self.links}
        if classify(self.message) in VENDORS_OWN:  # LiteLLM drops the response of some vendors: Aider-AI/aider#4851
            return self._make_response_error(status or 400, {}, self.message.encode())
        if first & MISTAKES or MISSING_KEY_ERROR in kinds:
            return UserError(f'LiteLLM cannot ask {self.model_name!r}: {self.message}')
        if status not in (None, 500):
            return self._make_response_error(status, {}, self.message.encode())
        message = f'{self.model_name} could not be asked: {self.message}'
        return ModelAPIError(self.model_name, message, provider_name=self.provider_name)

    def _find_status(self) -> int | None:
        status: object = getattr(self.links[0], 'status_code', None)
        return status if isinstance(status, int) else None

    def _make_response_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelHTTPError:
        return error_from_response(status, headers, body, model_name=self.model_name, provider_name=self.provider_name)

    def _make_http_error(self, kind: type[ModelHTTPError], status: int, **more: Any) -> ModelHTTPError:
        message = f'{self.model_name} answered {status}: {self.message}'
        return kind(status, self.model_name, message=message, provider_name=self.provider_name, **more)


# ---------------------------------------------------------------------- reading exceptions


def _follow_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and its causes: LiteLLM's `original_exception`, else `__cause__` or `__context__`."""
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen and len(seen) < MAX_LINKS:
        yield link
        seen.add(id(link))
        original: Any = getattr(link, 'original_exception', None)
        has_original = isinstance(original, BaseException) and id(original) not in seen
        link = original if has_original else link.__cause__ or link.__context__


def _list_class_names(link: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(link).__mro__}


def _read_message(error: BaseException) -> str:
    """Return the vendor's message, without the names and the advice that LiteLLM adds."""
    message = getattr(error, 'message', None)
    text = message if isinstance(message, str) else str(error)
    return ADVICE_AFTER.sub('', NAMES_BEFORE.sub('', text)).strip() or type(error).__name__


def _read_body(response: Any) -> str:
    with suppress(Exception):  # the body of a stream may not have been read
        return bytes(response.content).decode('utf-8', 'replace')
    return ''


def _hide_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return the text without the secrets in it, also in the form that JSON escapes them."""
    for secret in secrets:
        text = text.replace(secret, '[key]').replace(to_json(secret).decode()[1:-1], '[key]')
    return text
