"""The provider of OpenRouter: a row of the registry as a class, with the headers that name the application."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from ..transport.called_keys import ApiKey
from .compatible import CompatibleProvider
from .registry import SERVICES
from .service import Service
from .vendor import Vendor

if TYPE_CHECKING:
    import httpx
    import httpx2
    from openai import AsyncOpenAI

__all__ = ('OpenRouterProvider',)

APP_HEADERS = {'HTTP-Referer': 'OPENROUTER_APP_URL', 'X-Title': 'OPENROUTER_APP_TITLE'}
"""The headers that name the application -> the environment variables with their values.

https://openrouter.ai/docs/app-attribution; the variables are those of pydantic-ai.
"""


class OpenRouterProvider(CompatibleProvider):
    """OpenRouter, over its OpenAI-compatible API.

    `app_url` and `app_title` name your application in OpenRouter's rankings.
    """

    service: ClassVar[Service] = SERVICES['openrouter']
    vendor: ClassVar[Vendor] = replace(CompatibleProvider.vendor, header_variables=APP_HEADERS)

    def __init__(
        self,
        *,
        api_key: ApiKey | None = None,
        app_url: str | None = None,
        app_title: str | None = None,
        base_url: str | None = None,
        openai_client: AsyncOpenAI | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        self._named_headers = {'HTTP-Referer': app_url, 'X-Title': app_title}
        super().__init__(api_key=api_key, base_url=base_url, openai_client=openai_client, http_client=http_client)

    def _default_headers(self, sdk: Any) -> dict[str, Any]:
        own = {name: value for name, value in self.default_headers.items() if name in APP_HEADERS}
        return {**super()._default_headers(sdk), **own}
