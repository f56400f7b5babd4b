"""What the real exporters send: a server on loopback takes it, and the classes of the protocol decode it."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from pydantic_llm import Agent
from pydantic_llm.models.instrumented import InstrumentationSettings
from pydantic_llm.models.test import TestModel


class Collector(BaseHTTPRequestHandler):
    received: ClassVar[dict[str, bytes]] = {}

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers['content-length']))
        is_packed = self.headers.get('content-encoding') == 'gzip'
        self.received[self.path] = self.received.get(self.path, b'') + (gzip.decompress(body) if is_packed else body)
        self.send_response(200)
        self.send_header('content-length', '0')
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def running_collector() -> Iterator[str]:
    server = ThreadingHTTPServer(('127.0.0.1', 0), Collector)
    thread = Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01})
    thread.start()
    try:
        yield f'http://127.0.0.1:{server.server_address[1]}'
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_collector_receives_spans_metrics_and_events() -> None:
    with running_collector() as url:
        tracers = TracerProvider()
        tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f'{url}/v1/traces')))
        meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter(f'{url}/v1/metrics'))])
        loggers = LoggerProvider()
        loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f'{url}/v1/logs')))
        settings = InstrumentationSettings(
            tracer_provider=tracers,
            meter_provider=meters,
            logger_provider=loggers,
            include_content='span_and_event',
        )
        Agent(TestModel(), name='a', tools=[len], instrument=settings).run_sync('hello')
        for provider in (tracers, meters, loggers):
            provider.shutdown()
    check_spans(ExportTraceServiceRequest.FromString(Collector.received['/v1/traces']))
    check_metrics(ExportMetricsServiceRequest.FromString(Collector.received['/v1/metrics']))
    check_events(ExportLogsServiceRequest.FromString(Collector.received['/v1/logs']))


def check_spans(request: ExportTraceServiceRequest) -> None:
    [scope] = request.resource_spans[0].scope_spans
    assert (scope.scope.name, scope.scope.version) == ('pydantic_llm', '0.1.0')
    spans = {span.name: span for span in scope.spans}
    assert {*spans} == {'chat test', 'execute_tool len', 'invoke_agent a'}
    assert spans['chat test'].parent_span_id == spans['invoke_agent a'].span_id
    assert spans['chat test'].kind == Span.SPAN_KIND_INTERNAL
    attributes = {each.key: each.value for each in spans['chat test'].attributes}
    assert attributes['gen_ai.usage.input_tokens'].int_value > 0
    assert [each.string_value for each in attributes['gen_ai.response.finish_reasons'].array_value.values] == ['stop']
    assert attributes['gen_ai.input.messages'].string_value.startswith('[{"role":"user"')


def check_metrics(request: ExportMetricsServiceRequest) -> None:
    metrics = {metric.name: metric for metric in request.resource_metrics[0].scope_metrics[0].metrics}
    assert {*metrics} == {
        'gen_ai.client.token.usage',
        'gen_ai.client.operation.duration',
        'gen_ai.invoke_agent.duration',
        'gen_ai.execute_tool.duration',
    }
    point = metrics['gen_ai.client.operation.duration'].histogram.data_points[0]
    assert (point.count, len(point.explicit_bounds)) == (2, 14)


def check_events(request: ExportLogsServiceRequest) -> None:
    first, _ = request.resource_logs[0].scope_logs[0].log_records
    assert first.event_name == 'gen_ai.client.inference.operation.details'
    assert first.severity_number == 5
    assert len(first.span_id) == 8
    attributes = {each.key: each.value for each in first.attributes}
    message = {
        each.key: each.value for each in attributes['gen_ai.input.messages'].array_value.values[0].kvlist_value.values
    }
    assert message['role'].string_value == 'user'
