"""`ConfigError`: the problems of a configuration file, each with its line, its option, and the nearest known names."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from ..._suggestions import suggest_or_list
from ...exceptions import UserError
from .schema import ConfigFile, Options

__all__ = ('ConfigError', 'LineIndex', 'describe_validation_error', 'is_secret')

Location = tuple[str | int, ...]
"""The place of an option: `('models', 'fast', 'router', 'deployments', 0)`."""

HEADER = re.compile(r'\s*(?P<open>\[\[?)(?P<path>[^\]]+)\]')
SECRET = re.compile(r'(^|_)(key|token|secret|password|credentials)$')

ASSIGNMENT = re.compile(r'\s*(?P<path>[^=#\[\]{}]+?)\s*=')


class ConfigError(UserError):
    """Raised for a configuration file that is not valid."""

    problems: Sequence[str]
    """One sentence for each problem, with the file, the line and the option."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = problems
        super().__init__('\n'.join(problems))


class LineIndex:
    """The lines of the options of a file: `tomllib` does not report them."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._lines: dict[Location, int] = {}
        table: Location = ()
        counts: dict[Location, int] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if header := HEADER.match(line):
                table = _read_path(header['path'])
                if header['open'] == '[[':
                    counts[table] = counts.get(table, -1) + 1
                table = _add_positions(table, counts)
                self._lines.setdefault(table, number)
            elif assignment := ASSIGNMENT.match(line):
                self._lines.setdefault((*table, *_read_path(assignment['path'])), number)

    def describe(self, location: Location) -> str:
        """Return the file, the line and the option: `'gateway.toml, line 3: models.fast.modl'`."""
        starts = [location[:end] for end in range(len(location), 0, -1)]
        line = next((line for start in starts if (line := self._find_line(start)) is not None), None)
        shown = '.'.join(map(str, location))
        where = self._path if line is None else f'{self._path}, line {line}'
        return f'{where}: {shown}' if shown else where

    def _find_line(self, start: Location) -> int | None:
        """Return the line of a table or an option, or the first line of what is in it: `[a.b]` makes `a` too."""
        if start in self._lines:
            return self._lines[start]
        return min((line for known, line in self._lines.items() if known[: len(start)] == start), default=None)


def describe_validation_error(error: ValidationError, index: LineIndex) -> ConfigError:
    """Return the error for values that do not fit the schema."""
    problems = [_describe_problem(cast('dict[str, Any]', each), index) for each in error.errors(include_url=False)]
    return ConfigError([*dict.fromkeys(problems)])


def _describe_problem(problem: dict[str, Any], index: LineIndex) -> str:
    location: Location = problem['loc']
    where = index.describe(location)
    match problem['type']:
        case 'extra_forbidden':
            return f'{where} is unknown{suggest_or_list(location[-1], _find_options(location).model_fields)}'
        case 'missing':
            return f'{where} is missing'
        case _:
            given: object = problem['input']
            shown = f', not {given!r}' if isinstance(given, (int, float, str)) and not is_secret(location) else ''
            message: str = problem['msg']
            return f'{where}: {message[0].lower()}{message[1:]}{shown}'


def is_secret(location: Location) -> bool:
    """Return whether the option holds a secret, by its name: a key, a token, a password."""
    name = next((each for each in reversed(location) if isinstance(each, str)), '')
    return ('keys' in location[:1] or 'provider' in location) and SECRET.search(name) is not None


def _find_options(location: Location) -> type[BaseModel]:
    """Return the options of the table that an option is in."""
    options: type[BaseModel] = ConfigFile
    for step in location[:-1]:
        field = options.model_fields.get(step) if isinstance(step, str) else None
        names = re.findall(r'\w+', repr(field.annotation)) if field is not None else ()
        options = next((OPTIONS[each] for each in names if each in OPTIONS), options)
    return options


OPTIONS: Mapping[str, type[BaseModel]] = {each.__name__: each for each in Options.__subclasses__()}


def _read_path(text: str) -> Location:
    """Return the parts of a key, quoted or not; those of an invalid one are empty."""
    try:
        value: Any = tomllib.loads(f'{text.strip()} = 0')
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while isinstance(value, dict):
        [(name, value)] = cast('dict[str, Any]', value).items()
        path.append(name)
    return tuple(path)


def _add_positions(table: Location, counts: Mapping[Location, int]) -> Location:
    """Return the path of a table with its position in each array of tables that it is in."""
    path: list[str | int] = []
    for end, name in enumerate(table, 1):
        path.append(name)
        if table[:end] in counts:
            path.append(counts[table[:end]])
    return tuple(path)
