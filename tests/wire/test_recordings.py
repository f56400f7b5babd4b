"""What was recorded is read, sent back and built as it should be. A failure names the vendor and the case."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.wire import driver
from tests.wire.declared import Declared, Difference
from tests.wire.folder import FOUND, MISSING, shared
from tests.wire.recordings import Case, Json, all_cases, parameters
from tests.wire.vendors import DECLARED

CHUNKS = (1, 7)
"""Streams are also cut into pieces of this many bytes."""


@pytest.mark.parametrize('case', parameters('decode'))
async def test_an_answer_is_read_as_recorded(case: Case) -> None:
    assert await differences(case, Declared(DECLARED)) == []


@pytest.mark.parametrize('chunk', CHUNKS)
@pytest.mark.parametrize('case', parameters('decode', streams=True))
async def test_a_stream_is_read_alike_however_it_is_cut(case: Case, chunk: int) -> None:
    assert await differences(case, Declared(DECLARED), chunk=chunk) == []


@pytest.mark.parametrize('case', parameters('roundtrip'))
async def test_an_answer_goes_back_as_history(case: Case) -> None:
    assert await differences(case, Declared(DECLARED)) == []


@pytest.mark.parametrize('case', parameters('encode'))
async def test_a_history_becomes_the_vendors_body(case: Case) -> None:
    assert await differences(case, Declared(DECLARED)) == []


@pytest.mark.skipif(not FOUND, reason=MISSING)
@pytest.mark.parametrize('row', DECLARED, ids=lambda row: f'{row.what}-{row.vendor}-{row.case}')
async def test_a_declared_difference_still_occurs(row: Difference) -> None:
    declared = Declared(DECLARED)
    for case in all_cases_once():
        if row.speaks_of(case.what, case.vendor, case.name):
            await differences(case, declared)
    assert row in declared.used


@cache
def all_cases_once() -> list[Case]:
    return all_cases()


# ---------------------------------------------------------------------------------------------------------- comparing


async def differences(case: Case, declared: Declared, *, chunk: int | None = None) -> list[tuple[str, str]]:
    """Where what we do with a case is neither as expected nor declared, as (path, what was wanted)."""
    content, oracle = case.content(), shared('oracle')
    match case.what:
        case 'decode':
            got, wanted = await oracle.run_decode(driver, content, chunk), opinions(case, 'expected')
        case 'roundtrip':
            got, wanted = await oracle.run_roundtrip(driver, content), opinions(case, 'roundtrip')
            if not wanted or wanted[0]['kind'] == 'refused':
                return []
        case 'encode':
            got = await oracle.run_encode(driver, content, case.vendor)
            wanted = opinions(case, 'expected', case.vendor)
    loose = tuple(content.get('loose_text', ()))
    verdict: tuple[str, list[tuple[str, str]]] = shared('compare').judge(
        wanted, got, canon(case, content), declared, case.what, case.vendor, case.name, loose
    )
    return verdict[1]


def opinions(case: Case, kind: str, vendor: str | None = None) -> list[Json]:
    """The expectations for a case, the first one leading."""
    name = f'{case.name}.json'
    if not (Path(case.folder) / kind / name).is_file():
        return []
    found: list[Json] = shared('compare').wanted(str(case.folder), kind, name, vendor)
    return found


def canon(case: Case, content: Json) -> Any:
    """The function that brings what means the same to the same form."""
    semantic = shared('semantic')
    if case.what == 'decode':
        return lambda result: semantic.canon_response(result, 'core')
    if case.what == 'roundtrip':
        return lambda result: semantic.canon_request(case.vendor, result)
    settings = content.get('settings') or {}
    said = {'stream': bool(content.get('stream')), 'max_tokens': 'max_tokens' in settings}
    return lambda result: semantic.canon_request(case.vendor, result, settings.get('extra_headers'), **said)
