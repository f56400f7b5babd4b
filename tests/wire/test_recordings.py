"""Recorded exchanges are decoded, sent back and encoded as expected. A failure has the vendor and the case."""

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
"""Streams are also split into chunks of these sizes, in bytes."""


@pytest.mark.parametrize('case', parameters('decode'))
async def test_a_recorded_response_is_decoded(case: Case) -> None:
    assert await compare(case, Declared(DECLARED)) == []


@pytest.mark.parametrize('chunk', CHUNKS)
@pytest.mark.parametrize('case', parameters('decode', streams=True))
async def test_a_stream_is_decoded_alike_for_every_chunk_size(case: Case, chunk: int) -> None:
    assert await compare(case, Declared(DECLARED), chunk=chunk) == []


@pytest.mark.parametrize('case', parameters('roundtrip'))
async def test_a_response_is_sent_back_as_history(case: Case) -> None:
    assert await compare(case, Declared(DECLARED)) == []


@pytest.mark.parametrize('case', parameters('encode'))
async def test_a_history_is_encoded_as_the_vendors_body(case: Case) -> None:
    assert await compare(case, Declared(DECLARED)) == []


@pytest.mark.skipif(not FOUND, reason=MISSING)
@pytest.mark.parametrize('row', DECLARED, ids=lambda row: f'{row.what}-{row.vendor}-{row.case}')
async def test_a_declared_difference_still_occurs(row: Difference) -> None:
    declared = Declared(DECLARED)
    for case in all_cases_once():
        if row.applies_to(case.what, case.vendor, case.name):
            await compare(case, declared)
    assert row in declared.used


@cache
def all_cases_once() -> list[Case]:
    return all_cases()


# ---------------------------------------------------------------------------------------------------------- comparing


async def compare(case: Case, declared: Declared, *, chunk: int | None = None) -> list[tuple[str, str]]:
    """Return the differences from the expectations that are not declared, as (path, message)."""
    content, oracle = case.content(), shared('oracle')
    match case.what:
        case 'decode':
            got, wanted = await oracle.run_decode(driver, content, chunk), expectations(case, 'expected')
        case 'roundtrip':
            got, wanted = await oracle.run_roundtrip(driver, content), expectations(case, 'roundtrip')
            if not wanted or wanted[0]['kind'] == 'refused':
                return []
        case 'encode':
            got = await oracle.run_encode(driver, content, case.vendor)
            wanted = expectations(case, 'expected', case.vendor)
    loose = tuple(content.get('loose_text', ()))
    verdict: tuple[str, list[tuple[str, str]]] = shared('compare').judge(
        wanted, got, canonical_form(case, content), declared, case.what, case.vendor, case.name, loose
    )
    return verdict[1]


def expectations(case: Case, kind: str, vendor: str | None = None) -> list[Json]:
    """Return the expectations for a case; the first one has priority."""
    name = f'{case.name}.json'
    if not (Path(case.folder) / kind / name).is_file():
        return []
    found: list[Json] = shared('compare').wanted(str(case.folder), kind, name, vendor)
    return found


def canonical_form(case: Case, content: Json) -> Any:
    """Return the function that maps equivalent results to the same form."""
    semantic = shared('semantic')
    if case.what == 'decode':
        return lambda result: semantic.canon_response(result, 'core')
    if case.what == 'roundtrip':
        return lambda result: semantic.canon_request(case.vendor, result)
    settings = content.get('settings') or {}
    options = {'stream': bool(content.get('stream')), 'max_tokens': 'max_tokens' in settings}
    return lambda result: semantic.canon_request(case.vendor, result, settings.get('extra_headers'), **options)
