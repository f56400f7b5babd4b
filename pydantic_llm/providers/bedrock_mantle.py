"""Amazon Bedrock's Mantle endpoint."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ..transport import ByteStream, RawRequest, RawResponse
from ..transport.sdk import SDKConnection
from .compatible import CompatibleProvider
from .registry import SERVICES

if TYPE_CHECKING:
    import httpx
    import httpx2
    from openai import AsyncOpenAI

__all__ = ('BedrockMantleProvider',)

OWN_PATH = '/openai/v1'
"""Where OpenAI's own models are served. The others are at the service's address, and each is refused at the other's.

https://docs.aws.amazon.com/bedrock/latest/userguide/inference-responses-api.html
"""

OWN_MODELS = re.compile(r'openai\.(gpt-\d|o\d)')
"""The names of OpenAI's own models, but for those with open weights."""


class BedrockMantleProvider(CompatibleProvider):
    """Amazon Bedrock's Mantle endpoint, by its OpenAI-compatible API.

    The key is a Bedrock API key; for other AWS credentials give a ready `AsyncBedrockOpenAI` as `openai_client`. A
    model is asked under the path that it is served at, unless `base_url` or `openai_client` say where.
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
        self._finds_paths = base_url is None and openai_client is None
        if region_name is not None and base_url is None:
            base_url = self.service.address(region_name)
        super().__init__(api_key=api_key, base_url=base_url, openai_client=openai_client, http_client=http_client)

    def _connection_kind(self) -> type[SDKConnection]:
        return MantleConnection if self._finds_paths else SDKConnection


class MantleConnection(SDKConnection):
    """A client of Mantle's: under which path a model is served depends on the model."""

    async def send(self, request: RawRequest) -> RawResponse:
        """Send a request and read the whole answer."""
        return await super().send(self._at_its_path(request))

    async def open(self, request: RawRequest) -> ByteStream:
        """Send a request and get its answer as it comes."""
        return await super().open(self._at_its_path(request))

    def _at_its_path(self, request: RawRequest) -> RawRequest:
        if not OWN_MODELS.match(request.model_name):
            return request
        client: AsyncOpenAI = self._clients.get()
        return replace(request, path=str(client.base_url.join(f'{OWN_PATH}{request.path}')))
