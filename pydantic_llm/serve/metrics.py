"""`Metrics`: counters and histograms of an app, in the text format of Prometheus.

The labels are names that the owner of the gateway chose (models, keys, protocols) and the classes of errors, so that
no client can add series. https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from typing import Any

from .._extras import import_extra
from .drain import Drain
from .record import RequestRecord

__all__ = ('CONTENT_TYPE', 'Metrics')

CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
"""The content type of the text format: https://prometheus.io/docs/instrumenting/exposition_formats/"""

SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0)
"""The upper limits of the buckets of latencies, in seconds: responses of models take from milliseconds to minutes."""

PREFIX = 'pydantic_llm'

COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    'requests': ('Requests to models, by the status of the response', ('protocol', 'status')),
    'errors': ('Requests to models that failed, by the class of the error', ('error',)),
    'tokens': ('Tokens of requests and responses', ('direction',)),
    'cost_dollars': ('Price of requests in US dollars, where it is known', ()),
    'retries': ('Attempts that failed before the same model was asked again', ()),
    'fallbacks': ('Models that failed inside a fallback or a router', ()),
    'cache_hits': ('Responses that came from a cache', ()),
}
"""The counters: their help, and their labels after `model` and `key`."""

HISTOGRAMS = {
    'request_seconds': 'Seconds from the arrival of a request to the end of its response',
    'first_token_seconds': 'Seconds from the arrival of a request to the first event of its stream',
}


class Metrics:
    """The counters and histograms of one app."""

    def __init__(self, drain: Drain) -> None:
        client = import_extra('prometheus_client', extra='serve', what='Metrics of a gateway')
        self._generate = client.generate_latest
        self._registry = client.CollectorRegistry()
        self._counters: dict[str, Any] = {
            name: client.Counter(f'{PREFIX}_{name}', help_, ('model', 'key', *labels), registry=self._registry)
            for name, (help_, labels) in COUNTERS.items()
        }
        self._histograms: dict[str, Any] = {
            name: client.Histogram(
                f'{PREFIX}_{name}', help_, ('model', 'key'), buckets=SECONDS, registry=self._registry
            )
            for name, help_ in HISTOGRAMS.items()
        }
        in_progress = client.Gauge(f'{PREFIX}_requests_in_progress', 'Requests in progress', registry=self._registry)
        in_progress.set_function(lambda: drain.in_progress)
        self._children: dict[tuple[str, ...], Any] = {}

    def add(self, record: RequestRecord) -> None:
        """Count a finished request."""
        names = (record.model, record.key_name)
        self._count('requests', names, 1, record.protocol, str(record.status))
        if record.error:
            self._count('errors', names, 1, record.error)
        if record.usage is not None:
            self._count('tokens', names, record.usage.input_tokens, 'input')
            self._count('tokens', names, record.usage.output_tokens, 'output')
        for name in ('retries', 'fallbacks', 'cache_hits'):
            self._count(name, names, getattr(record, name))
        self._count('cost_dollars', names, float(record.cost or 0))
        self._observe('request_seconds', names, record.seconds)
        if record.first_token is not None:
            self._observe('first_token_seconds', names, record.first_token)

    def write(self) -> bytes:
        """Return all values in the text format."""
        text: bytes = self._generate(self._registry)
        return text

    def _count(self, name: str, names: tuple[str, str], amount: float, *labels: str) -> None:
        if amount > 0:  # a counter cannot decrease
            key = (name, *names, *labels)
            child = self._children.get(key)
            if child is None:  # `labels` takes as long as counting
                child = self._children[key] = self._counters[name].labels(*names, *labels)
            child.inc(amount)

    def _observe(self, name: str, names: tuple[str, str], seconds: float) -> None:
        key = (name, *names)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._histograms[name].labels(*names)
        child.observe(seconds)
