"""The state of the switch of `pydantic_llm.models.instrumented`, in a module that costs nothing to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .models import Model

__all__ = ('instrument_if_on', 'is_instrumented')

for_all: object = False
"""The argument of `instrument_all`: a boolean, or settings."""


def is_instrumented(instrument: object) -> bool:
    """Return whether `instrument` switches the instrumentation on. `None` is the choice of `instrument_all`."""
    return bool(for_all if instrument is None else instrument)


def instrument_if_on(model: Model, instrument: object = None) -> Model:
    """Return the model, in an `InstrumentedModel` if `instrument` switches the instrumentation on."""
    if not is_instrumented(instrument):
        return model
    from .models.instrumented.switch import instrument_model

    return instrument_model(model, instrument)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] -- it is checked there
