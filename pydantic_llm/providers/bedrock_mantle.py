"""Amazon Bedrock's Mantle endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .compatible import CompatibleProvider
from .registry import SERVICES

if TYPE_CHECKING:
    import httpx
    import httpx2
    from openai import AsyncOpenAI

__all__ = ('BedrockMantleProvider',)


class BedrockMantleProvider(CompatibleProvider):
    """Amazon Bedrock's Mantle endpoint, by its OpenAI-compatible API.

    The key is a Bedrock API key; for other AWS credentials give a ready `AsyncBedrockOpenAI` as `openai_client`.
    """

    service = SERVICES['bedrock-mantle']
    """The service's row."""

    def __init__(
        self,
        *,
        region_name: str | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        openai_client: AsyncOpenAI | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        if region_name is not None and base_url is None:
            base_url = self.service.address(region_name)
        super().__init__(api_key=api_key, base_url=base_url, openai_client=openai_client, http_client=http_client)
