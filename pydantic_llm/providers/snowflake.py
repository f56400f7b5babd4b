"""The provider of Snowflake Cortex: a row of the registry as a class, with a parameter for the account."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..transport.called_keys import ApiKey
from .compatible import CompatibleProvider
from .registry import SERVICES
from .service import Service

if TYPE_CHECKING:
    import httpx
    import httpx2
    from openai import AsyncOpenAI

__all__ = ('SnowflakeProvider',)


class SnowflakeProvider(CompatibleProvider):
    """Snowflake Cortex, over its OpenAI-compatible API.

    `account` is the account identifier, e.g. `myorg-myaccount`; the key is a programmatic access token.
    """

    service: ClassVar[Service] = SERVICES['snowflake']

    def __init__(
        self,
        *,
        account: str | None = None,
        api_key: ApiKey | None = None,
        base_url: str | None = None,
        openai_client: AsyncOpenAI | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        if account is not None and base_url is None:
            base_url = self.service.address(account)
        super().__init__(api_key=api_key, base_url=base_url, openai_client=openai_client, http_client=http_client)
