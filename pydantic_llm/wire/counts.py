"""Reads token counts of every API. Pure.

The rules: a value that is no count is 0; the counts of a stream are cumulative, so a later one replaces an earlier one,
unless it is 0; tokens that a server counts apart (thinking, cached tokens) are added if its total contains them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast

from ..json_types import Json

__all__ = ('decode_count', 'get_object', 'merge_usage', 'reconcile', 'select_counts')

LARGEST_COUNT = 2**53
"""Counts above this are not token counts."""


def decode_count(value: object) -> int:
    """Return a count: floats (`37.0`) and numbers in text are converted; 0 for any other value, and below 0."""
    if value is None:
        return 0
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 < value <= LARGEST_COUNT else 0


def get_object(value: object, *names: str) -> Json:
    """Return the first of these fields that is an object which is not empty; without names, the value itself."""
    if not isinstance(value, dict):
        return {}
    fields = cast('Json', value)
    if not names:
        return fields
    for name in names:
        found: object = fields.get(name)
        if found and isinstance(found, dict):
            return cast('Json', found)
    return {}


def select_counts(values: Mapping[str, Any], *, without: Collection[str] = (), prefix: str = '') -> dict[str, int]:
    """Return the fields that are whole numbers above 0, with a prefix before their names."""
    counts: dict[str, int] = {}
    for name, value in values.items():
        is_number = type(value) is int or (type(value) is float and name.endswith('tokens'))
        if is_number and name not in without and (count := decode_count(value)):
            counts[f'{prefix}{name}'] = count
    return counts


def merge_usage(known: Json, new: object) -> Json:
    """Return the usage of a stream so far: a field that a later event does not have, or has as 0, keeps its value."""
    merged = dict(known)
    for name, value in get_object(new).items():
        if isinstance(value, dict):
            merged[name] = merge_usage(get_object(known.get(name)), cast('Json', value))
        elif value or (value is not None and name not in merged):
            merged[name] = value
    return merged


def reconcile(
    input: int, output: int, *, cached: int = 0, thinking: int = 0, total: int = 0, is_apart: bool = False
) -> tuple[int, int]:
    """Return all input tokens and all output tokens.

    APIs disagree on whether the input contains `cached` tokens and the output contains `thinking`: xAI's output does
    not (inspect_ai#5528, vercel/ai#12425), the input of some gateways does not (term-llm#424). The total decides. If it
    fits no reading, a part that is larger than its whole was counted apart; `is_apart` says that thinking always is.
    """
    readings = ((0, 0), (0, thinking), (cached, 0), (cached, thinking))
    for more_input, more_output in readings:
        if total and input + more_input + output + more_output == total:
            return input + more_input, output + more_output
    return input + (cached if cached > input else 0), output + (thinking if is_apart or thinking > output else 0)
