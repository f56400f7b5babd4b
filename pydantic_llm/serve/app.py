"""The app: a request is read by its protocol, answered by a model, and written by the protocol again.

`create_app` makes one, and says what it serves and to whom; how one answer goes over the wire is in `exchange`.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from pydantic_core import from_json
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..exceptions import AuthenticationError, LLMError, ModelHTTPError, NotFoundError, UserError
from ..json_types import Json
from ..models import Model
from .exchange import Exchange, json_response, while_connected
from .faults import FaultPlan
from .protocols import PROTOCOLS, Protocol
from .value_types import check_types

__all__ = ('create_app',)

MAX_BODY_BYTES = 64 * 1024 * 1024
"""A larger request is refused."""

LISTINGS = ('/v1/models', '/openai/v1/models', '/openai/models')
"""Where clients look for the models: the vendors' own, and Azure's two."""

KEY_HEADERS = ('authorization', 'x-api-key', 'api-key', 'x-goog-api-key')
"""Where clients put their key: OpenAI's, Anthropic's, Azure's and Google's."""


def create_app(
    models: Model | Mapping[str, Model],
    *,
    key: str | None = None,
    faults: FaultPlan | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
) -> Starlette:
    """An app that answers with one model whatever a request names, or with the one of several that it names.

    With a `key`, a request must bring it (`Authorization: Bearer` or `x-api-key`). `faults` says what shall go wrong
    with an answer. Raises `UserError` for an empty key, and where there is no model.
    """
    gateway = Gateway(models, key=key, faults=faults, max_body_bytes=max_body_bytes)
    routes = [
        Route(path, Endpoint(protocol, gateway), methods=['POST']) for protocol in PROTOCOLS for path in protocol.paths
    ]
    listings = dict.fromkeys(LISTINGS, gateway.list_models)
    listings |= {f'{path}/{{name:path}}': gateway.show_model for path in LISTINGS}
    return Starlette(
        routes=[*routes, *(Route(path, show) for path, show in listings.items()), Route('/health', _health)],
        exception_handlers={HTTPException: _no_such_path},
        lifespan=gateway.lifespan,
    )


class Gateway:
    """What an app serves, and to whom."""

    def __init__(
        self, models: Model | Mapping[str, Model], *, key: str | None, faults: FaultPlan | None, max_body_bytes: int
    ) -> None:
        if key == '':
            raise UserError('key= is empty: give None to let everybody in')
        if not isinstance(models, Model) and not models:
            raise UserError('models= is empty: give at least one model')
        self.models: dict[str, Model] = {models.model_name: models} if isinstance(models, Model) else dict(models)
        self.any_name = isinstance(models, Model)
        self.key = key
        self.faults = faults
        self.max_body_bytes = max_body_bytes

    def check_key(self, request: Request) -> None:
        """Raise where a key is wanted and the request does not bring it."""
        if self.key is None:
            return
        given = next((request.headers[name] for name in KEY_HEADERS if name in request.headers), '')
        if given[:7].lower() == 'bearer ':
            given = given[7:]
        if not hmac.compare_digest(given.encode(), self.key.encode()):
            raise AuthenticationError(401, '', message='The key of this server is missing from the request, or wrong')

    async def read(self, request: Request) -> Json:
        """The request's body. Raises where it is too large, or no JSON object."""
        if request.headers.get('content-type', '').partition(';')[0].strip().lower() != 'application/json':
            raise ModelHTTPError(415, '', message="The request's content-type must be 'application/json'")
        data = bytearray()
        async for chunk in request.stream():
            data += chunk
            if len(data) > self.max_body_bytes:
                raise ModelHTTPError(413, '', message=f'The request is larger than {self.max_body_bytes} bytes')
        try:
            body = from_json(data)
        except ValueError as error:
            raise UserError(f'The request is not JSON: {error}') from None
        if not isinstance(body, dict):
            raise UserError('The request is not a JSON object')
        return body  # pyright: ignore[reportUnknownVariableType] -- JSON

    def model(self, name: str) -> Model:
        """The model that a request names: by its name here, or by what follows the prefix of it."""
        if self.any_name:
            return next(iter(self.models.values()))
        if name in self.models:
            return self.models[name]
        found = [model for known, model in self.models.items() if known.partition(':')[2] == name]
        if len(found) != 1:
            known = ', '.join(map(repr, self.models))
            raise NotFoundError(404, name, message=f'There is no model {name!r}; there are {known}')
        return found[0]

    async def list_models(self, request: Request) -> Response:
        """The list of models, in a form that the clients of every protocol can read."""
        try:
            self.check_key(request)
        except AuthenticationError as error:
            return json_response(_error_of_any(str(error), 'authentication_error'), 401)
        data = [_described(name) for name in self.models]
        ends = {'first_id': data[0]['id'], 'last_id': data[-1]['id'], 'has_more': False}
        return json_response({'object': 'list', 'data': data, **ends})

    async def show_model(self, request: Request) -> Response:
        """One of the models."""
        name = request.path_params['name']
        try:
            self.check_key(request)
            self.model(name)
        except AuthenticationError as error:
            return json_response(_error_of_any(str(error), 'authentication_error'), 401)
        except NotFoundError as error:
            return json_response(_error_of_any(str(error), 'not_found_error'), 404)
        return json_response(_described(name))

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncGenerator[None]:
        """Close the models' connections when the server stops."""
        try:
            yield
        finally:
            for model in self.models.values():
                await model.aclose()


class Endpoint:
    """An ASGI app that answers the requests of one protocol."""

    def __init__(self, protocol: Protocol, gateway: Gateway) -> None:
        self._protocol = protocol
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        exchange = Exchange(self._protocol, send)
        try:
            self._gateway.check_key(request)
            body = await self._gateway.read(request) | self._protocol.address(request.path_params)
        except ClientDisconnect:
            return
        except LLMError as error:
            await exchange.fail(error)
            return
        await while_connected(exchange.guarded(self._answer(body, exchange)), receive)

    async def _answer(self, body: Json, exchange: Exchange) -> None:
        fault = self._gateway.faults(body) if self._gateway.faults else None
        if fault is not None and await exchange.refuse(fault):
            return
        served = self._protocol.decode_request(body)
        check_types(served)
        await exchange.answer(served, self._gateway.model(served.model_name), fault)


def _described(name: str) -> Json:
    """A model, in OpenAI's words and Anthropic's."""
    openai = {'object': 'model', 'created': 0, 'owned_by': 'pydantic_llm'}
    anthropic = {'type': 'model', 'display_name': name, 'created_at': '1970-01-01T00:00:00Z'}
    return {'id': name, **openai, **anthropic}


def _error_of_any(message: str, kind: str) -> Json:
    """An error outside the protocols' own paths, in a form that the clients of every one can read."""
    status = 'NOT_FOUND' if kind == 'not_found_error' else 'UNAUTHENTICATED'
    error = {'message': message, 'type': kind, 'param': None, 'code': None, 'status': status}
    return {'object': 'error', 'type': 'error', 'error': error, 'message': message, 'param': None, 'code': None}


async def _no_such_path(request: Request, error: Exception) -> Response:
    """For a path that is not there, or a method that it does not take."""
    assert isinstance(error, HTTPException)
    paths = ', '.join(protocol.paths[0] for protocol in PROTOCOLS)
    said = f'{request.method} {request.url.path} is not served here; POST to one of {paths}'
    return json_response(_error_of_any(said, 'not_found_error'), error.status_code, error.headers)


async def _health(request: Request) -> Response:
    return Response('ok')
