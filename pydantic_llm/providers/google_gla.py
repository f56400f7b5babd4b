"""The provider of Google's Generative Language API: Gemini with an API key, sent in a header and never in a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..transport.called_keys import ApiKey
from ..transport.http import Access
from .credentials import read_key, read_variable
from .google_base import BaseGoogleProvider, find_base_url, with_google_key

if TYPE_CHECKING:
    import httpx
    import httpx2

__all__ = ('GoogleGLAProvider',)

BASE_URL = 'https://generativelanguage.googleapis.com/v1beta'

URL_VARIABLE = 'GOOGLE_GEMINI_BASE_URL'
KEY_VARIABLES = ('GEMINI_API_KEY', 'GOOGLE_API_KEY')


class GoogleGLAProvider(BaseGoogleProvider):
    """Google's Generative Language API.

    With a `base_url` of another server (or `GOOGLE_GEMINI_BASE_URL`) no key is needed; the URL may end with a version
    of the API. Raises a `UserError` for a missing key (`GEMINI_API_KEY` or `GOOGLE_API_KEY`), and for a key or a URL
    that is invalid.
    """

    def __init__(
        self,
        *,
        api_key: ApiKey | None = None,
        base_url: str | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        other_url = find_base_url(base_url, variable=URL_VARIABLE, version='v1beta', provider=self.name)
        self._access = Access(other_url or BASE_URL)
        if other_url is None or api_key or read_variable(KEY_VARIABLES):
            key = read_key(api_key, variables=KEY_VARIABLES, provider=self.name)
            self._access = with_google_key(self._access, key)
        super().__init__(self._access.base_url, http_client, can_renew=False)

    async def access(self, model_name: str, *, refused: Access | None) -> Access:
        return self._access

    @property
    def name(self) -> str:
        return 'google-gla'
