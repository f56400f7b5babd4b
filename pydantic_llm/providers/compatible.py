"""The provider of a service that speaks OpenAI's API at another URL, made from its row in the registry."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from ..profiles import ModelProfile
from ..transport.called_keys import ApiKey, CalledKey
from .credentials import read_key, read_url
from .openai import OPENAI, OpenAIProvider
from .service import Service
from .vendor import Vendor, read_custom_headers

if TYPE_CHECKING:
    import httpx
    import httpx2
    from openai import AsyncOpenAI

__all__ = ('CompatibleProvider', 'compatible_class')


class CompatibleProvider(OpenAIProvider):
    """A service of the registry. Takes what `OpenAIProvider` takes, but reads its own environment variables.

    A `base_url` without a path gets the path of the service's usual URL: `http://gpu-1:11434` is enough.
    """

    vendor: ClassVar[Vendor] = replace(OPENAI, header_variables={}, custom_headers_variable=None)
    service: ClassVar[Service]
    """The service as data: its URL, its environment variables and its models' profiles."""

    def __init__(
        self,
        *,
        api_key: ApiKey | None = None,
        base_url: str | None = None,
        openai_client: AsyncOpenAI | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        super().__init__(api_key=api_key, base_url=base_url, openai_client=openai_client, http_client=http_client)

    def _choose_base_url(self, base_url: str | None) -> str:
        service = self.service
        url = read_url(base_url, variables=service.url_variables, provider=service.name)
        return service.address() if url is None else service.with_path(url)

    def _choose_key(self, api_key: ApiKey | None, *, needed: bool) -> str | CalledKey:
        service = self.service
        return read_key(api_key, variables=service.key_variables, provider=service.name, needed=service.needs_key)

    def _default_headers(self, sdk: Any) -> dict[str, Any]:
        """Keep from the service what the SDK reads from OpenAI's variables, and send the key instead of one there."""
        variable = str(OPENAI.custom_headers_variable)
        foreign = (*OPENAI.header_variables, *read_custom_headers(variable, provider=self.name))
        own = {name.lower(): value for name, value in self.default_headers.items()}
        return {name: own.get(name.lower(), sdk.omit) for name in foreign}

    @property
    def base_url(self) -> str:
        return super().base_url.rstrip('/')

    @property
    def name(self) -> str:
        return self.service.name

    def model_profile(self, model_name: str) -> ModelProfile | None:
        return self.service.profile(model_name)


@cache
def compatible_class(service: Service) -> type[CompatibleProvider]:
    """Return the provider class of a service that has no module of its own."""
    words = service.title.replace('.', '').split()
    title = ''.join(word[:1].upper() + word[1:] for word in words)
    members = {'service': service, '__doc__': f'{service.title}, at {service.base_url}.', '__module__': __name__}
    return type(f'{title}Provider', (CompatibleProvider,), members)
