"""Azure's connections: `AzureHTTPConnection`, and `AzureConnection` through a client of the `openai` package."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..transport import ByteStream, RawRequest, RawResponse
from ..transport.http import HTTPConnection
from ..transport.response import ClientConnection
from ..transport.sdk import SDKConnection

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ('AzureConnection', 'AzureHTTPConnection')


DEPLOYED_PATHS = frozenset({'/chat/completions', '/embeddings'})
"""The paths that need the name of a deployment before them, unless the base URL ends in `/v1`."""


class _DeploymentConnection(ClientConnection):
    """Sends requests with the deployment, which has the model's name, in the path."""

    async def send(self, request: RawRequest) -> RawResponse:
        return await super().send(self._with_deployment(request))

    async def open(self, request: RawRequest) -> ByteStream:
        return await super().open(self._with_deployment(request))

    @abstractmethod
    def _find_base_path(self) -> str:
        """Return the path of the base URL."""

    def _with_deployment(self, request: RawRequest) -> RawRequest:
        base = self._find_base_path().rstrip('/')
        if request.path not in DEPLOYED_PATHS or '/deployments' in base or base.endswith('/v1'):
            return request
        return replace(request, path=f'/deployments/{quote(request.model_name, safe="")}{request.path}')


class AzureConnection(_DeploymentConnection, SDKConnection):
    """Sends through a client of the `openai` package.

    The SDK itself adds the deployment only to bodies that it serialises (`AsyncAzureOpenAI._build_request`); these
    bodies are serialised already.
    """

    def _find_base_path(self) -> str:
        client: AsyncOpenAI = self._clients.get()
        return client.base_url.path


class AzureHTTPConnection(_DeploymentConnection, HTTPConnection):
    """Sends through a connection of our own. `base_path` is the path of the base URL."""

    def __init__(self, *args: Any, base_path: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self._base_path = base_path

    def _find_base_path(self) -> str:
        return self._base_path
