"""Reads settings from the command line: `-o temperature=0.2`, with the type that the setting has."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from importlib import import_module
from typing import Any, cast

from .._setting_checks import Check, check_settings, make_shared_checks, own_checks
from .._suggestions import suggest_or_list
from ..exceptions import UserError
from ..models.names import SETTING_HOMES
from ..settings import ModelSettings
from .errors import UsageError
from .options import SETTING_OPTIONS

__all__ = ('list_setting_names', 'read_settings')

LITERALS: dict[str, Any] = {
    'on': True,
    'yes': True,
    'True': True,
    'off': False,
    'no': False,
    'False': False,
    'None': None,
}
"""Other spellings of `true`, `false` and `null`."""


def read_settings(arguments: Namespace) -> ModelSettings:
    """Return the settings of the `-o name=value` options, and of the settings that have an option of their own.

    A value is JSON, or a text; a setting that is a list takes a single item as well. Raises `UsageError` for an unknown
    name and for a value that the setting does not take.
    """
    settings: dict[str, Any] = {}
    for option in arguments.option:
        name, separator, value = option.partition('=')
        if not separator:
            raise UsageError(f'-o {option!r} has no value: write -o name=value, such as -o temperature=0.2')
        settings[name.strip()] = _parse_value(name.strip(), value)
    for name in SETTING_OPTIONS:
        if (text := getattr(arguments, name)) is not None:
            settings[name] = _parse_value(name, text)
    return cast('ModelSettings', settings)


def list_setting_names() -> list[str]:
    """Return the names of the settings that every model knows."""
    return [*ModelSettings.__annotations__]


def _parse_value(name: str, text: str) -> Any:
    check = _find_check(name)
    values = [*_read_values(text)]
    value = next((value for value in values if check is None or value is None or check.accepts(value)), values[0])
    try:
        check_settings({name: value}, {} if check is None else {name: check})
    except UserError as error:
        raise UsageError(str(error)) from None
    return value


def _read_values(text: str) -> Iterator[Any]:
    """Yield the values that a text can have, the most likely first."""
    try:
        yield json.loads(text)
    except ValueError:
        if text in LITERALS:
            yield LITERALS[text]
    yield text
    yield text.split(',') if ',' in text else [text]


def _find_check(name: str) -> Check | None:
    """Return the check of a setting; `None` if it has none. Raises `UsageError` for a name that no API has."""
    from ..wire.foreign_settings import suggest_foreign_name

    shared = make_shared_checks()
    if name in shared:
        return shared[name]
    hint = suggest_foreign_name(name)
    if hint is not None:
        raise UsageError(f'There is no setting {name!r}{hint or suggest_or_list(name, list_setting_names())}')
    prefix = next((prefix for prefix in SETTING_HOMES if name.startswith(prefix)), None)
    for home in SETTING_HOMES.get(prefix or '', ()):
        module, _, attribute = home.partition(':')
        declared = getattr(import_module(f'..models.{module}', __package__), attribute)
        if isinstance(declared, type) and name in (checks := own_checks(declared)):
            return checks[name]
    return None
