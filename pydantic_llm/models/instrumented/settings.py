"""`InstrumentationSettings`: where telemetry goes, and what it may contain."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Literal, get_args
from warnings import warn

from ..._checks import check_flag
from ..._extras import import_extra
from ..._type_checks import check_callable, check_choice, raise_wrong_type
from .conventions import METRICS

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import Histogram, MeterProvider
    from opentelemetry.trace import TracerProvider

__all__ = ('CapturedContent', 'InstrumentationSettings')

CapturedContent = bool | Literal['span', 'event', 'span_and_event']
"""Where the content of messages is recorded: nowhere, on spans, in events, or in both. `True` is `'span'`."""

CONTENT_VARIABLE = 'OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT'
"""The environment variable for the content, as other instrumentations have it.

Its values are those of opentelemetry-util-genai (https://pypi.org/project/opentelemetry-util-genai/); before that
package, instrumentations read `true` and `false`.
"""

CONTENT_VALUES: dict[str, CapturedContent] = {
    '': False,
    'false': False,
    'true': 'span',
    'no_content': False,
    'span_only': 'span',
    'event_only': 'event',
    'span_and_event': 'span_and_event',
}

PROVIDERS = {'tracer_provider': 'get_tracer', 'meter_provider': 'get_meter', 'logger_provider': 'get_logger'}
"""The parameters with providers, and the method of each that is called."""

REDACTION_FAILED = '[the redaction failed]'
"""Stands for a text that the `redact` function did not return."""


class InstrumentationSettings:
    """Where telemetry goes, and what it may contain. By default it has no content of messages.

    Without providers, the global ones of OpenTelemetry are used, also if the application sets them later.

    Args:
        tracer_provider: The provider of the tracer.
        meter_provider: The provider of the meter.
        logger_provider: The provider of the logger, for events.
        include_content: Record prompts, responses, instructions, tools, and the arguments and results of tool calls:
            `True` or `'span'` on spans, `'event'` in events, `'span_and_event'` in both. The default is the environment
            variable `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`, or else `False`.
        include_binary_content: Record the bytes of files too, if the content is recorded. Without it, a file has its
            type and its size.
        redact: A function that takes each recorded text and returns the text to record in its place. It is called for
            error messages too. If it raises, the text is not recorded.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        include_content: CapturedContent | None = None,
        include_binary_content: bool = False,
        redact: Callable[[str], str] | None = None,
    ) -> None:
        for name, provider in zip(PROVIDERS, (tracer_provider, meter_provider, logger_provider), strict=True):
            if provider is not None and not callable(getattr(provider, PROVIDERS[name], None)):
                raise_wrong_type(name, f'an object with the method {PROVIDERS[name]}', provider)
        check_flag('include_binary_content', include_binary_content)
        check_callable(redact, parameter='redact')
        content = _read_content_variable() if include_content is None else include_content
        if not isinstance(content, bool):
            check_choice(content, get_args(get_args(CapturedContent)[1]), parameter='include_content')
        self.include_content: CapturedContent = content
        """Where the content of messages is recorded."""
        self.include_binary_content = include_binary_content
        self._redact = redact
        self._open(tracer_provider, meter_provider, logger_provider)

    def _open(self, tracer_provider: Any, meter_provider: Any, logger_provider: Any) -> None:
        """Get the tracer, the histograms and the logger of the providers."""
        _check_provider(tracer_provider, 'tracer')
        _check_provider(meter_provider, 'meter')
        _check_provider(logger_provider, 'logger')
        trace = import_extra('opentelemetry.trace', extra='otel', what='Instrumentation')
        metrics = import_extra('opentelemetry.metrics', extra='otel', what='Instrumentation')
        logs = import_extra('opentelemetry._logs', extra='otel', what='Instrumentation')
        scope = 'pydantic_llm', _find_version()
        self.tracer: Any = (tracer_provider or trace.get_tracer_provider()).get_tracer(*scope)
        self.logger: Any = (logger_provider or logs.get_logger_provider()).get_logger(*scope)
        meter = (meter_provider or metrics.get_meter_provider()).get_meter(*scope)
        self._histograms: dict[str, Histogram] = {
            name: meter.create_histogram(
                name,
                unit=metric.unit,
                description=metric.description,
                explicit_bucket_boundaries_advisory=list(metric.buckets),
            )
            for name, metric in METRICS.items()
        }

    @property
    def has_content_on_spans(self) -> bool:
        """True if spans have the content of messages."""
        return self.include_content in (True, 'span', 'span_and_event')

    @property
    def has_content_in_events(self) -> bool:
        """True if there is an event with the content of each request."""
        return self.include_content in ('event', 'span_and_event')

    def redact(self, text: str) -> str:
        """Return the text to record."""
        if self._redact is None:
            return text
        try:
            return str(self._redact(text))
        except Exception:  # noqa: BLE001 -- telemetry must not break a request, nor record what may be a secret
            return REDACTION_FAILED

    def record(self, metric: str, value: float, attributes: Mapping[str, Any]) -> None:
        """Record a value of one of the conventions' metrics."""
        self._histograms[metric].record(value, attributes)

    def __repr__(self) -> str:
        return (
            f'InstrumentationSettings(include_content={self.include_content!r}, '
            f'include_binary_content={self.include_binary_content!r})'
        )


def _check_provider(provider: object, kind: str) -> None:
    """Raise `UserError` if a provider has no tracer, meter or logger."""
    if provider is not None and not hasattr(provider, f'get_{kind}'):
        raise_wrong_type(f'{kind}_provider', f'a {kind.capitalize()}Provider of OpenTelemetry', provider)


def _find_version() -> str | None:
    """Return the version of this package; `None` if it is not installed, but used from a folder."""
    try:
        return version('pydantic-llm')
    except PackageNotFoundError:
        return None


def _read_content_variable() -> CapturedContent:
    """Return the value of the environment variable. An unknown one is a warning, and no content is recorded."""
    text = os.environ.get(CONTENT_VARIABLE, '')
    content = CONTENT_VALUES.get(text.strip().lower())
    if content is None:
        known = ', '.join(name.upper() for name in CONTENT_VALUES if name)
        warn(f'{CONTENT_VARIABLE} is {text!r}, so that no content is recorded; it can be {known}', stacklevel=4)
    return content or False
