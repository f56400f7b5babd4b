"""Instrumentation by OpenTelemetry: `InstrumentedModel` records the requests to a model as spans, metrics and events.

`settings` says where telemetry goes, `switch` whether there is any. `model` is the model, `request` the operation of
one request. It is built on `operation`, which the agent uses too. `attributes` and `content` are pure: they describe
requests and responses with the names in `conventions`. OpenTelemetry is imported when settings are made.
"""

from __future__ import annotations

from .model import InstrumentedModel
from .settings import CapturedContent, InstrumentationSettings
from .switch import instrument_all, instrument_model

__all__ = ('CapturedContent', 'InstrumentationSettings', 'InstrumentedModel', 'instrument_all', 'instrument_model')
