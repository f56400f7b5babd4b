"""Sends through a vendor's own client: `AsyncOpenAI`, `AsyncAnthropic`, `AsyncGroq` and other clients like them.

The client does credentials, base URL, default headers, proxies and TLS. The body goes through its low-level `post` as
bytes, and the response comes back as bytes. The client's retries are off for each request, because `retries.budget` is
the only retry budget.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any, Literal

from pydantic_core import from_json

from . import Deadlines, RawRequest
from .client_errors import ErrorTranslator
from .file_body import FileBody
from .loops import LoopClients
from .response import ClientConnection, client_timeout

__all__ = ('SDKConnection',)

UNLIMITED = Deadlines()


class SDKConnection(ClientConnection):
    """Sends through an SDK's client.

    `sdk` is the SDK's module, whose exceptions are translated; `http` is the HTTP library that it is built on. If
    `rewrites_body` is true, the client gets the body as a dict instead of bytes: Anthropic's clients for Vertex and
    Bedrock move the model's name from the body to the URL.
    """

    def __init__(
        self,
        clients: LoopClients[Any],
        sdk: ModuleType,
        *,
        provider_name: str,
        http: Literal['httpx', 'httpx2'] = 'httpx2',
        rewrites_body: bool = False,
    ) -> None:
        super().__init__(clients, ErrorTranslator.for_sdk(sdk, provider_name))
        self._sdk = sdk
        self._http = http
        self._rewrites_body = rewrites_body

    async def post(self, client: Any, request: RawRequest, deadlines: Deadlines) -> Any:
        try:
            return await self._post_once(client, request, deadlines)
        except self._sdk.APIStatusError as error:
            if error.status_code != 401 or client.custom_auth is None or not client._should_retry(error.response):
                raise
        # For a 401, `AsyncAnthropic._should_retry` drops the cached access token and asks for one more attempt
        # (anthropic/_client.py); with retries switched off, the SDK does not make that attempt itself.
        return await self._post_once(client, request, deadlines)

    async def _post_once(self, client: Any, request: RawRequest, deadlines: Deadlines) -> Any:
        http = import_module(self._http)
        options: dict[str, Any] = {
            'max_retries': 0,
            'follow_redirects': True,  # `guard` lets no redirect lead to another host
            'headers': {'Content-Type': 'application/json', **request.headers},
        }
        if deadlines != UNLIMITED:
            options['timeout'] = client_timeout(http.Timeout, client.timeout, deadlines)
        # `stream` also for complete responses: otherwise the SDK reads the body itself, without a size limit
        expected: dict[str, Any] = {'cast_to': http.Response, 'stream': True, 'stream_cls': None}
        if request.method == 'GET':
            return await client.get(request.path, options=options, **expected)
        if request.method == 'DELETE':
            return await client.delete(request.path, options=options, cast_to=http.Response)
        if request.file is not None:
            return await self._send_file(client, request, request.file, options, expected)
        body = {'body': from_json(request.body)} if self._rewrites_body else {'content': request.body}
        return await client.post(request.path, options=options, **expected, **body)

    async def _send_file(
        self, client: Any, request: RawRequest, file: FileBody, options: dict[str, Any], expected: dict[str, Any]
    ) -> Any:
        """Post a file, or a form with it, which the client encodes itself: with a boundary, it refuses `content`."""
        if file.form is None:
            headers = {**file.headers, 'Content-Length': str(len(file)), **request.headers}
            return await client.post(request.path, options={**options, 'headers': headers}, content=file, **expected)
        options = {**options, 'headers': {'Content-Type': 'multipart/form-data', **request.headers}}
        part = {'file': (file.name, file.file, file.content_type)}
        return await client.post(request.path, options=options, body=dict(file.form), files=part, **expected)
