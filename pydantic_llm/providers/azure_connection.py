"""The connection of Azure's clients: `AzureProvider`'s, and `OpenAIProvider`'s if it is given an `AsyncAzureOpenAI`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from ..transport import ByteStream, RawRequest, RawResponse
from ..transport.sdk import SDKConnection

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ('AzureConnection', 'TokenFailure')


class TokenFailure(Exception):
    """Carries an exception of a token provider past the SDK, which would report it as a network error."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class AzureConnection(SDKConnection):
    """Sends requests through a client of Azure's, with the deployment, which has the model's name, in the path.

    The SDK itself adds the deployment only to bodies that it serialises (`AsyncAzureOpenAI._build_request`); these
    bodies are serialised already.
    """

    async def send(self, request: RawRequest) -> RawResponse:
        try:
            return await super().send(self._with_deployment(request))
        except TokenFailure as failure:
            error = failure.error
        raise error

    async def open(self, request: RawRequest) -> ByteStream:
        try:
            return await super().open(self._with_deployment(request))
        except TokenFailure as failure:
            error = failure.error
        raise error

    def _with_deployment(self, request: RawRequest) -> RawRequest:
        client: AsyncOpenAI = self._clients.get()
        base = client.base_url.path.rstrip('/')
        if request.path != '/chat/completions' or '/deployments' in base or base.endswith('/v1'):
            return request
        return replace(request, path=f'/deployments/{quote(request.model_name, safe="")}{request.path}')
