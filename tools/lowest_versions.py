"""Print the requirements of some extras at their lowest versions, for pip: `python tools/lowest_versions.py all serve`.

The requirements of the package itself come first. An upper bound is left out: the lowest version decides.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

PROJECT = Path(__file__).parents[1] / 'pyproject.toml'

REQUIREMENT = re.compile(r'(?P<name>[A-Za-z0-9._-]+)(?P<extras>\[[^]]*])?>=(?P<version>[0-9.]+)[^;]*(?P<marker>;.*)?')
"""A requirement with a lower bound, and perhaps with extras, other bounds and a marker."""

OWN = re.compile(r'pydantic-llm\[(?P<extras>[^]]*)]')
"""A requirement of other extras of this package."""


def list_lowest(project: Mapping[str, Sequence[str]], extras: Sequence[str], base: Sequence[str]) -> Iterator[str]:
    """Yield the base requirements and those of the extras, each with `==` and its lower bound."""
    for line in base:
        match = REQUIREMENT.fullmatch(line)
        if match is None:
            sys.exit(f'{line!r} has no lower bound of the form >=1.2')
        yield f'{match["name"]}{match["extras"] or ""}=={match["version"]}{match["marker"] or ""}'
    for extra in extras:
        lines = project[extra]
        nested = [own['extras'].split(',') for own in map(OWN.fullmatch, lines) if own is not None]
        yield from list_lowest(project, [name for names in nested for name in names], ())
        yield from list_lowest({}, (), [line for line in lines if OWN.fullmatch(line) is None])


def main() -> None:
    project = tomllib.loads(PROJECT.read_text())['project']
    extras, known = sys.argv[1:], project['optional-dependencies']
    if unknown := sorted({*extras} - known.keys()):
        sys.exit(f'pyproject.toml has no extras {", ".join(unknown)}')
    print(*dict.fromkeys(list_lowest(known, extras, project['dependencies'])), sep='\n')


if __name__ == '__main__':
    main()
