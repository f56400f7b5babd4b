"""`Endpoint`: an ASGI app that handles the requests of one protocol."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from ..json_types import Json
from ..messages import ModelResponse
from ..observers import listen
from ..wire.served_fields import keep_encoded
from ..wire.serving import ServedRequest
from .admission import Admission
from .bodies import Body
from .exchange import Exchange, run_while_connected
from .gateway import Gateway
from .keys import GatewayKey
from .protocols import Protocol
from .record import RequestRecord, choose_request_id
from .unknown_fields import find_unknown_fields
from .value_types import check_types

__all__ = ('Endpoint',)


class Endpoint:
    """Handles the requests of one protocol: reads, checks and decodes each, calls the model, sends the response."""

    def __init__(self, protocol: Protocol, gateway: Gateway) -> None:
        self._protocol = protocol
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        record = RequestRecord(self._protocol.name, choose_request_id(request.headers))
        exchange = Exchange(self._protocol, send, record, self._gateway.drain)
        with self._gateway.track(record), self._gateway.bodies.hold() as body:
            received = await exchange.run(self._receive(request, body, record))
            if received is not None:
                key, path = received
                await run_while_connected(exchange.run(self._respond(body, path, key, exchange, record)), receive)

    async def _receive(self, request: Request, body: Body, record: RequestRecord) -> tuple[GatewayKey | None, Json]:
        """Check the key, then read the body. Return the key, and the fields that are in the path."""
        key = self._gateway.access.check(request)
        record.key_name = '' if key is None else key.name
        path = self._protocol.decode_path(request.path_params)
        await body.read(request)
        record.bytes_in = body.size
        return key, path

    async def _respond(
        self, body: Body, path: Json, key: GatewayKey | None, exchange: Exchange, record: RequestRecord
    ) -> None:
        gateway = self._gateway
        fields = await body.parse() | path
        fault = gateway.faults(fields) if gateway.faults else None
        if fault is not None and await exchange.send_fault(fault):
            return
        served = await body.run(self._decode, fields)
        record.model, model = gateway.catalog.find(served.model_name)
        record.stream = served.stream
        with keep_encoded(find_unknown_fields(served)), listen(record.observe):
            async with gateway.admissions.admit(key, record.model, served, record) as admission:
                on_response = partial(self._account, record, admission)
                await exchange.send_response(served, model, fault, on_response)

    async def _account(self, record: RequestRecord, admission: Admission | None, response: ModelResponse) -> None:
        """Measure a response, and settle what was reserved for it."""
        self._gateway.add_response(record, response)
        if admission is not None:
            await admission.settle_response(response)

    def _decode(self, fields: Json) -> ServedRequest:
        served = self._protocol.decode_request(fields)
        check_types(served)
        return served
