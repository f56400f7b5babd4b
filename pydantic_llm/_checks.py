"""Checks the values of options: one sentence that names the option, when an object is made."""

from __future__ import annotations

from math import inf

from .exceptions import UserError

__all__ = ('check_flag', 'check_number')

MOST = 2**63 - 1
"""The largest number: databases store no larger one."""

LONGEST = 1e9
"""Some 30 years, in seconds: a longer time has no end. Dates and databases have a limit."""


def check_number(
    name: str,
    value: object,
    *,
    least: float | None = None,
    above: float | None = None,
    whole: bool = False,
    required: bool = False,
    advice: str = '',
) -> None:
    """Raise `UserError` unless an option is a number from `least` on, or above `above`; or `None`, if not required."""
    if value is None and not required:
        return
    if isinstance(value, int if whole else (int, float)) and not isinstance(value, bool):
        number: float = value
        if MOST < number < inf:
            raise UserError(f'{name} is too large: give at most {MOST}')
        if (least is None or number >= least) and (above is None or number > above):  # NaN is neither
            return
    limit = f'from {least:g} on' if least is not None else f'above {above:g}'
    raise UserError(f'{name} is {value!r}: give a {"whole " if whole else ""}number {limit}{advice}')


def check_flag(name: str, value: object) -> None:
    """Raise `UserError` unless an option is true or false."""
    if not isinstance(value, bool):
        raise UserError(f'{name} is {value!r}: give True or False')
