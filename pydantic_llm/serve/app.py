"""The ASGI app: it decodes a request by its protocol, calls a model, and encodes the response by the same protocol.

`create_app` builds the app, `Gateway` holds its models and its key, `Endpoint` handles the requests of one protocol.
`exchange` sends a response over the wire.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from .._type_checks import check_callable, check_type, raise_wrong_type
from ..exceptions import AuthenticationError, LLMError, ModelHTTPError, NotFoundError, UserError
from ..json_types import Json, parse_json
from ..models import Model
from .exchange import Exchange, json_response, run_while_connected
from .faults import FaultPlan
from .protocols import PROTOCOLS, Protocol
from .value_types import check_types

__all__ = ('create_app',)

MAX_BODY_BYTES = 64 * 1024 * 1024
"""The size of the largest request that is accepted."""

LIST_PATHS = ('/v1/models', '/openai/v1/models', '/openai/models')
"""The paths that list the models: the first for the vendors' own clients, the others for Azure's."""

KEY_HEADERS = ('authorization', 'x-api-key', 'api-key', 'x-goog-api-key')
"""The headers in which clients send their key: those of OpenAI, Anthropic, Azure and Google."""


def create_app(
    models: Model | Mapping[str, Model],
    *,
    key: str | None = None,
    faults: FaultPlan | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    allowed_hosts: Collection[str] = (),
) -> Starlette:
    """Build an app that serves one model under any name, or several models under their names.

    If `key` is given, every request must send it (`Authorization: Bearer` or `x-api-key`). Without a key, the app
    responds only to requests that name it by an IP address, by `localhost` or by one of `allowed_hosts`, so that no web
    page can reach it through a name of its own. `faults` chooses the fault to inject into a response. Raises
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
        lifespan=gateway.lifespan,
    )


class Gateway:
    """The models of an app, and the checks that every request must pass."""

    def __init__(
        self,
        models: Model | Mapping[str, Model],
        *,
        key: str | None,
        faults: FaultPlan | None,
        max_body_bytes: int,
        allowed_hosts: Collection[str],
    ) -> None:
        check_type(key, str, parameter='key')
        check_callable(faults, parameter='faults')
        check_type(max_body_bytes, int, parameter='max_body_bytes')
        _check_models(models)
        _check_hosts(allowed_hosts)
        if key == '':
            raise UserError('key= is empty: pass None to accept requests without a key')
        if not isinstance(models, Model) and not models:
            raise UserError('models= is empty: pass at least one model')
        self.models: dict[str, Model] = {models.model_name: models} if isinstance(models, Model) else dict(models)
        self.accepts_any_name = isinstance(models, Model)
        self.key = key
        self.faults = faults
        self.max_body_bytes = max_body_bytes
        self.allowed_hosts = frozenset(host.lower() for host in allowed_hosts)

    def check_access(self, request: Request) -> None:
        """Raise `AuthenticationError` unless the request sends the app's key, or, without one, names a known host."""
        if self.key is None:
            self._check_host(request.headers.get('host', ''))
            return
        received = next((request.headers[name] for name in KEY_HEADERS if name in request.headers), '')
        if received[:7].lower() == 'bearer ':
            received = received[7:]
        if not hmac.compare_digest(received.encode(), self.key.encode()):
            raise AuthenticationError(401, '', message='The key of this server is missing from the request, or wrong')

    def _check_host(self, host: str) -> None:
        # DNS rebinding: a page of evil.example reaches 127.0.0.1 by its own name, and browsers see one origin
        # (https://developer.mozilla.org/docs/Glossary/DNS_rebinding). An IP address cannot be rebound.
        name = host.rpartition(':')[0] if ':' in host and not host.endswith(']') else host
        name = name.strip('[]').lower()
        if name == 'localhost' or name.endswith('.localhost') or name in self.allowed_hosts:
            return
        try:
            ip_address(name)
        except ValueError:
            message = f'The server has no key and does not know the host {name!r}: set a key, or allow the host'
            raise AuthenticationError(403, '', message=message) from None

    async def read_body(self, request: Request) -> Json:
        """Read the request's body. Raises an `LLMError` if it is too large or not a JSON object."""
        # Any web page can make a visitor's browser send requests here, but not with this content type:
        # https://developer.mozilla.org/docs/Glossary/CORS-safelisted_request_header
        if request.headers.get('content-type', '').partition(';')[0].strip().lower() != 'application/json':
            raise ModelHTTPError(415, '', message="The request's content-type must be 'application/json'")
        data = bytearray()
        async for chunk in request.stream():
            data += chunk
            if len(data) > self.max_body_bytes:
                raise ModelHTTPError(413, '', message=f'The request is larger than {self.max_body_bytes} bytes')
        try:
            body = parse_json(bytes(data))
        except ValueError as error:
            raise UserError(f'The request is not JSON: {error}') from None
        if not isinstance(body, dict):
            raise UserError('The request is not a JSON object')
        return body  # pyright: ignore[reportUnknownVariableType] -- JSON

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
        self.check_access(request)
        data = [_describe_model(name) for name in self.models]
        page = {'first_id': data[0]['id'], 'last_id': data[-1]['id'], 'has_more': False}
        return json_response({'object': 'list', 'data': data, **page})

    async def show_model(self, request: Request) -> Response:
        name = request.path_params['name']
        self.check_access(request)
        self.find_model(name)
        return json_response(_describe_model(name))

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            for model in self.models.values():
                await model.aclose()


class Endpoint:
    """An ASGI app that handles the requests of one protocol."""

    def __init__(self, protocol: Protocol, gateway: Gateway) -> None:
        self._protocol = protocol
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        exchange = Exchange(self._protocol, send)
        try:
            self._gateway.check_access(request)
            body = await self._gateway.read_body(request) | self._protocol.decode_path(request.path_params)
        except ClientDisconnect:
            return
        except LLMError as error:
            await exchange.send_error(error)
            return
        await run_while_connected(exchange.run(self._respond(body, exchange)), receive)

    async def _respond(self, body: Json, exchange: Exchange) -> None:
        fault = self._gateway.faults(body) if self._gateway.faults else None
        if fault is not None and await exchange.send_fault(fault):
            return
        served = self._protocol.decode_request(body)
        check_types(served)
        await exchange.send_response(served, self._gateway.find_model(served.model_name), fault)


def _check_models(models: object) -> None:
    if isinstance(models, Model):
        return
    expected = 'a Model, or a dict from names to Models'
    if not isinstance(models, Mapping):
        raise_wrong_type('models', expected, models, _suggest_model(models))
    for name, model in cast('Mapping[object, object]', models).items():
        if not isinstance(name, str):
            raise_wrong_type('models', expected, name)
        if not isinstance(model, Model):
            raise_wrong_type('models', expected, model, _suggest_model(model))


def _check_hosts(hosts: object) -> None:
    if isinstance(hosts, str) or not isinstance(hosts, Collection):
        raise_wrong_type('allowed_hosts', 'a list of names of hosts', hosts)
    for host in cast('Collection[object]', hosts):
        check_type(host, str, parameter='allowed_hosts', expected='a list of names of hosts')


def _suggest_model(value: object) -> str | None:
    if isinstance(value, str):
        return f'pass infer_model({value!r})'
    if isinstance(getattr(value, 'model', None), Model):  # an agent, whose tools and outputs are no part of any API
        return 'pass its .model: requests bring their own instructions and tools'
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
