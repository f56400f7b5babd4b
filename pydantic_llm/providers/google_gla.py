"""Google's Generative Language API: Gemini with an API key. The key travels in a header, never in an address."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..transport.http import Access
from .credentials import read_key
from .google import GoogleProvider, read_address

if TYPE_CHECKING:
    import httpx
    import httpx2

__all__ = ('GoogleGLAProvider',)

BASE_URL = 'https://generativelanguage.googleapis.com/v1beta'

URL_VARIABLE = 'GOOGLE_GEMINI_BASE_URL'
KEY_VARIABLES = ('GEMINI_API_KEY', 'GOOGLE_API_KEY')


class GoogleGLAProvider(GoogleProvider):
    """The Generative Language API.

    With a `base_url` of another server (or `GOOGLE_GEMINI_BASE_URL`) no key is needed; the API's version may stand at
    its end. Raises a `UserError` for a missing key (`GEMINI_API_KEY` or `GOOGLE_API_KEY`), and for a key or an address
    that cannot be used.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        elsewhere = read_address(base_url, variable=URL_VARIABLE, version='v1beta', provider=self.name)
        self._access = Access(elsewhere or BASE_URL, self._credentials(api_key, needed=elsewhere is None))
        super().__init__(self._access.base_url, http_client, can_renew=False)

    def _credentials(self, api_key: str | None, *, needed: bool) -> dict[str, str]:
        """The header with the key. Only Google itself cannot do without one."""
        if not (needed or api_key or any(os.environ.get(name) for name in KEY_VARIABLES)):
            return {}
        return {'x-goog-api-key': read_key(api_key, variables=KEY_VARIABLES, provider=self.name)}

    async def access(self, model_name: str, *, refused: Access | None) -> Access:
        """The address, and the key."""
        return self._access

    @property
    def name(self) -> str:
        """`'google-gla'`."""
        return 'google-gla'
