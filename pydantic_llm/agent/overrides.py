"""The parameters that `Agent.override` replaces, kept in a context variable per agent."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

__all__ = ('UNSET', 'Unset', 'get_overrides', 'override_parameters')


class Unset:
    """The type of `UNSET`."""

    def __repr__(self) -> str:
        return 'UNSET'


UNSET: Final = Unset()
"""The default of a parameter that was not given, if `None` is a valid value."""

_overrides: ContextVar[Mapping[int, Mapping[str, Any]]] = ContextVar('agent_overrides', default={})  # noqa: B039 -- it is never changed


def get_overrides(agent: object) -> Mapping[str, Any]:
    """Return the overridden parameters of an agent, by name."""
    return _overrides.get().get(id(agent), {})


@contextmanager
def override_parameters(agent: object, **parameters: object) -> Generator[None]:
    """Override the parameters that are not `UNSET` inside the `with` block. Blocks can be nested."""
    given = {name: value for name, value in parameters.items() if value is not UNSET}
    token = _overrides.set({**_overrides.get(), id(agent): {**get_overrides(agent), **given}})
    try:
        yield
    finally:
        _overrides.reset(token)
