"""`RowSender`: sends one request of a batch to a model of the app, within the limits of its key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from uuid import uuid4

from ...exceptions import AuthenticationError, LLMError, RateLimitError, UserError
from ...json_types import Json
from ...messages import ModelResponse
from ...observers import listen
from ...wire.serving import ServedRequest
from ..admission import Admission, estimate_request
from ..gateway import Gateway
from ..keys import GatewayKey
from ..protocols import PROTOCOLS_BY_NAME, Protocol
from ..record import RequestRecord
from .store import Job

__all__ = ('RowSender',)

SHORTEST_WAIT = 1.0
"""Seconds between two attempts of a request whose key has reached its rate limit."""

logger: logging.Logger = logging.getLogger('pydantic_llm.serve')


class RowSender:
    """Sends requests of batches."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def send(self, job: Job, body: Json, slots: asyncio.Semaphore) -> tuple[int, Json]:
        """Send the body of a request in a slot. Return the HTTP status and the body of the response or of the error."""
        protocol = PROTOCOLS_BY_NAME[job.protocol]
        record = RequestRecord(protocol.name, uuid4().hex, job.owner)
        try:
            served, response = await self._request(protocol, record, _complete(job, body), slots)
            record.status, record.is_complete = 200, True
            return 200, protocol.encode_response(protocol.end_pause(response), served)
        except Exception as error:
            if not isinstance(error, LLMError):
                logger.exception('The model failed')
            record.error, record.is_complete = type(error).__name__, True
            record.status, encoded = protocol.encode_error(error)
            return record.status, encoded
        finally:
            self._gateway.finish(record)

    async def _request(
        self, protocol: Protocol, record: RequestRecord, fields: Json, slots: asyncio.Semaphore
    ) -> tuple[ServedRequest, ModelResponse]:
        served = protocol.read_request(fields)
        if served.stream:
            raise UserError('A request of a batch cannot be streamed: leave stream out')
        record.model, model = self._gateway.catalog.find(served.model_name)
        with protocol.keep_fields(served), listen(record.observe):
            async with self._admit(record, served, slots) as admission:
                response = await model.request(served.messages, served.settings, served.parameters)
                await self._gateway.account(record, admission, response)
        return served, response

    @asynccontextmanager
    async def _admit(
        self, record: RequestRecord, served: ServedRequest, slots: asyncio.Semaphore
    ) -> AsyncGenerator[Admission | None]:
        """Admit a request as soon as the rate limits of its key allow it. It has no slot while it waits for them."""
        key = self._find_key(record.key_name)
        while True:
            async with slots, AsyncExitStack() as stack:
                admitted = self._gateway.admissions.admit(key, record.model, partial(estimate_request, served), record)
                try:
                    admission = await stack.enter_async_context(admitted)
                except RateLimitError as error:
                    delay = error.retry_after or SHORTEST_WAIT
                else:
                    yield admission
                    return
            await asyncio.sleep(delay)

    def _find_key(self, name: str) -> GatewayKey | None:
        keys = self._gateway.keys
        if keys and name not in keys:
            raise AuthenticationError(401, '', message='The key of the batch does not exist any more')
        return keys.get(name)


def _complete(job: Job, body: Json) -> Json:
    """Return the body of a request with the fields that other requests of its API have in their path."""
    fields = body if job.model is None else {'model': job.model, **body}
    return {**fields, 'model': job.model} if job.protocol == 'gemini' else fields
