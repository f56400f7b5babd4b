"""The vendor's own client as the connection: `AsyncOpenAI`, `AsyncAnthropic`, `AsyncGroq` and their kin.

Such a client does credentials, base URL, default headers, proxies and TLS. The body goes through its low-level `post`
as bytes, and the answer comes back as bytes. Its retries are off for each call: there is one retry budget, and it is
ours.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any, Literal

from pydantic_core import from_json

from . import Deadlines, RawRequest
from .client_errors import ErrorTranslator
from .loops import LoopClients
from .response import ClientConnection, client_timeout

__all__ = ('SDKConnection',)


class SDKConnection(ClientConnection):
    """Sends through an SDK's client.

    `sdk` is the SDK's module, whose exceptions are translated, and `http` the HTTP library that it is built on. A
    client that `rewrites_body` (Vertex and Bedrock put the model into the address) gets the body as a mapping instead
    of bytes.
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
        """The response of the HTTP library, open."""
        try:
            return await self._post_once(client, request, deadlines)
        except self._sdk.APIStatusError as error:
            if error.status_code != 401 or client.custom_auth is None or not client._should_retry(error.response):
                raise
        return await self._post_once(client, request, deadlines)  # the client has thrown its token away

    async def _post_once(self, client: Any, request: RawRequest, deadlines: Deadlines) -> Any:
        """The response of the HTTP library, open. `stream` also for whole answers: their size is ours to limit."""
        http = import_module(self._http)
        options: dict[str, Any] = {
            'max_retries': 0,
            'follow_redirects': True,
            'headers': {'Content-Type': 'application/json', **request.headers},
        }
        if deadlines != UNLIMITED:
            options['timeout'] = client_timeout(http.Timeout, client.timeout, deadlines)
        expected: dict[str, Any] = {'cast_to': http.Response, 'stream': True, 'stream_cls': None}
        if request.method == 'GET':
            return await client.get(request.path, options=options, **expected)
        body = {'body': from_json(request.body)} if self._rewrites_body else {'content': request.body}
        return await client.post(request.path, options=options, **expected, **body)


UNLIMITED = Deadlines()
