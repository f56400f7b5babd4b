"""Google's Generative Language API: Gemini with an API key. The key travels in a header, never in an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..transport.http import Access
from . import read_key
from .google import GoogleProvider

if TYPE_CHECKING:
    import httpx
    import httpx2

__all__ = ('GoogleGLAProvider',)

BASE_URL = 'https://generativelanguage.googleapis.com/v1beta'


class GoogleGLAProvider(GoogleProvider):
    """The Generative Language API. Raises `UserError` where the key is missing (GEMINI_API_KEY or GOOGLE_API_KEY)."""

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        key = read_key(api_key, variables=('GEMINI_API_KEY', 'GOOGLE_API_KEY'), provider=self.name)
        self._headers = {'x-goog-api-key': key}
        self._base_url = (base_url or BASE_URL).rstrip('/')
        super().__init__(http_client, renews=False)

    async def access(self, *, renew: bool) -> Access:
        """The address, and the key."""
        return Access(self._base_url, self._headers)

    @property
    def name(self) -> str:
        """`'google-gla'`."""
        return 'google-gla'

    @property
    def base_url(self) -> str:
        """Where requests go."""
        return self._base_url
