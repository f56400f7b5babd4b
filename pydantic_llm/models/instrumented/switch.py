"""The switch of the instrumentation: `instrument_all` for all, `instrument=` of an agent or a request for one."""

from __future__ import annotations

from ... import _instrument
from ..._type_checks import check_type
from .. import Model
from .model import InstrumentedModel
from .settings import InstrumentationSettings

__all__ = ('find_settings', 'instrument_all', 'instrument_model')

_default: InstrumentationSettings | None = None


def instrument_all(instrument: InstrumentationSettings | bool = True) -> None:
    """Record all runs of agents and all requests of `pydantic_llm.direct`, unless they set `instrument` themselves.

    `False` switches it off. Raises `UserError` if the extra `otel` is not installed.
    """
    find_settings(instrument)
    _instrument.for_all = instrument


def find_settings(instrument: InstrumentationSettings | bool | None) -> InstrumentationSettings | None:
    """Return the settings to use, or `None` if the instrumentation is off. `None` is the choice of `instrument_all`.

    Raises `UserError` for a value of another type, or if the extra `otel` is not installed.
    """
    global _default
    chosen = _instrument.for_all if instrument is None else instrument
    check_type(chosen, (bool, InstrumentationSettings), parameter='instrument')
    if isinstance(chosen, InstrumentationSettings):
        return chosen
    if chosen and _default is None:
        _default = InstrumentationSettings()
    return _default if chosen else None


def instrument_model(model: Model, instrument: InstrumentationSettings | bool | None = None) -> Model:
    """Return the model, in an `InstrumentedModel` if the instrumentation is on and it is not in one yet."""
    settings = find_settings(instrument)
    if settings is None or isinstance(model, InstrumentedModel):
        return model
    return InstrumentedModel(model, settings)
