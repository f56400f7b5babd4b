"""Tokens of Google Cloud's credentials: one refresh serves all requests that wait for it, in any event loop or thread.

`google-auth` finds and refreshes credentials, and blocks while it does. It runs in a thread of its own, so that a
request can stop waiting, if its deadline has passed or it is cancelled, without ending the refresh for the others.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from importlib import import_module
from typing import Any

from ..exceptions import AuthenticationError, ModelAPIError, ModelConnectionError

__all__ = ('Tokens',)

TOKEN_LIKE = re.compile(r'(?:[\w-]+\.)*[\w-]{24,}(?:\.[\w-]+)*')
"""A text that looks like a token or a signed claim. A server may repeat in its error what it rejected."""

MAX_EXPLANATION = 300
"""The number of characters of Google's explanation that an error shows."""


class Tokens:
    """Credentials whose token is refreshed when it must be. May be used from any event loop and thread."""

    def __init__(self, credentials: Any, *, find: Callable[[], Any], provider_name: str) -> None:
        self._credentials = credentials
        self._find = find
        self._provider_name = provider_name
        self._lock = threading.Lock()
        self._refreshing: Future[None] | None = None

    async def get(self, model_name: str, *, refused: str | None = None) -> Any:
        """Return the credentials, refreshed if their token is missing, expired, or the `refused` one.

        Raises `AuthenticationError` if Google rejects the credentials, `ModelConnectionError` if there is no response,
        and every exception of `find`. The next call tries again.
        """
        failure = await self._wait_for_refresh(refused)
        if failure is not None and not (refused is None and self._is_token_usable()):
            raise self._translate(failure, model_name)
        return self._credentials

    async def _wait_for_refresh(self, refused: str | None) -> Exception | None:
        """Wait for a refresh if one is needed. Return the exception of `google-auth` if it failed."""
        future = self._start_refresh(refused)
        if future is None:
            return None
        try:
            await asyncio.wrap_future(future)
        except import_module('google.auth.exceptions').GoogleAuthError as error:
            failure: Exception = error
            return failure
        return None

    def _start_refresh(self, refused: str | None) -> Future[None] | None:
        """Return the running refresh, or start one. Return `None` if the token is valid."""
        with self._lock:
            if not self._needs_refresh(refused):
                return None
            if self._refreshing is None:
                self._refreshing = Future()
                self._refreshing.set_running_or_notify_cancel()  # a cancelled waiter cannot cancel it for others
                threading.Thread(target=self._refresh, args=(self._refreshing,), daemon=True).start()
            return self._refreshing

    def _needs_refresh(self, refused: str | None) -> bool:
        credentials = self._credentials
        return credentials is None or not credentials.valid or (refused is not None and refused == credentials.token)

    def _refresh(self, future: Future[None]) -> None:
        """Find the credentials if they are not known yet, and fetch a token. Runs in a thread."""
        try:
            credentials = self._find() if self._credentials is None else self._credentials
            with import_module('requests').Session() as session:
                credentials.refresh(import_module('google.auth.transport.requests').Request(session))
        except BaseException as error:  # noqa: BLE001 -- raised by `_wait_for_refresh`
            self._end_refresh()
            future.set_exception(error)
        else:
            self._end_refresh(credentials)
            future.set_result(None)

    def _end_refresh(self, credentials: Any = None) -> None:
        with self._lock:
            self._credentials = credentials or self._credentials
            self._refreshing = None

    def _is_token_usable(self) -> bool:
        """Return whether the old token, which `google-auth` refreshes minutes before it expires, is still valid."""
        state = import_module('google.auth.credentials').TokenState
        return self._credentials is not None and self._credentials.token_state is not state.INVALID

    def _translate(self, error: Any, model_name: str) -> ModelAPIError:
        """Return an error with Google's explanation, without `error` as its cause, which may hold the credentials."""
        explanation = TOKEN_LIKE.sub('[...]', str(error.args[0] if error.args else error))[:MAX_EXPLANATION]
        exceptions = import_module('google.auth.exceptions')
        if error.retryable or isinstance(error, (exceptions.TransportError, exceptions.TimeoutError)):
            message = f'No token for {model_name} from Google Cloud: {explanation}'
            return ModelConnectionError(model_name, message, provider_name=self._provider_name)
        return AuthenticationError(
            401,
            model_name,
            message=f'Google Cloud gives these credentials no token for {model_name}: {explanation}',
            provider_name=self._provider_name,
        )
