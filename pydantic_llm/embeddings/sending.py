"""Sends one request to an API that takes and returns JSON, with retries within the time that is left of a call."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from pydantic_core import from_json

from ..exceptions import LLMError, ModelTimeoutError, UnexpectedModelBehavior
from ..json_types import Json
from ..models import check_allow_model_requests
from ..observers import HeadersReceived, notify
from ..retries.budget import Budget
from ..settings import ModelSettings
from ..transport import Connection, Deadlines, RawRequest
from ..transport.keys import hide_keys_in_error
from ..wire.json_body import write_json
from ..wire.reader import DECODING_ERRORS

__all__ = ('Sender',)

T = TypeVar('T')

Decode = Callable[[Json, Mapping[str, str]], T]
"""A function that reads a response from its body and its headers."""


class Sender:
    """Sends the requests of one call, which share its `timeout`."""

    def __init__(
        self, connection: Connection, model_name: str, settings: Mapping[str, Any], *, provider_name: str
    ) -> None:
        check_allow_model_requests()
        self._connection = connection
        self._provider_name = provider_name
        self._model_name = model_name
        self._settings = settings
        self._began = time.monotonic()

    async def load(self) -> None:
        """Load the packages that the first request needs. The time of the call begins afterwards."""
        await self._connection.load()
        self._began = time.monotonic()

    async def post(self, path: str, body: Json, decode: Decode[T]) -> T:
        """Send a body, and return what `decode` reads in the response.

        Raises the errors of `Model.request`; `UnexpectedModelBehavior` if the response is no object, or if `decode`
        raises `KeyError`, `TypeError`, `ValueError` or `AttributeError`.
        """
        settings, timeout = self._settings, self._settings.get('timeout')
        content = write_json({**body, **settings.get('extra_body', {})})
        budget = Budget.of(cast('ModelSettings', {**settings, 'timeout': self._find_time_left()}))

        def make_request() -> RawRequest:
            waited = 0.0 if timeout is None else timeout - (self._find_time_left() or 0.0)
            deadlines = Deadlines(timeout, waited=waited)
            return RawRequest(path, content, self._model_name, settings.get('extra_headers', {}), deadlines)

        async def attempt() -> T:
            response = await self._connection.send(make_request())
            notify(HeadersReceived(response.headers))
            try:
                return self._read(response.body, response.headers, decode)
            except LLMError as error:
                hide_keys_in_error(error, response.find_keys())
                failure = error
            raise failure

        return await budget.run(attempt)

    def _find_time_left(self) -> float | None:
        """Return the seconds that are left of the timeout. Raises `ModelTimeoutError` if no time is left."""
        timeout: float | None = self._settings.get('timeout')
        if timeout is None:
            return None
        left = timeout - (time.monotonic() - self._began)
        if left <= 0:
            raise ModelTimeoutError(
                self._model_name, deadline='timeout', seconds=timeout, provider_name=self._provider_name
            )
        return left

    def _read(self, content: bytes, headers: Mapping[str, str], decode: Decode[T]) -> T:
        shown = content[:2000].decode(errors='replace')
        try:
            body: object = from_json(content)
        except ValueError:
            body = None
        if not isinstance(body, (dict, list)):
            raise UnexpectedModelBehavior(f'The response of {self._model_name} is not a JSON object', shown)
        fields = cast('Json', body if isinstance(body, dict) else {'data': body})
        try:
            return decode(fields, headers)
        except DECODING_ERRORS as error:
            message = f'The response of {self._model_name} has an unexpected form: {type(error).__name__}: {error}'
            raise UnexpectedModelBehavior(message, shown) from None
