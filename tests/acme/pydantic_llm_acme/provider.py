"""Where Acme's API is, and how a request is authorised."""

from __future__ import annotations

import os

import httpx2

from pydantic_llm import UserError
from pydantic_llm.providers import Provider


class AcmeProvider(Provider[httpx2.AsyncClient]):
    """Acme's API. The key is `api_key` or the environment variable `ACME_API_KEY`, the URL also `ACME_BASE_URL`."""

    def __init__(self, *, api_key: str | None = None, base_url: str | None = None) -> None:
        key = api_key or os.environ.get('ACME_API_KEY')
        if not key:
            raise UserError('The key of Acme is missing: set the environment variable ACME_API_KEY, or give api_key=')
        self._base_url = base_url or os.environ.get('ACME_BASE_URL') or 'https://api.acme.example/v1'
        self._client = httpx2.AsyncClient(headers={'x-acme-key': key}, timeout=600)

    @property
    def name(self) -> str:
        """The provider's name."""
        return 'acme'

    @property
    def base_url(self) -> str:
        """The URL that paths are appended to."""
        return self._base_url

    @property
    def client(self) -> httpx2.AsyncClient:
        """The HTTP client, with the key in its headers."""
        return self._client
