"""Providers of OpenTelemetry's SDK that keep everything in memory."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pydantic_llm.models.instrumented import InstrumentationSettings

Attributes = dict[str, Any]


class Recorder:
    """Records spans, metrics and events, and reads them back."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self._metrics = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self._metrics])
        self._events = InMemoryLogRecordExporter()
        self.logger_provider = LoggerProvider()
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self._events))

    def settings(self, **options: Any) -> InstrumentationSettings:
        return InstrumentationSettings(
            tracer_provider=self.tracer_provider,
            meter_provider=self.meter_provider,
            logger_provider=self.logger_provider,
            **options,
        )

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended, in the order of their ends."""
        return list(self._spans.get_finished_spans())

    @property
    def span(self) -> ReadableSpan:
        [span] = self.spans
        return span

    @property
    def attributes(self) -> Attributes:
        """The attributes of the only span."""
        return attributes_of(self.span)

    def named(self, name: str) -> ReadableSpan:
        """The only span of a name."""
        [span] = [span for span in self.spans if span.name == name]
        return span

    def tree(self) -> list[str]:
        """The names of the spans, with that of the parent: `child < parent`."""
        names = {span.context.span_id: span.name for span in self.spans if span.context}
        return [f'{span.name} < {names[span.parent.span_id]}' if span.parent else span.name for span in self.spans]

    def points(self, metric: str) -> list[HistogramDataPoint]:
        """The data points of a histogram."""
        data = self._metrics.get_metrics_data()
        scopes = [scope for resource in (data.resource_metrics if data else ()) for scope in resource.scope_metrics]
        found = [each for scope in scopes for each in scope.metrics if each.name == metric]
        return [point for each in found for point in each.data.data_points if isinstance(point, HistogramDataPoint)]

    def events(self) -> list[tuple[str | None, Attributes]]:
        """The events, as their names and attributes."""
        records = [data.log_record for data in self._events.get_finished_logs()]
        return [(record.event_name, dict(record.attributes or {})) for record in records]

    def clear(self) -> None:
        self._spans.clear()
        self._events.clear()


def attributes_of(span: ReadableSpan) -> Attributes:
    return dict(span.attributes or {})


def events_of(span: ReadableSpan) -> list[tuple[str, Attributes]]:
    return [(event.name, dict(event.attributes or {})) for event in span.events]
