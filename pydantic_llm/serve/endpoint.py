"""The ASGI apps that handle the requests of one protocol: to a model, for a count of tokens, and for embeddings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import cast

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from ..json_types import Json
from ..observers import listen
from ..settings import ModelSettings
from ..usage import RequestUsage
from ..wire.serving import ServedRequest
from .admission import estimate_request
from .bodies import Body
from .budgets import Amount
from .counting import CountApi, count_tokens
from .embedding import embed
from .exchange import Exchange, run_while_connected
from .gateway import Gateway
from .keys import GatewayKey
from .protocols import Protocol
from .record import RequestRecord, choose_request_id

__all__ = ('CountEndpoint', 'EmbeddingEndpoint', 'Endpoint')


@dataclass(slots=True)
class Call:
    """One request: its body, the fields of its path, its headers, its key, and the way of its response."""

    body: Body
    path: Json
    headers: Mapping[str, str]
    key: GatewayKey | None
    exchange: Exchange
    record: RequestRecord


class BaseEndpoint(ABC):
    """Checks the key of a request, reads its body, and sends the errors in the form of its protocol."""

    name: str
    """The name of the requests in metrics and logs."""

    def __init__(self, protocol: Protocol, gateway: Gateway) -> None:
        self._protocol = protocol
        self._gateway = gateway
        self.name = protocol.name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        record = RequestRecord(self.name, choose_request_id(request.headers))
        exchange = Exchange(self._protocol, send, record, self._gateway.drain)
        with self._gateway.track(record), self._gateway.bodies.hold() as body:
            call = await exchange.run(self._receive(request, body, exchange, record))
            if call is not None:
                await run_while_connected(exchange.run(self.respond(call)), receive)

    async def _receive(self, request: Request, body: Body, exchange: Exchange, record: RequestRecord) -> Call:
        """Check the key, then read the body."""
        key = self._gateway.access.check(request)
        record.key_name = '' if key is None else key.name
        path = self.decode_path(request.path_params)
        await body.read(request)
        record.bytes_in = body.size
        return Call(body, path, request.headers, key, exchange, record)

    def decode_path(self, parameters: Mapping[str, str]) -> Json:
        """Return the fields that are in the path."""
        return self._protocol.decode_path(parameters)

    @abstractmethod
    async def respond(self, call: Call) -> None:
        """Send the response to a request."""

    async def decode_call(self, call: Call, fields: Json) -> ServedRequest:
        """Decode a request. Raises `UserError` if it is not a valid one."""
        served = await call.body.run(self._protocol.read_request, fields)
        if settings := self._protocol.decode_headers(call.headers):
            served.settings = cast('ModelSettings', {**served.settings, **settings})
        return served


class Endpoint(BaseEndpoint):
    """Handles the requests of one protocol to models."""

    async def respond(self, call: Call) -> None:
        gateway, record = self._gateway, call.record
        fields = await call.body.parse() | call.path
        fault = gateway.faults(fields) if gateway.faults else None
        if fault is not None and await call.exchange.send_fault(fault):
            return
        served = await self.decode_call(call, fields)
        record.model, model = gateway.catalog.find(served.model_name)
        record.stream = served.stream
        with self._protocol.keep_fields(served), listen(record.observe):
            estimate = partial(estimate_request, served)
            async with gateway.admissions.admit(call.key, record.model, estimate, record) as admission:
                on_response = partial(gateway.account, record, admission)
                await call.exchange.send_response(served, model, fault, on_response)


class CountEndpoint(BaseEndpoint):
    """Handles the requests of one protocol for a count of tokens, which cost nothing."""

    def __init__(self, protocol: Protocol, gateway: Gateway, api: CountApi) -> None:
        super().__init__(protocol, gateway)
        self._api = api
        self.name: str = f'{protocol.name}-count'

    def decode_path(self, parameters: Mapping[str, str]) -> Json:
        return self._api.decode_path(parameters)

    async def respond(self, call: Call) -> None:
        fields = self._api.decode(await call.body.parse()) | call.path
        served = await self.decode_call(call, fields)
        call.record.model, model = self._gateway.catalog.find(served.model_name)
        self._gateway.admissions.check_model(call.key, call.record.model)
        with self._protocol.keep_fields(served):
            count, headers = await count_tokens(model, served)
        await call.exchange.send_json(self._api.encode(count), headers)


class EmbeddingEndpoint(BaseEndpoint):
    """Handles the requests of OpenAI's clients for embeddings."""

    def __init__(self, protocol: Protocol, gateway: Gateway) -> None:
        super().__init__(protocol, gateway)
        self.name = 'openai-embeddings'

    async def respond(self, call: Call) -> None:
        gateway, record = self._gateway, call.record
        body = await call.body.parse() | call.path
        record.model, model = gateway.catalog.find_embedding(str(body.get('model') or ''))
        estimate = partial(_estimate_texts, call.body.size)
        async with gateway.admissions.admit(call.key, record.model, estimate, record) as admission:
            result, encoded = await embed(model, body)
            record.usage = result.usage
            if result.usage.has_values():
                record.cost = gateway.prices.estimate(record.model, result.usage)
            if admission is not None:  # without a usage, the estimate stays
                used = Amount.of(record.cost, result.usage.total_tokens)
                await admission.settle(used if result.usage.has_values() else admission.reserved)
            await call.exchange.send_json(encoded)


def _estimate_texts(size: int) -> RequestUsage:
    """Return a cautious estimate for a body of this size."""
    return RequestUsage(input_tokens=size // 2)
