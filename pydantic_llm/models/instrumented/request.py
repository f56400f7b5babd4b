"""`ModelOperation`: a request to a model as an operation, with its retries, its chunks and its content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from opentelemetry._logs import SeverityNumber
from pydantic_core import to_json

from ...messages import ModelMessage, ModelResponse
from ...observers import AttemptFailed, CacheHit, HedgeStarted, ModelFailed, listen, notify
from ...settings import ModelSettings
from .. import Model, ModelRequestParameters
from .attributes import (
    Attributes,
    describe_exception,
    describe_model,
    describe_request,
    describe_response,
    describe_usage,
    is_remote,
)
from .content import ContentEncoder
from .operation import ActiveOperation, Operation
from .settings import InstrumentationSettings

__all__ = ('ActiveRequest', 'ModelOperation', 'encode_content', 'to_json_text')

DETAILS = 'gen_ai.client.inference.operation.details'
EXCEPTION = 'gen_ai.client.operation.exception'

METRIC_ATTRIBUTES = ('gen_ai.provider.name', 'gen_ai.response.model', 'server.address', 'server.port')
"""The attributes of a response that its metrics have too."""


@dataclass(frozen=True, slots=True)
class TokensCounted:
    """A model inside another one recorded the tokens of a response, so that the outer one does not count them again."""


class ModelOperation(Operation):
    """A request to a model."""

    def __init__(
        self,
        settings: InstrumentationSettings,
        model: Model,
        messages: Sequence[ModelMessage],
        parameters: ModelRequestParameters | None,
        *,
        is_streaming: bool = False,
    ) -> None:
        described = describe_model(model)
        streaming = {'gen_ai.request.stream': True} if is_streaming else {}
        super().__init__(
            settings,
            'chat',
            model.model_name,
            {**described, **streaming},
            metric_attributes=described,
            is_remote=is_remote(model),
        )
        self._messages = messages
        self._parameters = parameters or ModelRequestParameters()
        self._response: ModelResponse | None = None
        self._counts_tokens = True
        self._last_chunk: float | None = None

    def describe_request(self, settings: ModelSettings) -> None:
        """Add the attributes of the request, after its settings were checked."""
        self.set_attributes(describe_request(self._messages, settings, self._parameters))

    def active(self) -> ActiveRequest:
        return ActiveRequest(self)

    def add_event(self, event: object) -> None:
        """Add an event of `pydantic_llm.observers` to the span."""
        match event:
            case AttemptFailed(error, wait):
                name = 'pydantic_llm.attempt_failed'
                self.add_error_event(name, error, {f'{name}.wait': wait})
            case ModelFailed(model_id, error):
                name = 'pydantic_llm.model_failed'
                self.add_error_event(name, error, {f'{name}.model_id': model_id})
            case CacheHit(age_seconds):
                name = 'pydantic_llm.cache_hit'
                self.span.add_event(name, {f'{name}.age': age_seconds})
            case HedgeStarted(model_id, slow_model_id, seconds):
                name = 'pydantic_llm.hedge_started'
                slow = {f'{name}.slow_model_id': slow_model_id, f'{name}.seconds': seconds}
                self.span.add_event(name, {f'{name}.model_id': model_id, **slow})
            case TokensCounted():
                self._counts_tokens = False
            case _:
                pass

    def fail(self, error: BaseException) -> None:
        was_failed = bool(self._error)
        super().fail(error)
        if self._error and not was_failed:
            self._emit(EXCEPTION, describe_exception(error, self.settings), SeverityNumber.WARN)

    def record_chunk(self) -> None:
        """Record the time of a chunk of the stream that has just arrived."""
        now = self.seconds
        if self._last_chunk is None:
            self.set_attributes({'gen_ai.response.time_to_first_chunk': now})
            self.record('gen_ai.client.operation.time_to_first_chunk', now)
        else:
            self.record('gen_ai.client.operation.time_per_output_chunk', now - self._last_chunk)
        self._last_chunk = now

    def finish(self, response: ModelResponse) -> None:
        """Record a response, or the part of one that arrived, and end the operation."""
        if self.has_ended:
            return
        described = describe_response(response)
        self.metric_attributes.update({name: described[name] for name in METRIC_ATTRIBUTES if name in described})
        usage = describe_usage(response.usage)
        self.set_attributes({**described, **usage})
        if self._counts_tokens and usage:
            for kind in ('input', 'output'):
                if (count := usage.get(f'gen_ai.usage.{kind}_tokens')) is not None:
                    self.record('gen_ai.client.token.usage', count, **{'gen_ai.token.type': kind})
            notify(TokensCounted())
        self._response = response
        self.end()

    def end(self) -> None:
        if not self.has_ended:
            self._record_content()
        super().end()

    # --------------------------------------------------------------------------------------------------------- content

    def _record_content(self) -> None:
        """Record the content on the span and in an event, as far as the settings include it."""
        settings = self.settings
        on_span = settings.has_content_on_spans and self.span.is_recording()
        if not (on_span or settings.has_content_in_events):
            return
        content = encode_content(settings, self._messages, self._response, self._parameters)
        if settings.has_content_in_events:
            self._emit(DETAILS, {**self.attributes, **content}, SeverityNumber.DEBUG)
        if on_span:
            self.span.set_attributes({name: to_json_text(value) for name, value in content.items()})

    def _emit(self, name: str, attributes: Attributes, severity: SeverityNumber) -> None:
        self.settings.logger.emit(
            event_name=name, attributes=attributes, severity_number=severity, context=self.context
        )


class ActiveRequest(ActiveOperation):
    """A `with` block in which a model works on a request, whose events are those of the span."""

    __slots__ = ('_listening',)

    def __init__(self, operation: ModelOperation) -> None:
        super().__init__(operation)
        self._listening = listen(operation.add_event)

    def __enter__(self) -> None:
        super().__enter__()
        self._listening.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listening.__exit__(kind, error, traceback)
        super().__exit__(kind, error, traceback)


def encode_content(
    settings: InstrumentationSettings,
    messages: Sequence[ModelMessage],
    response: ModelResponse | None,
    parameters: ModelRequestParameters,
) -> Attributes:
    """Return the attributes of the content, in their structured form. Empty ones are left out."""
    encoder = ContentEncoder(settings)
    content = {
        'gen_ai.system_instructions': encoder.encode_instructions(messages),
        'gen_ai.input.messages': encoder.encode_input(messages),
        'gen_ai.output.messages': [] if response is None else encoder.encode_output(response),
        'gen_ai.tool.definitions': encoder.encode_tools(parameters),
    }
    return {name: value for name, value in content.items() if value}


def to_json_text(value: object) -> str:
    """Return a value as JSON text, the form of structured attributes on spans that every backend reads."""
    return to_json(value, inf_nan_mode='strings', fallback=repr).decode()
