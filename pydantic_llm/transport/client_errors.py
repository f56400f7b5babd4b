"""What a client raises when no answer comes → what we raise. Pure. Start at `Failures.explain`.

A chain of causes is kept where it helps (a certificate, a name that does not resolve) and cut where it may show a key:
an exception about a header holds the header.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from types import ModuleType
from typing import Protocol, cast

from ..exceptions import (
    LLMError,
    ModelAPIError,
    ModelConnectionError,
    ModelTimeoutError,
    StreamInterruptedError,
    UserError,
)
from .deadlines import DeadlineExceeded
from .errors import error_from_response

__all__ = ('ErrorTranslator',)

HTTP_LIBRARIES = frozenset({'httpx', 'httpx2', 'httpcore', 'httpcore2', 'aiohttp', 'anyio', 'h11', 'h2', 'ssl'})
"""Whose exceptions say that the wire broke."""

CLOSED = ('Connection closed', 'Session is closed', 'the handler is closed')
"""What aiohttp and uvloop say, as a `RuntimeError`, of a connection that was closed on our side."""

LOOK_AT_HEADERS = 'look at api_key= (or its environment variable) and at extra_headers='
OWN_CLIENT = 'give the provider a client of its own, or none'

MISTAKES: tuple[tuple[str, str, str], ...] = (
    ('LocalProtocolError', 'header', f'A header holds a character that HTTP does not allow: {LOOK_AT_HEADERS}'),
    ('ValueError', 'detected in headers', f'A header holds a line break: {LOOK_AT_HEADERS}'),
    ('UnicodeEncodeError', '', f'A header holds a character that is not ASCII: {LOOK_AT_HEADERS}'),
    ('TypeError', 'authentication method', 'The request has no key: give api_key=, or a client with credentials'),
    ('UnsupportedProtocol', '', 'base_url= is no address to send to: it must begin with https:// or http://'),
    ('InvalidURL', '', 'base_url= is no address to send to'),
    (
        'RuntimeError',
        'client has been closed',
        'The client that the provider was given has been closed: give an open one',
    ),
    ('RuntimeError', 'Event loop is closed', f'The client was used in an event loop that is closed now: {OWN_CLIENT}'),
    ('RuntimeError', 'to a different', f'The client is in use in another event loop: {OWN_CLIENT}'),
)
"""Mistakes of the caller that show only when something is sent: the exception's name, words in it, what to say."""

KEY_HEADERS = ('authorization', 'x-api-key', 'api-key', 'x-goog-api-key', 'x-amz-security-token')
"""Where a request has its key."""

SHORTEST_KEY = 8
"""What is shorter is no key, and would be found in harmless words."""


class _Request(Protocol):
    headers: Mapping[str, str]


class Response(Protocol):
    """An answer of any HTTP library."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes
    request: _Request


class _StatusError(Protocol):
    response: Response


class ErrorTranslator:
    """Explains what a client raises. `package` is whose client it is, and the three are what it calls its failures."""

    def __init__(
        self,
        provider_name: str,
        package: str,
        *,
        status: tuple[type[Exception], ...] = (),
        timeout: tuple[type[Exception], ...] = (),
        connection: tuple[type[Exception], ...] = (),
    ) -> None:
        self._provider_name = provider_name
        self._package = package
        self._status = status
        self._timeout = timeout
        self._connection = connection

    @classmethod
    def for_sdk(cls, sdk: ModuleType, provider_name: str) -> ErrorTranslator:
        """Explains what the client of an SDK like OpenAI's raises. `sdk` is the SDK's module."""
        return cls(
            provider_name,
            sdk.__name__,
            status=(sdk.APIStatusError,),
            timeout=(sdk.APITimeoutError,),
            connection=(sdk.APIConnectionError,),
        )

    def translate(self, error: Exception, model_name: str) -> Exception:
        """Our exception, with its cause; what others raise (a token provider of the user's) comes back as it is."""
        if isinstance(error, LLMError):
            return error
        if isinstance(error, DeadlineExceeded):
            return self._too_late(model_name, error.deadline, error.seconds)
        if isinstance(error, self._status):
            return self.from_response(cast('_StatusError', error).response, model_name)
        if (mistake := _mistake(error)) is not None:
            return UserError(mistake)
        explained = self._unanswered(error, model_name)
        if explained is not error and not _shows_a_key(error):
            explained.__cause__ = error
        return explained

    def translate_in_stream(self, error: Exception, model_name: str) -> Exception:
        """Our exception for a wire that broke after the answer had begun."""
        explained = self.translate(error, model_name)
        if not isinstance(explained, ModelConnectionError):
            return explained
        message = f'The answer of {model_name} broke off: {_words(error)}'
        broken = StreamInterruptedError(model_name, message, provider_name=self._provider_name)
        broken.__cause__ = explained.__cause__
        return broken

    def from_response(self, response: Response, model_name: str) -> ModelAPIError:
        """Our exception for an answer with an error status, whose body has been read."""
        return error_from_response(
            response.status_code,
            response.headers,
            _without_keys(response),
            model_name=model_name,
            provider_name=self._provider_name,
        )

    def _unanswered(self, error: Exception, model_name: str) -> Exception:
        if self._is_timeout(error):
            return self._too_late(model_name, 'timeout', None)
        kinds = (*self._connection, *self._timeout, OSError)
        if isinstance(error, kinds) or _is_from(error, HTTP_LIBRARIES) or _is_closed(error):
            message = f'No answer from {model_name}: {_words(error)}'
            return ModelConnectionError(model_name, message, provider_name=self._provider_name)
        if _is_from(error, {self._package}):
            message = f'{model_name} could not be asked: {_words(error)}'
            return ModelAPIError(model_name, message, provider_name=self._provider_name)
        return error

    def _is_timeout(self, error: Exception) -> bool:
        """Whether a limit of the connection's own was reached.

        Over aiohttp, whatever goes wrong while connecting looks like one; the truth is aiohttp's own exception below.
        """
        below = next((link for link in _chain(error) if _is_from(link, {'aiohttp'})), None)
        if below is not None:
            return isinstance(below, TimeoutError)
        return isinstance(error, (*self._timeout, TimeoutError)) or 'Timeout' in type(error).__name__

    def _too_late(self, model_name: str, deadline: str, seconds: float | None) -> ModelTimeoutError:
        return ModelTimeoutError(model_name, deadline=deadline, seconds=seconds, provider_name=self._provider_name)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and all that a traceback shows below it."""
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        yield link
        seen.add(id(link))
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _is_from(error: BaseException, packages: Set[str]) -> bool:
    return any(kind.__module__.partition('.')[0] in packages for kind in type(error).__mro__)


def _is_closed(error: Exception) -> bool:
    return isinstance(error, RuntimeError) and any(words in str(error) for words in CLOSED)


def _mistake(error: Exception) -> str | None:
    for link in _chain(error):
        names = {kind.__name__ for kind in type(link).__mro__}
        words = str(link)
        for name, part, sentence in MISTAKES:
            if name in names and part in words:
                return sentence
    return None


def _words(error: Exception) -> str:
    """What the nearest cause says: an SDK's own words say nothing."""
    causes: list[BaseException] = []
    link = error.__cause__
    while link is not None and link not in causes:
        causes.append(link)
        link = link.__cause__
    said = next((str(cause) for cause in causes if str(cause)), '') if causes else str(error)
    return said or type(causes[0] if causes else error).__name__


def _shows_a_key(error: Exception) -> bool:
    """Whether the chain spells the key out: aiohttp's exceptions list the headers of the request."""
    links = list(_chain(error))
    requests = [request for request in map(_request_of, links) if request is not None]
    keys = {key for request in requests for key in _keys(request)}
    return any(key in repr(link) for key in keys for link in links)


def _without_keys(response: Response) -> bytes:
    """The body, without the key, which some servers repeat."""
    body = response.content
    for key in _keys(response.request):
        body = body.replace(key.encode(), b'[key]')
    return body


def _keys(request: _Request) -> Iterator[str]:
    for name in KEY_HEADERS:
        key = request.headers.get(name, '').rpartition(' ')[2]
        if len(key) >= SHORTEST_KEY:
            yield key


def _request_of(link: BaseException) -> _Request | None:
    """The request that an exception is about: httpx and the SDKs call it `request`, aiohttp `request_info`."""
    with suppress(RuntimeError):  # httpx's word for an exception that belongs to no request
        return cast('_Request | None', getattr(link, 'request', None) or getattr(link, 'request_info', None))
    return None
