"""`Playground`: the page of a gateway, and the requests that it sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..._instrument import instrument_if_on
from ..._type_checks import raise_wrong_type
from ...exceptions import LLMError, UserError
from ...many.encoding import encode_json
from ...tools.tool import Tool
from ..exchange import json_response, run_while_connected
from ..gateway import Gateway
from ..keys import GatewayKey
from .admitted import AdmittedModel
from .page_request import PageRequest, read_request
from .response import respond

__all__ = ('Playground', 'PlaygroundTools')

PlaygroundTools = Sequence[Tool[Any] | Callable[..., Any]]
"""The tools that the models of a playground may call; they run on the server."""

FOLDER = Path(__file__).parent

FILES = {'page.css': 'text/css', 'page.js': 'text/javascript', 'markdown.js': 'text/javascript'}
"""The files of the page, and their media types."""

# The page loads nothing from other servers, and shows no page of theirs:
# https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Content-Security-Policy
PAGE_HEADERS = {
    'content-security-policy': "default-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-cache',
}

STREAM_HEADERS = {'cache-control': 'no-store', 'x-accel-buffering': 'no'}
"""Let no proxy collect the lines: https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering"""


class Playground:
    """A page at `/playground` to talk to the models of a gateway. It needs the gateway's key, if that has keys."""

    def __init__(self, gateway: Gateway, tools: PlaygroundTools = ()) -> None:
        self._gateway = gateway
        self._tools: dict[str, Tool[Any]] = {}
        for each in _check_tools(tools):
            tool = _make_tool(each)
            if tool.name in self._tools:
                raise UserError(f'playground has two tools with the name {tool.name!r}')
            self._tools[tool.name] = tool

    def routes(self) -> list[Route]:
        return [
            Route('/', _redirect),
            Route('/playground', _show_page),
            Route('/playground/models', self._list_models),
            Route('/playground/ask', _ResponseApp(self._gateway, self._tools), methods=['POST']),
            Route('/playground/{name}', _send_file),
        ]

    async def _list_models(self, request: Request) -> Response:
        names = self._gateway.catalog.list_names(self._gateway.access.check(request))
        embedding = self._gateway.catalog.embeddings
        tools = [{'name': tool.name, 'description': tool.description or ''} for tool in self._tools.values()]
        return json_response({'models': [name for name in names if name not in embedding], 'tools': tools})


class _ResponseApp:
    """The ASGI app that responds to a request of the page with a line of JSON for each event."""

    def __init__(self, gateway: Gateway, tools: Mapping[str, Tool[Any]]) -> None:
        self._gateway = gateway
        self._tools = tools

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        with self._gateway.bodies.hold() as body:
            try:
                key = self._gateway.access.check(request)
                await body.read(request)
                asked = read_request(await body.parse())
                model = self._find_model(asked, key)
                tools = self._find_tools(asked)
            except ClientDisconnect:
                return
            except LLMError as error:
                status = getattr(error, 'status_code', None) or 400
                await json_response({'message': str(error)}, status)(scope, receive, send)
                return
            await run_while_connected(self._send_response(asked, model, tools, send), receive)

    def _find_model(self, asked: PageRequest, key: GatewayKey | None) -> AdmittedModel:
        name, model = self._gateway.catalog.find(asked.model)
        self._gateway.admissions.check_model(key, name)
        return AdmittedModel(instrument_if_on(model), name, self._gateway, key)

    def _find_tools(self, asked: PageRequest) -> list[Tool[Any]]:
        if unknown := sorted({*asked.tools} - self._tools.keys()):
            raise UserError(f'The playground has no tools {", ".join(map(repr, unknown))}')
        return [self._tools[name] for name in asked.tools]

    async def _send_response(
        self, asked: PageRequest, model: AdmittedModel, tools: Sequence[Tool[Any]], send: Send
    ) -> None:
        headers = {'content-type': 'application/x-ndjson', **STREAM_HEADERS}
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({'type': 'http.response.start', 'status': 200, 'headers': encoded})
        async with aclosing(respond(asked, model, tools)) as lines:  # a client that has gone ends the request
            async for line in lines:
                await send({'type': 'http.response.body', 'body': encode_json(line) + b'\n', 'more_body': True})
        await send({'type': 'http.response.body', 'body': b''})


def _make_tool(tool: Any) -> Tool[Any]:
    if isinstance(tool, Tool):
        return tool  # pyright: ignore[reportUnknownVariableType] -- of the caller
    return Tool(tool)


def _check_tools(tools: object) -> Sequence[Any]:
    expected = 'True, False, or the functions and tools that models may call there'
    if not isinstance(tools, Sequence) or isinstance(tools, str):
        raise_wrong_type('playground', expected, tools)
    if wrong := next(
        (each for each in cast('Sequence[object]', tools) if not (isinstance(each, Tool) or callable(each))), None
    ):
        raise_wrong_type('playground', expected, wrong)
    return cast('list[Any]', tools)


async def _redirect(request: Request) -> Response:
    return RedirectResponse('playground')  # relative: a proxy may have a path of its own before it


async def _show_page(request: Request) -> Response:
    return Response(FOLDER.joinpath('page.html').read_bytes(), media_type='text/html', headers=PAGE_HEADERS)


async def _send_file(request: Request) -> Response:
    name = request.path_params['name']
    if name not in FILES:
        return json_response({'message': f'The playground has no file {name!r}'}, 404)
    return Response(FOLDER.joinpath(name).read_bytes(), media_type=FILES[name], headers=PAGE_HEADERS)
