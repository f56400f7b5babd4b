"""A provider for a service that speaks OpenAI's API under another address, made from its row in the registry."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from ..exceptions import UserError
from ..profiles import ModelProfile
from .openai import NO_KEY, OpenAIProvider
from .registry import SERVICES, Service

if TYPE_CHECKING:
    import httpx
    import httpx2
    from openai import AsyncOpenAI

__all__ = ('CompatibleProvider', 'compatible_class')


class CompatibleProvider(OpenAIProvider):
    """A service of the registry. Takes what `OpenAIProvider` takes; its address and key variable are its own."""

    service: ClassVar[Service]
    """The service's row."""

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        openai_client: AsyncOpenAI | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        if openai_client is None:
            base_url = base_url or self._address()
        super().__init__(api_key=api_key, base_url=base_url, openai_client=openai_client, http_client=http_client)

    def _address(self) -> str:
        """The service's address, or the one in its environment variable."""
        service = self.service
        found = os.environ.get(service.url_variable, '') if service.url_variable else ''
        if address := found or service.base_url:
            return address
        raise UserError(
            f'Where {service.name!r} is, is not known: set the environment variable {service.url_variable}, or give base_url='
        )

    def _key(self, api_key: str | None, base_url: str | None) -> str:
        from . import read_key

        service = self.service
        if not service.needs_key:
            found = (os.environ.get(name) for name in service.key_variables)
            return api_key or next((key for key in found if key), NO_KEY)
        return read_key(api_key, variables=service.key_variables, provider=service.name)

    @property
    def name(self) -> str:
        """The service's name."""
        return self.service.name

    def model_profile(self, model_name: str) -> ModelProfile | None:
        """What a model of this service can do: its family's profile with the service's own facts laid over it."""
        return self.service.profile(model_name)


def compatible_class(name: str) -> type[CompatibleProvider]:
    """The provider class of a service of the registry."""
    service = SERVICES[name]
    title = ''.join(word.capitalize() for word in name.replace('_', '-').split('-'))
    doc = f'{service.title}, at {service.base_url or "the address that you give"}.'
    return type(f'{title}Provider', (CompatibleProvider,), {'service': service, '__doc__': doc, '__module__': __name__})
