"""The recordings as cases for tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.wire.folder import FOLDER, FOUND, MISSING
from tests.wire.vendors import VENDORS

Json = dict[str, Any]
What = Literal['decode', 'roundtrip', 'encode']

CORPORA = ('corpus', 'pool', 'synthetic')


@dataclass(frozen=True)
class Case:
    """One recording to check, in one way."""

    what: What
    vendor: str
    name: str
    file: Path
    streams: bool = False

    @property
    def folder(self) -> Path:
        return self.file.parents[1]

    def content(self) -> Json:
        loaded: Json = json.loads(self.file.read_text(encoding='utf-8'))
        return loaded


def rows(folder: Path) -> list[Json]:
    """Return the index of a folder of recordings."""
    index: list[Json] = json.loads((folder / 'index.json').read_text(encoding='utf-8'))
    return index


def exchanges(what: What) -> Iterator[Case]:
    """Yield each recorded exchange with a supported vendor once."""
    seen: set[str] = set()
    for corpus in CORPORA:
        folder = FOLDER / corpus / 'shared'
        for row in rows(folder):
            name = Path(row['file']).stem
            if row['vendor'] in VENDORS and name not in seen:
                seen.add(name)
                yield Case(what, row['vendor'], name, folder / row['file'], row['stream'])


def histories() -> Iterator[Case]:
    """Yield the hand-written histories for each supported kind of model."""
    folder = FOLDER / 'encode' / 'shared'
    for row in rows(folder):
        file = folder / row['file']
        expected = json.loads((folder / 'expected' / file.name).read_text(encoding='utf-8'))
        vendors = (vendor for vendor in expected['vendors'] if vendor.partition('@')[0] in VENDORS)
        yield from (Case('encode', vendor, file.stem, file) for vendor in vendors)


def all_cases() -> list[Case]:
    """Return all cases."""
    return [*exchanges('decode'), *exchanges('roundtrip'), *histories()] if FOUND else []


def parameters(what: What, *, streams: bool | None = None) -> list[Any]:
    """Return the cases as parameters of a test, named by vendor and case, or one that is skipped with a reason."""
    if not FOUND:
        return [pytest.param(None, marks=pytest.mark.skip(reason=MISSING), id='no-recordings')]
    cases = (case for case in all_cases() if case.what == what and streams in (None, case.streams))
    return [pytest.param(case, id=f'{case.vendor}-{case.name}') for case in cases]
