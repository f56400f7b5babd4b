"""`BaseGoogleProvider`, the base of the providers of Google's two APIs: a plain HTTP client, base URLs and profiles."""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..exceptions import UserError
from ..profiles import ModelProfile
from ..profiles.gemini import VERTEX, gemini_model_profile
from ..transport.called_keys import CalledKey, KeyHeader
from ..transport.clients import make_httpx2_client
from ..transport.http import Access, HTTPConnection
from ..transport.loops import LoopClients
from .credentials import check_url, find_value, hide_password
from .provider import ClientProvider, choose_client

if TYPE_CHECKING:
    import httpx
    import httpx2

__all__ = ('BaseGoogleProvider', 'find_base_url', 'with_google_key')

KEY_HEADER = 'x-goog-api-key'

VERSION = re.compile(r'/v\d+\w*$')
"""A version at the end of a base URL. The default version is appended to a URL without one."""

FORBIDDEN_PARTS = (
    ('/models', 'the rest from there on is added to it'),
    ('/openai', "it is the path of Google's version of OpenAI's API, which OpenAIModel supports"),
)
"""The parts that a base URL must not have, each with the reason."""


class BaseGoogleProvider(ClientProvider[Any]):
    """One of Google's APIs, over `httpx2` or `httpx`. Subclasses implement `access`, which authorizes a request.

    Raises a `UserError` if `http_client` is not asynchronous.
    """

    def __init__(
        self, base_url: str, http_client: httpx2.AsyncClient | httpx.AsyncClient | None, *, can_renew: bool
    ) -> None:
        self._base_url = base_url
        self._client = http_client  # see `client`
        clients = LoopClients[Any](*choose_client(http_client))
        self._connection = HTTPConnection(clients, self.access, provider_name=self.name, can_renew=can_renew)

    @abstractmethod
    async def access(self, model_name: str, *, refused: Access | None) -> Access:
        """Return the URL and the credentials of a request. `refused` is the access that the server rejected (401)."""

    @property
    def base_url(self) -> str:
        return hide_password(self._base_url)

    @property
    def client(self) -> Any:
        """The `http_client` that was given; without one, a client with the same time limits, made when it is read."""
        if self._client is None:
            self._client = make_httpx2_client()
        return self._client

    def model_profile(self, model_name: str) -> ModelProfile | None:
        return gemini_model_profile(model_name, vertex=self.name == VERTEX)


def find_base_url(base_url: str | None, *, variable: str, version: str, provider: str) -> str | None:
    """Return `base_url`, or the URL in the environment, with the API's version at its end; `None` if neither is set.

    Raises a `UserError` for an invalid URL.
    """
    where, url = find_value(base_url, (variable,), parameter='base_url=')
    if url is None:
        return None
    url = check_url(url, where=where, provider=provider).rstrip('/')
    for part, reason in FORBIDDEN_PARTS:
        if re.search(f'{part}(/|$)', url):
            raise UserError(f'{where} of {provider!r} is {hide_password(url)!r}: leave out {part!r}, {reason}')
    return url if VERSION.search(url) else f'{url}/{version}'


def with_google_key(access: Access, key: str | CalledKey) -> Access:
    """Return the access with a key, or with a function that returns it."""
    if isinstance(key, CalledKey):
        return replace(access, key_header=KeyHeader(KEY_HEADER, '{}', key))
    return replace(access, headers={**access.headers, KEY_HEADER: key})
