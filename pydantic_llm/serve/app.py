"""The ASGI app: it decodes a request by its protocol, calls a model, and encodes the response by the same protocol.

`create_app` builds the app from a `Gateway`, whose `Endpoint`s handle the requests of one protocol each. `status_pages`
has the paths that no protocol owns.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .._type_checks import check_type
from ..agent import Agent
from ..embeddings.model import EmbeddingModel
from ..exceptions import ModelHTTPError, UserError
from ..json_types import Json
from ..models import Model
from .access import HideQueryKey
from .batches import BatchOptions
from .batches.host import BatchHost
from .batches.routes import list_batch_routes
from .bodies import MAX_BODY_BYTES
from .costs import PricesOfModel
from .counting import COUNT_APIS
from .cross_origin import allow_origins
from .embedding import EMBEDDING_PATHS
from .endpoint import BaseEndpoint, CountEndpoint, EmbeddingEndpoint, Endpoint
from .exchange import json_response
from .faults import FaultPlan
from .gateway import Gateway
from .keys import GatewayKey
from .playground import Playground, PlaygroundTools
from .protocols import PROTOCOLS, PROTOCOLS_BY_NAME
from .status_pages import StatusPages

__all__ = ('create_app',)


def create_app(
    models: Model | Agent[Any, Any] | Mapping[str, Model | Agent[Any, Any]],
    *,
    embeddings: EmbeddingModel | Mapping[str, EmbeddingModel] | None = None,
    key: str | None = None,
    keys: Sequence[GatewayKey] = (),
    state: str | Path | None = None,
    aliases: Mapping[str, str] | None = None,
    prices: Mapping[str, PricesOfModel] | None = None,
    faults: FaultPlan | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    allowed_hosts: Collection[str] = (),
    allowed_origins: Collection[str] = (),
    access_log: str | None = None,
    batches: BatchOptions | None = None,
    playground: bool | PlaygroundTools = False,
) -> Starlette:
    """Build an app that serves one model or agent under any name, or several under their names. Raises `UserError`.

    An agent is served as an `AgentModel`: its tools run on the server. With keys, every request must send one.

    Args:
        models: The models, by the names that clients use.
        embeddings: The embedding models.
        key: A key without limits, which may also read `/metrics`.
        keys: Keys with budgets, rate limits and models.
        state: Where the budgets are kept: the path of an SQLite file, or the URL of a Redis. `None`: in memory.
        aliases: Other names of models -> their names. `*` in an alias matches any text, `?` any character.
        prices: Names of models -> their `Prices`, or US dollars for a million input and a million output tokens.
        faults: Chooses the fault to inject into a response, for tests.
        max_body_bytes: The size of the largest request.
        allowed_hosts: Names by which clients may reach an app without a key, besides `localhost` and IP addresses.
        allowed_origins: Origins of web pages that may use the app with a key, such as `'https://app.example'`.
        access_log: `'json'` or `'logfmt'`: write a line for each request to the standard output.
        batches: The batches of clients: their folder, their number, and their end.
        playground: Show a page at `/playground` to talk to the models: `True`, or the tools that they may call there.
    """
    gateway = Gateway(
        models,
        embeddings=embeddings or {},
        keys=_join_keys(key, keys),
        state=state,
        aliases=aliases or {},
        prices=prices or {},
        faults=faults,
        max_body_bytes=max_body_bytes,
        allowed_hosts=allowed_hosts,
        access_log=access_log,
    )
    return _build_app(gateway, allowed_origins, batches or BatchOptions(), playground)


def _list_page_routes(gateway: Gateway, playground: bool | PlaygroundTools) -> list[Route]:
    """Return the routes of the playground, if there is one."""
    if playground is False:
        return []
    return Playground(gateway, () if playground is True else playground).routes()


def _build_app(
    gateway: Gateway, origins: Collection[str], options: BatchOptions, playground: bool | PlaygroundTools
) -> Starlette:
    check_type(options, BatchOptions, parameter='batches')
    batches = BatchHost(gateway, options)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with gateway.lifespan(app), batches.running():
            yield

    app = Starlette(
        routes=_put_fixed_first(
            [
                *_list_routes(gateway),
                *list_batch_routes(batches),
                *StatusPages(gateway).routes(),
                *_list_page_routes(gateway, playground),
            ]
        ),
        exception_handlers={HTTPException: _report_unknown_path, ModelHTTPError: _report_error},
        middleware=[*allow_origins(origins, has_keys=bool(gateway.keys)), Middleware(HideQueryKey)],
        lifespan=lifespan,
    )
    app.state.gateway = gateway
    return app


def _join_keys(key: str | None, keys: Sequence[GatewayKey]) -> Sequence[GatewayKey]:
    if key is None:
        return keys
    if key == '':
        raise UserError('key= is empty: pass None to accept requests without a key')
    return [GatewayKey('default', key, metrics=True), *keys]


def _put_fixed_first(routes: Sequence[Route]) -> list[Route]:
    """Return the routes with those of fixed paths first: routes are tried in order, and these are used most.

    The paths with a verb of any name come last.
    """
    return sorted(routes, key=lambda route: ('{' in route.path) + ('{verb}' in route.path))


def _list_routes(gateway: Gateway) -> list[Route]:
    endpoints: dict[str, BaseEndpoint] = {}
    for protocol in PROTOCOLS:
        endpoints |= dict.fromkeys(protocol.paths, Endpoint(protocol, gateway))
    for api in COUNT_APIS:
        endpoints |= dict.fromkeys(api.paths, CountEndpoint(PROTOCOLS_BY_NAME[api.protocol], gateway, api))
    endpoints |= dict.fromkeys(EMBEDDING_PATHS, EmbeddingEndpoint(PROTOCOLS_BY_NAME['openai-chat'], gateway))
    return [Route(path, endpoint, methods=['POST']) for path, endpoint in endpoints.items()]


def _encode_common_error(message: str, kind: str) -> Json:
    """Encode an error of a path that no protocol owns, in a form that the clients of every protocol accept."""
    status = 'NOT_FOUND' if kind == 'not_found_error' else 'UNAUTHENTICATED'
    error = {'message': message, 'type': kind, 'param': None, 'code': None, 'status': status}
    return {'object': 'error', 'type': 'error', 'error': error, 'message': message, 'param': None, 'code': None}


async def _report_error(request: Request, error: Exception) -> Response:
    """Respond to a wrong key, or to a name that no model has."""
    assert isinstance(error, ModelHTTPError)
    kind = 'not_found_error' if error.status_code == 404 else 'authentication_error'
    return json_response(_encode_common_error(str(error), kind), error.status_code)


async def _report_unknown_path(request: Request, error: Exception) -> Response:
    """Respond to an unknown path, or to a method that the path does not support."""
    assert isinstance(error, HTTPException)
    paths = ', '.join(protocol.paths[0] for protocol in PROTOCOLS)
    message = f'{request.method} {request.url.path} is not served here; POST to one of {paths}'
    return json_response(_encode_common_error(message, 'not_found_error'), error.status_code, error.headers)
