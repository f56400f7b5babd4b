"""The provider of Amazon Bedrock's Mantle endpoint, which serves models below two paths."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from ..transport.called_keys import ApiKey
from ..transport.http import Access, AccessSource, make_fixed_access
from .compatible import CompatibleProvider
from .registry import SERVICES
from .service import Service

if TYPE_CHECKING:
    import httpx
    import httpx2
    from openai import AsyncOpenAI

__all__ = ('BedrockMantleProvider',)

OPENAI_PATH = '/openai/v1'
"""The path below which OpenAI's own models are served. All others are served below the path of the registry's row; a
model is refused below the path that is not its own.

https://docs.aws.amazon.com/bedrock/latest/userguide/inference-responses-api.html
"""

OPENAI_MODELS = re.compile(r'openai\.(gpt-\d|o\d)')
"""The names of OpenAI's own models, without those with open weights (`openai.gpt-oss-120b`)."""


class BedrockMantleProvider(CompatibleProvider):
    """Amazon Bedrock's Mantle endpoint, over its OpenAI-compatible API.

    The key is a Bedrock API key; for other AWS credentials give a ready `AsyncBedrockOpenAI` as `openai_client`. Each
    request goes to the path that serves its model, unless `base_url` or `openai_client` is given.
    """

    service: ClassVar[Service] = SERVICES['bedrock-mantle']

    def __init__(
        self,
        *,
        region_name: str | None = None,
        api_key: ApiKey | None = None,
        base_url: str | None = None,
        openai_client: AsyncOpenAI | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        self._chooses_path = base_url is None
        if region_name is not None and base_url is None:
            base_url = self.service.address(region_name)
        super().__init__(api_key=api_key, base_url=base_url, openai_client=openai_client, http_client=http_client)

    def _make_source(self, access: Access) -> AccessSource:
        """Return the access below the path that serves each model."""
        if not self._chooses_path:
            return make_fixed_access(access)
        root = access.base_url.removesuffix(urlsplit(access.base_url).path)
        for_openai = replace(access, base_url=root + OPENAI_PATH)

        async def choose_access(model_name: str, *, refused: Access | None) -> Access:
            return for_openai if OPENAI_MODELS.match(model_name) else access

        return choose_access
