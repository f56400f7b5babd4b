"""The state of the switch of `pydantic_llm.models.instrumented`, in a module that costs nothing to import."""

from __future__ import annotations

__all__ = ('is_instrumented',)

for_all: object = False
"""The argument of `instrument_all`: a boolean, or settings."""


def is_instrumented(instrument: object) -> bool:
    """Return whether `instrument` switches the instrumentation on. `None` is the choice of `instrument_all`."""
    return bool(for_all if instrument is None else instrument)
