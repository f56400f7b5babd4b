"""What LiteLLM raises → what we raise. Pure. Start at `explain`.

LiteLLM gives errors names and statuses of its own: an overloaded Anthropic (529) is an internal error (500), a
connection that is refused as well. What the vendor really answered is still there, as the cause of the causes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from pydantic_core import to_json

from ..exceptions import (
    ContentFilterError,
    ContextLengthError,
    LLMError,
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelTimeoutError,
    QuotaExceededError,
    RateLimitError,
    StreamInterruptedError,
    UnexpectedModelBehavior,
    UserError,
)
from ..json_types import Json
from ..transport.deadlines import DeadlineExceeded
from ..transport.errors import error_from_event, error_from_response

__all__ = ('explain', 'is_cut')


TIMEOUTS = frozenset({'Timeout', 'TimeoutError', 'TimeoutException', 'APITimeoutError'})
"""The exceptions that say of a limit of the connection's that it was reached."""

CONNECTIONS = frozenset({
    'TransportError',  # httpx
    'ClientConnectionError', 'ClientPayloadError',  # aiohttp
    'ConnectionClosedError', 'EndpointConnectionError',  # botocore
    'ConnectionError',
})  # fmt: skip
"""Those that say that the wire broke."""

MISTAKES = frozenset({'BadRequestError', 'NotFoundError', 'UnprocessableEntityError'})
"""Those that are the caller's mistake, where no vendor has answered."""

UNREADABLE = frozenset({'JSONDecodeError', 'APIResponseValidationError', 'ValidationError'})
"""Those that say that an answer was none."""

NO_ANSWER = ("no 'choices'", 'Empty or invalid response')
"""What LiteLLM writes of an answer that is none."""

NO_KEY = ('openai', 'OpenAIError')
"""What the `openai` package raises where it has no key: the mother of its exceptions, as no other is."""

NAMES = re.compile(r'^(?:(?:litellm\.)?\w*(?:Error|Timeout)(?: Error)?: |\w+Exception(?: \w+)? - )+')
"""The names that LiteLLM puts before what was said."""

ADVICE = re.compile(
    r'\s*(?:LiteLLM: model group|Traceback \(most recent call last\)|This looks like a bug in LiteLLM|Handle with `).*',
    re.DOTALL,
)
"""What it puts behind it."""

LINKS = 12
"""How many causes are followed."""


def explain(
    error: Exception, model_name: str, *, provider_name: str, secrets: Iterable[str], in_stream: bool = False
) -> Exception:
    """Our exception for one of LiteLLM's, without the keys that were given."""
    if isinstance(error, LLMError):
        return error
    if isinstance(error, DeadlineExceeded):
        return ModelTimeoutError(
            model_name, deadline=error.deadline, seconds=error.seconds, provider_name=provider_name
        )
    links = [*_chain(error)]
    names = {name for link in links for name in _names(link)}
    case = _Case(links, names, _without(_words(error), secrets), model_name, provider_name)
    if (known := case.special() or case.answered(secrets)) is not None:
        return known
    if names & TIMEOUTS:
        return ModelTimeoutError(model_name, deadline='timeout', seconds=None, provider_name=provider_name)
    if names & CONNECTIONS:
        return case.broken(in_stream=in_stream)
    return case.failed_inside() if in_stream else case.unanswered()


def is_cut(error: BaseException) -> bool:
    """Whether a stream ended before the vendor had said that the answer is over, which LiteLLM takes for an error."""
    return 'ended before a finish_reason' in str(error)


@dataclass(frozen=True, slots=True)
class _Case:
    """An exception with all that is known of it."""

    links: list[BaseException]
    names: set[str]
    said: str
    model_name: str
    provider_name: str

    def special(self) -> Exception | None:
        """What LiteLLM knows better than a status says it."""
        if 'ContentPolicyViolationError' in self.names:
            return ContentFilterError(self.said)
        if 'ContextWindowExceededError' in self.names:
            return self._http(ContextLengthError, 400, retryable=False)
        if 'BudgetExceededError' in self.names:
            return self._http(QuotaExceededError, 429, retryable=False)
        if self.names & {'RouterRateLimitError', 'RouterRateLimitErrorBasic'}:
            waits = (getattr(link, 'cooldown_time', None) for link in self.links)
            return self._http(RateLimitError, 429, retry_after=next((wait for wait in waits if wait is not None), None))
        return None

    def answered(self, secrets: Iterable[str]) -> ModelHTTPError | None:
        """The vendor's answer, which the last of the causes holds."""
        for link in reversed(self.links):
            response: Any = getattr(link, 'response', None)
            if response is not None and 'HTTPStatusError' in _names(link):
                body = _without(_body(response) or self.said, secrets).encode()
                return error_from_response(
                    response.status_code,
                    response.headers,
                    body,
                    model_name=self.model_name,
                    provider_name=self.provider_name,
                )
        return None

    def broken(self, *, in_stream: bool) -> ModelAPIError:
        """The wire broke."""
        kind: type[ModelConnectionError | StreamInterruptedError] = ModelConnectionError
        what = f'No answer from {self.model_name}'
        if in_stream:
            kind, what = StreamInterruptedError, f'The answer of {self.model_name} broke off'
        return kind(self.model_name, f'{what}: {self.said}', provider_name=self.provider_name)

    def failed_inside(self) -> ModelAPIError:
        """The vendor, or LiteLLM, failed inside a stream."""
        bodies: list[object] = [getattr(link, 'body', None) for link in self.links]
        told = [cast('Json', body) for body in bodies if isinstance(body, dict)]
        event: Json = {'error': {'code': self._status(), **(told[0] if told else {}), 'message': self.said}}
        return error_from_event(event, model_name=self.model_name, provider_name=self.provider_name)

    def unanswered(self) -> Exception:
        """Nobody answered, and no wire broke: LiteLLM refused, could not read an answer, or failed itself."""
        status, first = self._status(), _names(self.links[0])
        if self.names & UNREADABLE or any(words in self.said for words in NO_ANSWER):
            return UnexpectedModelBehavior(f'{self.model_name} did not answer with a chat completion: {self.said}')
        if first & MISTAKES or any((type(link).__module__, type(link).__name__) == NO_KEY for link in self.links):
            return UserError(f'LiteLLM cannot ask {self.model_name!r}: {self.said}')
        if status not in (None, 500):
            return error_from_response(
                status, {}, self.said.encode(), model_name=self.model_name, provider_name=self.provider_name
            )
        message = f'{self.model_name} could not be asked: {self.said}'
        return ModelAPIError(self.model_name, message, provider_name=self.provider_name)

    def _status(self) -> int | None:
        status: object = getattr(self.links[0], 'status_code', None)
        return status if isinstance(status, int) else None

    def _http(self, kind: type[ModelHTTPError], status: int, **more: Any) -> ModelHTTPError:
        message = f'{self.model_name} answered {status}: {self.said}'
        return kind(status, self.model_name, message=message, provider_name=self.provider_name, **more)


# ---------------------------------------------------------------------- reading exceptions


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, what it says that it comes from, and all below that."""
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen and len(seen) < LINKS:
        yield link
        seen.add(id(link))
        original: Any = getattr(link, 'original_exception', None)
        link = (
            original
            if isinstance(original, BaseException) and id(original) not in seen
            else (link.__cause__ or link.__context__)
        )


def _names(link: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(link).__mro__}


def _words(error: BaseException) -> str:
    """What was said, without LiteLLM's names for it."""
    words = getattr(error, 'message', None)
    text = words if isinstance(words, str) else str(error)
    return ADVICE.sub('', NAMES.sub('', text)).strip() or type(error).__name__


def _body(response: Any) -> str:
    with suppress(Exception):  # that of a stream was perhaps never read
        return bytes(response.content).decode('utf-8', 'replace')
    return ''


def _without(text: str, secrets: Iterable[str]) -> str:
    """The text without the keys in it, also as JSON writes them."""
    for secret in secrets:
        text = text.replace(secret, '[key]').replace(to_json(secret).decode()[1:-1], '[key]')
    return text
