"""Fetches a boto3 client's credentials without blocking the event loop: `AwsCredentials`."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import Any

from .._threads import Once

__all__ = ('AwsCredentials', 'FetchedCredentials')

LOCAL = ('Credentials', 'ReadOnlyCredentials', 'FrozenAuthToken')
"""botocore's classes of credentials that are never fetched."""


class AwsCredentials:
    """The credentials of a boto3 client, which may come from a metadata server, a single sign-on or a role.

    botocore blocks while it fetches them, so a fetch runs in its own thread. One fetch serves all waiters, in any event
    loop, and goes on if a waiter is cancelled.
    """

    def __init__(self, aws: Any) -> None:
        signer = aws._request_signer
        self._is_token = _signs_with_bearer_token(aws)
        self._source: Any = signer._auth_token if self._is_token else signer._credentials
        self._lock = threading.Lock()
        self._fetching: Once[FetchedCredentials] | None = None

    async def get(self) -> FetchedCredentials | None:
        """Return newly fetched credentials, or `None` if botocore can sign with the client's own at once."""
        if not self._must_fetch():
            return None
        with self._lock:
            fetching = self._fetching = self._fetching or Once(self._fetch)
        fetched = await fetching.get()
        return None if self._is_token else fetched

    def _must_fetch(self) -> bool:
        """Return whether botocore would fetch the credentials now. A source of an unknown class may always block."""
        source = self._source
        if hasattr(source, 'refresh_needed'):
            return bool(source.refresh_needed())
        if hasattr(source, '_should_refresh'):
            return source._should_refresh() is not None
        return source is not None and type(source).__name__ not in LOCAL

    def _fetch(self) -> FetchedCredentials:
        try:
            source = self._source
            return FetchedCredentials(source.get_frozen_token() if self._is_token else source.get_frozen_credentials())
        except Exception as error:  # noqa: BLE001 -- raised when a request is signed with them
            return FetchedCredentials(error=error)
        finally:
            with self._lock:
                self._fetching = None


class FetchedCredentials:
    """The result of a fetch: credentials, or an error. botocore signs with it."""

    def __init__(self, credentials: Any = None, error: Exception | None = None) -> None:
        self._credentials = credentials
        self._error = error

    def get_frozen_credentials(self) -> Any:
        """Return the credentials. Raises the error of the fetch, while signing, as botocore would."""
        if self._error is not None:
            raise self._error
        return self._credentials


def _signs_with_bearer_token(aws: Any) -> bool:
    """Return whether a client signs with a bearer token. botocore decides this again for each request."""
    config, service = aws.meta.config, aws.meta.service_model
    context = {'client_config': config, 'auth_options': service.metadata.get('auth')}
    choose = import_module('botocore.handlers')._set_auth_scheme_preference_signer
    return bool((choose(context, service.signing_name) or config.signature_version) == 'bearer')
