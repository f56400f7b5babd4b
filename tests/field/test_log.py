"""The log of public reports and the table of kinds name tests and modules that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PACKAGE = TESTS.parent / 'pydantic_llm'
LOG = (TESTS / 'field' / 'LOG.md').read_text()
KINDS = (TESTS / 'field' / 'README.md').read_text()


def rows_of(text: str) -> Iterator[list[str]]:
    """Yield the cells of each row of the tables, without the heads."""
    for line in text.splitlines():
        if line.startswith('| ') and not line.startswith(('| source', '| kind', '| ---')):
            yield [cell.strip() for cell in re.split(r'(?<!\\)\|', line)[1:-1]]


@cache
def names_of_tests() -> frozenset[str]:
    files = [*TESTS.rglob('test_*.py'), *(PACKAGE / 'testing').glob('*.py')]
    found = {path.stem for path in files}
    for path in files:
        found |= set(re.findall(r'def (test_\w+)', path.read_text()))
    return frozenset(found)


def test_every_report_has_a_source_a_situation_and_a_result() -> None:
    rows = list(rows_of(LOG))
    assert len(rows) >= 60
    assert [row for row in rows if len(row) != 3 or not all(row)] == []
    assert [row for row in rows if not re.search(r'[\w.-]+/[\w.-]+#\d+|https?://|[\w-]+\.\w+/|SDK|\.py', row[0])] == []


def test_every_test_in_the_log_exists() -> None:
    assert sorted(set(re.findall(r'\btest_\w+', LOG + KINDS)) - names_of_tests()) == []


@pytest.mark.parametrize('row', [*rows_of(KINDS)], ids=lambda row: row[0][:40])
def test_a_kind_has_a_mechanism_and_a_test(row: list[str]) -> None:
    _, mechanism, rooms, reports, tests = row
    paths = re.findall(r'`([\w./]+/[\w./]*)`', mechanism)
    assert [
        path for path in paths if not any((folder / path).exists() for folder in (PACKAGE, PACKAGE / 'models'))
    ] == []
    assert rooms
    assert int(reports) > 0
    assert [path for path in re.findall(r'`(tests/[^`]+)`', tests) if not (TESTS.parent / path).is_file()] == []


def test_the_kinds_count_the_reports_of_the_log() -> None:
    assert sum(int(row[3]) for row in rows_of(KINDS)) == len(list(rows_of(LOG)))
