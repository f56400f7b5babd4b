"""The ASGI app: it decodes a request by its protocol, calls a model, and encodes the response by the same protocol.

`create_app` builds the app, `Gateway` holds its models, `Endpoint` handles the requests of one protocol. `access`
checks keys and hosts, `bodies` reads a request, `exchange` sends a response.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from .._type_checks import check_callable, raise_wrong_type
from ..agent import Agent, AgentModel
from ..exceptions import LLMError, ModelHTTPError, NotFoundError, UserError
from ..json_types import Json
from ..models import Model
from ..wire.served_fields import keep_encoded
from ..wire.serving import ServedRequest
from .access import Access, HideQueryKey
from .bodies import MAX_BODY_BYTES, Body, BodyReader
from .exchange import Exchange, json_response, run_while_connected
from .faults import FaultPlan
from .protocols import PROTOCOLS, Protocol
from .unknown_fields import find_unknown_fields
from .value_types import check_types

__all__ = ('create_app',)

LIST_PATHS = ('/v1/models', '/openai/v1/models', '/openai/models')
"""The paths that list the models: the first for the vendors' own clients, the others for Azure's."""


def create_app(
    models: Model | Agent[Any, Any] | Mapping[str, Model | Agent[Any, Any]],
    *,
    key: str | None = None,
    faults: FaultPlan | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    allowed_hosts: Collection[str] = (),
) -> Starlette:
    """Build an app that serves one model or agent under any name, or several under their names.

    An agent is served as an `AgentModel`: its tools run on the server. Give it `deps` by passing an
    `AgentModel(agent, deps=...)`.

    If `key` is given, every request must send it (`Authorization: Bearer` or `x-api-key`). Without a key, the app
    responds only to requests that name it by an IP address, by `localhost` or by one of `allowed_hosts`, and that no
    web page of another machine sends. `faults` chooses the fault to inject into a response. Raises
    `UserError` if `key` or `models` is empty.
    """
    gateway = Gateway(models, key=key, faults=faults, max_body_bytes=max_body_bytes, allowed_hosts=allowed_hosts)
    routes = [
        Route(path, Endpoint(protocol, gateway), methods=['POST']) for protocol in PROTOCOLS for path in protocol.paths
    ]
    listings = dict.fromkeys(LIST_PATHS, gateway.list_models)
    listings |= {f'{path}/{{name:path}}': gateway.show_model for path in LIST_PATHS}
    return Starlette(
        routes=[*routes, *(Route(path, show) for path, show in listings.items()), Route('/health', _report_health)],
        exception_handlers={HTTPException: _report_unknown_path, ModelHTTPError: _report_error},
        middleware=[Middleware(HideQueryKey)],
        lifespan=gateway.lifespan,
    )


class Gateway:
    """The models of an app, and the checks that every request must pass."""

    def __init__(
        self,
        models: Model | Agent[Any, Any] | Mapping[str, Model | Agent[Any, Any]],
        *,
        key: str | None,
        faults: FaultPlan | None,
        max_body_bytes: int,
        allowed_hosts: Collection[str],
    ) -> None:
        check_callable(faults, parameter='faults')
        _check_models(models)
        self.accepts_any_name = not isinstance(models, Mapping)
        if isinstance(models, Mapping):
            self.models = {name: _to_model(model) for name, model in models.items()}
        else:
            model = _to_model(models)
            self.models = {model.model_name: model}
        if not self.models:
            raise UserError('models= is empty: pass at least one model')
        self.access = Access(key, allowed_hosts)
        self.faults = faults
        self.bodies = BodyReader(max_body_bytes)

    def find_model(self, name: str) -> Model:
        """Return the model with this name, with or without its prefix; the name must be unique without it.

        An app with one model returns it for any name. Raises `NotFoundError` if no model matches.
        """
        if self.accepts_any_name:
            return next(iter(self.models.values()))
        if name in self.models:
            return self.models[name]
        matches = [model for known, model in self.models.items() if known.partition(':')[2] == name]
        if len(matches) != 1:
            known = ', '.join(map(repr, self.models))
            raise NotFoundError(404, name, message=f'There is no model {name!r}; there are {known}')
        return matches[0]

    async def list_models(self, request: Request) -> Response:
        """Respond with the list of models, in a form that the clients of every protocol accept."""
        self.access.check(request)
        data = [_describe_model(name) for name in self.models]
        page = {'first_id': data[0]['id'], 'last_id': data[-1]['id'], 'has_more': False}
        return json_response({'object': 'list', 'data': data, **page})

    async def show_model(self, request: Request) -> Response:
        name = request.path_params['name']
        self.access.check(request)
        self.find_model(name)
        return json_response(_describe_model(name))

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncGenerator[None]:
        """Keep the models and the toolsets of agents open while the app runs."""
        async with AsyncExitStack() as stack:
            for model in reversed(self.models.values()):  # closed in their order
                await stack.enter_async_context(model)
            yield


class Endpoint:
    """An ASGI app that handles the requests of one protocol."""

    def __init__(self, protocol: Protocol, gateway: Gateway) -> None:
        self._protocol = protocol
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        exchange = Exchange(self._protocol, send)
        with self._gateway.bodies.hold() as body:
            try:
                self._gateway.access.check(request)
                path = self._protocol.decode_path(request.path_params)
                await body.read(request)
            except ClientDisconnect:
                return
            except LLMError as error:
                await exchange.send_error(error)
                return
            await run_while_connected(exchange.run(self._respond(body, path, exchange)), receive)

    async def _respond(self, body: Body, path: Json, exchange: Exchange) -> None:
        fields = await body.parse() | path
        fault = self._gateway.faults(fields) if self._gateway.faults else None
        if fault is not None and await exchange.send_fault(fault):
            return
        served = await body.run(self._decode, fields)
        with keep_encoded(find_unknown_fields(served)):
            await exchange.send_response(served, self._gateway.find_model(served.model_name), fault)

    def _decode(self, fields: Json) -> ServedRequest:
        served = self._protocol.decode_request(fields)
        check_types(served)
        return served


def _to_model(model: Model | Agent[Any, Any]) -> Model:
    return AgentModel(model) if isinstance(model, Agent) else model


def _check_models(models: object) -> None:
    if isinstance(models, (Model, Agent)):
        return
    expected = 'a Model, an Agent, or a dict from names to these'
    if not isinstance(models, Mapping):
        raise_wrong_type('models', expected, models, _suggest_model(models))
    for name, model in cast('Mapping[object, object]', models).items():
        if not isinstance(name, str):
            raise_wrong_type('models', expected, name)
        if not isinstance(model, (Model, Agent)):
            raise_wrong_type('models', expected, model, _suggest_model(model))


def _suggest_model(value: object) -> str | None:
    if isinstance(value, str):
        return f'pass infer_model({value!r})'
    return None


def _describe_model(name: str) -> Json:
    """Describe a model with the fields of both OpenAI's and Anthropic's lists of models."""
    openai = {'object': 'model', 'created': 0, 'owned_by': 'pydantic_llm'}
    anthropic = {'type': 'model', 'display_name': name, 'created_at': '1970-01-01T00:00:00Z'}
    return {'id': name, **openai, **anthropic}


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


async def _report_health(request: Request) -> Response:
    return Response('ok')
