"""What `Agent.override` sets, for the code inside its block alone."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

__all__ = ('UNSET', 'Unset', 'overridden', 'overrides_of')


class Unset:
    """The type of `UNSET`."""

    def __repr__(self) -> str:
        return 'UNSET'


UNSET: Final = Unset()
"""Stands for a parameter that was not given, where `None` means something."""

_overrides: ContextVar[Mapping[int, Mapping[str, Any]]] = ContextVar('agent_overrides', default={})  # noqa: B039 -- it is never changed


def overrides_of(agent: object) -> Mapping[str, Any]:
    """What is overridden of an agent, by the name of the parameter."""
    return _overrides.get().get(id(agent), {})


@contextmanager
def overridden(agent: object, **parameters: Any) -> Generator[None]:
    """Override what is not `UNSET`, on top of what is overridden already."""
    given = {name: value for name, value in parameters.items() if value is not UNSET}
    token = _overrides.set({**_overrides.get(), id(agent): {**overrides_of(agent), **given}})
    try:
        yield
    finally:
        _overrides.reset(token)
