"""`AdmittedModel`: a model of a gateway whose requests count against a key, as those of its clients do."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import uuid4

from ...messages import ModelMessage, ModelResponse
from ...models import Model, ModelRequestParameters, StreamedResponse
from ...models.wrapper import WrapperModel
from ...observers import listen
from ...settings import ModelSettings
from ...wire.serving import ServedRequest
from ..admission import Admission, estimate_request
from ..gateway import Gateway
from ..keys import GatewayKey
from ..record import RequestRecord

__all__ = ('AdmittedModel',)


class AdmittedModel(WrapperModel):
    """Admits and measures each request of one key to one model of the gateway."""

    def __init__(self, model: Model, name: str, gateway: Gateway, key: GatewayKey | None) -> None:
        super().__init__(model)
        self._name = name
        self._gateway = gateway
        self._key = key

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        """Send the request within the limits of the key."""
        async with self._admit(messages, model_settings, model_request_parameters) as (record, admission):
            response = await self.wrapped.request(messages, model_settings, model_request_parameters)
            await self._gateway.account(record, admission, response)
            return response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Open a stream within the limits of the key."""
        async with self._admit(messages, model_settings, model_request_parameters) as (record, admission):
            async with self.wrapped.request_stream(messages, model_settings, model_request_parameters) as stream:
                record.stream = True
                record.record_first_token()
                yield stream
            await self._gateway.account(record, admission, stream.get())

    @asynccontextmanager
    async def _admit(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters | None,
    ) -> AsyncGenerator[tuple[RequestRecord, Admission | None]]:
        """Hold what the key needs for a request, and measure it."""
        record = RequestRecord('playground', uuid4().hex, '' if self._key is None else self._key.name, self._name)
        served = ServedRequest(
            self._name, [*messages], settings or ModelSettings(), parameters or ModelRequestParameters()
        )
        estimate = partial(estimate_request, served)
        with self._gateway.track(record), listen(record.observe):
            try:
                async with self._gateway.admissions.admit(self._key, self._name, estimate, record) as admission:
                    yield record, admission
            except Exception as error:
                record.error = type(error).__name__
                record.status = getattr(error, 'status_code', None) or 500
                raise
            record.status, record.is_complete = 200, True
