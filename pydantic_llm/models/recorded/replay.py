"""`ReplayModel`: responds with what `RecordingModel` recorded, without a network."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

from ..._type_checks import check_callable, check_type
from ...exceptions import LLMError, RequestNotRecordedError, UserError
from ...json_types import Json
from ...messages import ModelMessage, ModelResponse, ModelResponseStreamEvent, StreamRestartEvent
from ...settings import ModelSettings
from ...streaming.draft import ResponseDraft
from ...streaming.event_parts import EventParts
from ...usage import RequestUsage
from .. import Model, ModelRequestParameters, StreamedResponse, WholeResponse
from .difference import explain
from .exchange import Exchange, Kind, TimedEvent
from .matching import describe, find_key
from .recording import Recording, decode_profile
from .redaction import Redact, Redactor, find_secrets

__all__ = ('ReplayModel',)


class ReplayModel(Model):
    """Responds to recorded requests, whole and streamed, with the recorded responses and errors.

    A request matches if its messages, settings and parameters are equal; times, ids of runs and deadlines do not count.
    Several equal requests get their responses in the order of the recording, further ones the last response again.
    `model_id` chooses one of several recorded models. `keep_timing=True` waits as long as the model did. `redact` must
    be that of the recording. Raises `UserError` if there is no such recording, and `RequestNotRecordedError`, with a
    diff to the most similar request, for a request that is not in it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        model_id: str | None = None,
        *,
        settings: ModelSettings | None = None,
        keep_timing: bool = False,
        redact: Redact | None = None,
    ) -> None:
        check_type(path, (str, os.PathLike), parameter='path', expected='the path of a file', required=True)
        check_callable(redact, parameter='redact')
        self.recording: Recording = Recording.read(path)
        self._id = _choose_model(self.recording, model_id)
        self._facts = self.recording.models[self._id]
        recorded = cast('ModelSettings', self._facts.get('settings') or {})
        super().__init__(settings=recorded if settings is None else settings, profile=decode_profile(self._facts))
        self._keep_timing = keep_timing
        self._redactor = Redactor(redact, find_secrets())
        self._by_key: dict[str, list[Exchange]] = {}
        for exchange in self.recording.exchanges:
            self._by_key.setdefault(exchange.key, []).append(exchange)
        self._positions: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def model_name(self) -> str:
        return str(self._facts['model_name'])

    @property
    def system(self) -> str:
        return str(self._facts['system'])

    @property
    def model_id(self) -> str:
        return self._id

    @property
    def base_url(self) -> str | None:
        return cast('str | None', self._facts.get('base_url'))

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        exchange = self._find_exchange('request', messages, model_settings, model_request_parameters)
        await self._wait_and_raise(exchange)
        return exchange.response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse]:
        exchange = self._find_exchange('request', messages, model_settings, model_request_parameters)
        stream: StreamedResponse
        if events := exchange.events:
            stream = _ReplayedStream(exchange, events, model_request_parameters, keep_timing=self._keep_timing)
        else:
            await self._wait_and_raise(exchange)
            stream = WholeResponse(exchange.response, model_request_parameters)
        try:
            yield stream
        finally:
            await stream.cancel()

    async def count_tokens(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> RequestUsage:
        exchange = self._find_exchange('count_tokens', messages, model_settings, model_request_parameters)
        await self._wait_and_raise(exchange)
        return exchange.usage

    async def compact_messages(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
        *,
        instructions: str | None = None,
    ) -> ModelResponse:
        arguments = messages, model_settings, model_request_parameters
        exchange = self._find_exchange('compact_messages', *arguments, instructions=instructions)
        await self._wait_and_raise(exchange)
        return exchange.response

    def _find_exchange(
        self,
        kind: Kind,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters | None,
        *,
        instructions: str | None = None,
    ) -> Exchange:
        """Return the exchange of a request. Raises `RequestNotRecordedError` if it was not recorded."""
        request = describe(messages, settings, self.settings, parameters, self._redactor, instructions=instructions)
        key = find_key(kind, self._id, request)
        with self._lock:
            position = self._positions[key]
            self._positions[key] += 1
        if recorded := self._by_key.get(key):
            return recorded[min(position, len(recorded) - 1)]
        raise self._make_error(kind, request)

    def _make_error(self, kind: Kind, request: Json) -> RequestNotRecordedError:
        difference = explain(kind, self._id, request, self.recording.exchanges)
        path = str(self.recording.path)
        return RequestNotRecordedError(
            f'The request is not in the recording {path!r}: record it again, with RecordingModel or pytest '
            f'--llm=record, or correct the request. {difference}',
            path=path,
            difference=difference,
        )

    async def _wait_and_raise(self, exchange: Exchange) -> None:
        """Wait as long as the model did, if the timing is kept, and raise the recorded error, if there is one."""
        if self._keep_timing:
            await asyncio.sleep(exchange.seconds)
        if (error := exchange.error) is not None:
            raise error

    def __repr__(self) -> str:
        return f'{type(self).__name__}({str(self.recording.path)!r}, {self._id!r})'


class _ReplayedStream(StreamedResponse):
    """The events of a recorded stream."""

    def __init__(
        self,
        exchange: Exchange,
        events: Sequence[TimedEvent],
        parameters: ModelRequestParameters | None,
        *,
        keep_timing: bool,
    ) -> None:
        self._response = exchange.response
        self._error: LLMError | None = exchange.error
        super().__init__(ResponseDraft(self._response.model_name or '', self._response.provider_name), parameters)
        self._timed_events = events
        self._keep_timing = keep_timing
        self._parts = EventParts()
        self._is_over = False

    async def events(self) -> AsyncIterator[ModelResponseStreamEvent]:
        before = 0.0
        for number, (at, event) in enumerate(self._timed_events, 1):
            if self._keep_timing:
                await asyncio.sleep(at - before)
                before = at
            self._parts.add(event)
            if isinstance(event, StreamRestartEvent):
                self.final_result_event = None
            self._is_over = number == len(self._timed_events) and self._error is None
            if self._is_over and self._response.state != 'interrupted':
                self.draft.state = self._response.state
            yield event
        if self._error is not None:
            raise self._error

    def get(self) -> ModelResponse:
        """Return the recorded response after the last event; before that, the parts so far."""
        if self._is_over:
            return self._response
        parts, state = self._parts.get(), self.draft.state
        return replace(self._response, parts=parts, state=state, finish_reason=None, usage=RequestUsage())

    def usage(self) -> RequestUsage:
        return self._response.usage if self._is_over else RequestUsage()


def _choose_model(recording: Recording, model_id: str | None) -> str:
    known = recording.models
    if model_id is None and len(known) == 1:
        return next(iter(known))
    if model_id in known:
        return model_id
    choices = ', '.join(map(repr, known)) or 'none'
    problem = 'has several models' if model_id is None else f'has no model {model_id!r}'
    raise UserError(f'The recording {str(recording.path)!r} {problem}: give as model_id= one of {choices}')
