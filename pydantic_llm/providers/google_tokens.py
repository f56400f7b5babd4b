"""The tokens of Google Cloud's credentials: one refresh serves everyone who waits for it, in any event loop or thread.

`google-auth` finds and refreshes credentials, and blocks while it does. That happens in a thread of its own, so that a
request can give up waiting, when its deadline has passed or it is cancelled, without ending it for the others.
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
"""What looks like a token or a signed claim; a server may repeat what it refuses."""

MAX_WORDS = 300
"""How much of an explanation is shown."""


class Tokens:
    """Credentials with a token that is good. May be used from any event loop and thread."""

    def __init__(self, credentials: Any, *, find: Callable[[], Any], provider_name: str) -> None:
        self._credentials = credentials
        self._find = find
        self._provider_name = provider_name
        self._lock = threading.Lock()
        self._refreshing: Future[None] | None = None

    async def get(self, model_name: str, *, refused: str | None = None) -> Any:
        """The credentials, refreshed where they must be: they have no token, an old one, or the one that was refused.

        Raises `AuthenticationError` where the credentials are not accepted, `ModelConnectionError` where there is no
        answer, and whatever `find` raises. The next call tries again.
        """
        failure = await self._wait(refused)
        if failure is not None and not (refused is None and self._still_good()):
            raise self._explain(failure, model_name)
        return self._credentials

    async def _wait(self, refused: str | None) -> Exception | None:
        """Wait for a refresh, if there must be one, and get what went wrong with it at Google's side."""
        future = self._begin(refused)
        if future is None:
            return None
        try:
            await asyncio.wrap_future(future)
        except import_module('google.auth.exceptions').GoogleAuthError as error:
            failure: Exception = error
            return failure
        return None

    def _begin(self, refused: str | None) -> Future[None] | None:
        """The refresh that is under way, or a new one; `None` where the token is good."""
        with self._lock:
            if not self._is_due(refused):
                return None
            if self._refreshing is None:
                self._refreshing = Future()
                self._refreshing.set_running_or_notify_cancel()  # who gives up waiting does not end it for the others
                threading.Thread(target=self._refresh, args=(self._refreshing,), daemon=True).start()
            return self._refreshing

    def _is_due(self, refused: str | None) -> bool:
        credentials = self._credentials
        return credentials is None or not credentials.valid or (refused is not None and refused == credentials.token)

    def _refresh(self, future: Future[None]) -> None:
        """Find the credentials, where they are not known, and get a token."""
        try:
            credentials = self._find() if self._credentials is None else self._credentials
            with import_module('requests').Session() as session:
                credentials.refresh(import_module('google.auth.transport.requests').Request(session))
        except BaseException as error:  # noqa: BLE001 -- raised where it is waited for
            self._end()
            future.set_exception(error)
        else:
            self._end(credentials)
            future.set_result(None)

    def _end(self, credentials: Any = None) -> None:
        with self._lock:
            self._credentials = credentials or self._credentials
            self._refreshing = None

    def _still_good(self) -> bool:
        """Whether the old token can be used for the minutes that it has left."""
        state = import_module('google.auth.credentials').TokenState
        return self._credentials is not None and self._credentials.token_state is not state.INVALID

    def _explain(self, error: Any, model_name: str) -> ModelAPIError:
        """Our error, in Google's words; the error itself may hold what was sent."""
        said = TOKEN_LIKE.sub('[...]', str(error.args[0] if error.args else error))[:MAX_WORDS]
        exceptions = import_module('google.auth.exceptions')
        if error.retryable or isinstance(error, (exceptions.TransportError, exceptions.TimeoutError)):
            message = f'No token for {model_name} from Google Cloud: {said}'
            return ModelConnectionError(model_name, message, provider_name=self._provider_name)
        return AuthenticationError(
            401,
            model_name,
            message=f'Google Cloud gives these credentials no token for {model_name}: {said}',
            provider_name=self._provider_name,
        )
