"""`Operation`: one operation of the conventions, as a span and the measurements at its end.

`model.py` makes one for each request to a model, the agent one for each run and each tool call.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from contextvars import Token
from types import TracebackType
from typing import Any, Literal

from opentelemetry import context as otel_context
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

from .attributes import Attributes, describe_error, describe_exception
from .conventions import DURATION_OF_OPERATION
from .settings import InstrumentationSettings

__all__ = ('ActiveOperation', 'CurrentSpan', 'Operation', 'OperationName')

OperationName = Literal['chat', 'invoke_agent', 'execute_tool']
"""The value of `gen_ai.operation.name`."""


class Operation:
    """An operation that began when this object was made, and ends with `end`.

    Args:
        settings: Where telemetry goes.
        name: The value of `gen_ai.operation.name`.
        subject: What follows the operation in the name of the span: the name of a model, agent or tool.
        attributes: Attributes of the span.
        metric_attributes: Attributes of the metrics, without the name of the operation.
        is_remote: `True` for an operation of another process.
    """

    def __init__(
        self,
        settings: InstrumentationSettings,
        name: OperationName,
        subject: str | None,
        attributes: Attributes,
        *,
        metric_attributes: Attributes,
        is_remote: bool = False,
    ) -> None:
        self.settings = settings
        self.name: OperationName = name
        self.attributes: Attributes = {'gen_ai.operation.name': name, **attributes}
        self.metric_attributes: Attributes = {'gen_ai.operation.name': name, **metric_attributes}
        self.span: Any = settings.tracer.start_span(
            f'{name} {subject}' if subject else name,
            kind=SpanKind.CLIENT if is_remote else SpanKind.INTERNAL,
            attributes=self.attributes,
        )
        self.context: Any = set_span_in_context(self.span)
        self.has_ended: bool = False
        self._error: Attributes = {}
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the operation began."""
        return time.perf_counter() - self._began

    def set_attributes(self, attributes: Attributes) -> None:
        """Add attributes to the span."""
        self.attributes.update(attributes)
        self.span.set_attributes(attributes)

    def active(self) -> ActiveOperation:
        """Make the span the current one in a `with` block. An error in the block is the error of the operation."""
        return ActiveOperation(self)

    def make_current(self) -> CurrentSpan:
        """Make the span the current one in a `with` block."""
        return CurrentSpan(self)

    def fail(self, error: BaseException) -> None:
        """Record the error of the operation. A cancelled operation has none."""
        if self.has_ended or self._error or isinstance(error, GeneratorExit):
            return
        if isinstance(error, asyncio.CancelledError):
            self.span.add_event('pydantic_llm.cancelled')
            return
        self._error = describe_error(error)
        exception = describe_exception(error, self.settings)
        self.set_attributes(self._error)
        self.span.set_status(Status(StatusCode.ERROR, exception.get('exception.message')))
        self.span.add_event('exception', exception)

    def add_error_event(self, name: str, error: BaseException, attributes: Attributes) -> None:
        """Add an event for an error that does not end the operation."""
        exception = describe_exception(error, self.settings)
        del exception['exception.stacktrace']
        self.span.add_event(name, {**describe_error(error), **exception, **attributes})

    def record(self, metric: str, value: float, **attributes: Any) -> None:
        """Record a value of a metric, with the attributes of the operation."""
        found = {**self.metric_attributes, **attributes} if attributes else self.metric_attributes
        self.settings.record(metric, value, found)

    def end(self) -> None:
        """End the operation, if it has not ended, and record its duration."""
        if self.has_ended:
            return
        self.has_ended = True
        error = {'error.type': self._error['error.type']} if self._error else {}
        self.settings.record(DURATION_OF_OPERATION[self.name], self.seconds, {**self.metric_attributes, **error})
        self.span.end()


class CurrentSpan:
    """A `with` block in which the span of an operation is the current one.

    A class and not a generator, since a stream enters one for each chunk.
    """

    __slots__ = ('_operation', '_token')

    _token: Token[otel_context.Context]

    def __init__(self, operation: Operation) -> None:
        self._operation = operation

    def __enter__(self) -> None:
        self._token = otel_context.attach(self._operation.context)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # a generator that is closed by another task has another context; `detach` would log an error
        with suppress(ValueError):
            self._token.var.reset(self._token)


class ActiveOperation(CurrentSpan):
    """A `with` block in which an operation works: an error in it is the error of the operation."""

    __slots__ = ()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        if error is not None and not isinstance(error, StopAsyncIteration):
            self._operation.fail(error)
