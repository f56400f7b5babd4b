"""`RequestRecord`: what is measured of one request. It holds no content: metrics and access logs are made of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from time import perf_counter, time
from uuid import uuid4

from ..messages import ModelResponse
from ..observers import AttemptFailed, CacheHit, ModelFailed
from ..usage import RequestUsage

__all__ = ('REQUEST_ID_HEADER', 'RequestRecord', 'choose_request_id')

REQUEST_ID_HEADER = 'x-request-id'
"""The header with the id of a request, which a client or a proxy may choose."""

SENDABLE_ID = re.compile(r'[A-Za-z0-9._:/=+-]{1,128}')
"""An id that is taken over from a request. Another one would let a client write what it likes into the log."""


@dataclass(slots=True)
class RequestRecord:
    """The measurements of one request."""

    protocol: str
    """The name of the client's protocol."""
    request_id: str
    key_name: str = ''
    """The name of the key; empty without one."""
    model: str = ''
    """The name of the model, as the app knows it; empty if the app has no such model."""
    stream: bool = False
    status: int = 0
    """The HTTP status of the response; 0 if the client disconnected before it."""
    error: str = ''
    """The class of the error, if the request failed; `ClientDisconnect` if the client went away."""
    bytes_in: int = 0
    bytes_out: int = 0
    usage: RequestUsage | None = None
    """The tokens; `None` if the request failed before the model reported them."""
    cost: Decimal | None = None
    """The price in US dollars; `None` if it is unknown."""
    retries: int = 0
    """The attempts that failed before the same model was asked again."""
    fallbacks: int = 0
    """The models that failed inside a fallback or a router."""
    cache_hits: int = 0
    is_complete: bool = False
    """True if the client was sent all of the response, or all of an error."""
    first_token: float | None = None
    """Seconds until the first event of a stream."""
    seconds: float = 0.0
    """Seconds from the arrival to the last byte of the response."""
    received: float = field(default_factory=time)
    """The time of arrival, in seconds since 1970."""
    started: float = field(default_factory=perf_counter)
    _response: ModelResponse | None = None

    def observe(self, event: object) -> None:
        """Count what happens to the request on its way to the model: a listener of `pydantic_llm.observers`."""
        match event:
            case AttemptFailed():
                self.retries += 1
            case ModelFailed():
                self.fallbacks += 1
            case CacheHit():
                self.cache_hits += 1
            case _:
                pass

    def add_response(self, response: ModelResponse) -> None:
        """Take over the usage of a response, which may be incomplete."""
        self._response = response
        if response.usage.has_values():
            self.usage = response.usage

    def take_response(self) -> ModelResponse | None:
        """Return the response for its price, once: the record does not keep it."""
        response, self._response = self._response, None
        return response

    def record_first_token(self) -> None:
        if self.first_token is None:
            self.first_token = perf_counter() - self.started

    def finish(self) -> None:
        """Record the end of the request. Without a complete response and without an error, the client went away."""
        self.seconds = perf_counter() - self.started
        if not self.is_complete and not self.error:
            self.error = 'ClientDisconnect'


def choose_request_id(headers: Mapping[str, str]) -> str:
    """Return the id that the request has, if it can be logged and sent back, or a new one."""
    given = headers.get(REQUEST_ID_HEADER)
    return given if given is not None and SENDABLE_ID.fullmatch(given) else uuid4().hex
