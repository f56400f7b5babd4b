"""Fills in what a configuration file takes from elsewhere: `${VARIABLE}`, `NAME_env` and `NAME_file`.

A secret that is written in the file itself is refused: files are copied, committed and sent around.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from .problems import ConfigError, LineIndex, Location, is_secret

__all__ = ('fill_in',)

VARIABLE = re.compile(r'\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}')

SOURCES = ('_env', '_file')
"""The endings of options that name the source of a secret: `api_key_env = "OPENAI_API_KEY"`."""


def fill_in(value: Any, index: LineIndex, environment: Mapping[str, str]) -> Any:
    """Return the content of a file with its variables and secrets. Raises `ConfigError` with every problem."""
    filler = _Filler(index, environment)
    filled = filler.fill(value, ())
    if filler.problems:
        raise ConfigError(filler.problems)
    return filled


class _Filler:
    """Fills in one file, and collects the problems."""

    def __init__(self, index: LineIndex, environment: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self._index = index
        self._environment = environment

    def fill(self, value: Any, location: Location) -> Any:
        match value:
            case dict():
                return self._fill_table(cast('dict[str, Any]', value), location)
            case list():
                items = cast('Sequence[Any]', value)
                return [self.fill(item, (*location, position)) for position, item in enumerate(items)]
            case str():
                if _is_literal_secret(value, location):
                    self._refuse(location)
                return VARIABLE.sub(lambda found: self._read_variable(found['name'], location), value)
            case _:
                return value

    def _fill_table(self, table: dict[str, Any], location: Location) -> dict[str, Any]:
        filled: dict[str, Any] = {}
        for name, value in table.items():
            here = (*location, name)
            source = next((ending for ending in SOURCES if name.endswith(ending)), None)
            if source is None or not is_secret((*location, secret := name.removesuffix(source))):
                filled[name] = self.fill(value, here)
                continue
            if secret in table:
                self._report(here, f'{secret!r} is given as well: keep one of them')
            filled[secret] = self._read_variable(value, here) if source == '_env' else self._read_file(value, here)
        return filled

    def _read_variable(self, name: object, location: Location) -> str:
        value = self._environment.get(name, '') if isinstance(name, str) else ''
        if not value:
            self._report(location, f'the environment variable {name!r} is not set, or empty')
        return value

    def _read_file(self, path: object, location: Location) -> str:
        try:
            text = Path(str(path)).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, 'strerror', None) or 'it is not text'
            self._report(location, f'the file {str(path)!r} cannot be read: {reason}')
            return ''
        if not text:
            self._report(location, f'the file {str(path)!r} is empty')
        return text

    def _refuse(self, location: Location) -> None:
        name, instead = location[-1], 'write "${VARIABLE}"'
        if is_secret(location):
            self._report(
                location, f'a secret does not belong in this file: {instead}, or use {name}_env or {name}_file'
            )
        else:
            self._report(location, f'a password does not belong in this file: {instead} in its place')

    def _report(self, location: Location, problem: str) -> None:
        self.problems.append(f'{self._index.describe(location)}: {problem}')


def _is_literal_secret(value: str, location: Location) -> bool:
    """Return whether a secret, or the password of a URL, is written in the file."""
    if is_secret(location):
        return VARIABLE.fullmatch(value) is None
    try:
        password = urlsplit(value).password if '://' in value else None
        return bool(password) and VARIABLE.search(password or '') is None
    except ValueError:  # not a URL
        return False
