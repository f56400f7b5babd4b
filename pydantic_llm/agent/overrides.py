"""The parameters that `Agent.override` replaces, kept in a context variable per agent."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

from .._type_checks import check_native_tools
from ..toolsets.dynamic import to_toolsets
from ..toolsets.function import check_tools
from .dynamic_options import check_model_option, check_settings_option
from .options import parse_retries

__all__ = ('UNSET', 'Unset', 'get_overrides', 'override_parameters')


class Unset:
    """The type of `UNSET`."""

    def __repr__(self) -> str:
        return 'UNSET'


UNSET: Final = Unset()
"""The default of a parameter that was not given, if `None` is a valid value."""

CHECKS: Mapping[str, Callable[[Any], object]] = {
    'model': check_model_option,
    'tools': check_tools,
    'toolsets': to_toolsets,
    'native_tools': check_native_tools,
    'model_settings': check_settings_option,
    'retries': partial(parse_retries, default=(1, 1)),
}
"""The functions that raise `UserError` for a parameter of a wrong type."""

_overrides: ContextVar[Mapping[int, Mapping[str, Any]]] = ContextVar('agent_overrides', default={})  # noqa: B039 -- it is never changed


def get_overrides(agent: object) -> Mapping[str, Any]:
    """Return the overridden parameters of an agent, by name."""
    return _overrides.get().get(id(agent), {})


def override_parameters(agent: object, **parameters: object) -> AbstractContextManager[None]:
    """Override the parameters that are not `UNSET` inside the `with` block. Blocks can be nested.

    Raises `UserError` for a parameter of a wrong type.
    """
    given = {name: value for name, value in parameters.items() if value is not UNSET}
    for name in given.keys() & CHECKS.keys():
        CHECKS[name](given[name])
    return _override(agent, given)


@contextmanager
def _override(agent: object, given: Mapping[str, object]) -> Generator[None]:
    token = _overrides.set({**_overrides.get(), id(agent): {**get_overrides(agent), **given}})
    try:
        yield
    finally:
        _overrides.reset(token)
