"""Each family of models generates the same text in any company, and the documentation says how."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.local.families import FAMILIES, save_family
from tests.local.matrix import PAGE, find_row, make_table, run_family


@pytest.mark.parametrize('name', FAMILIES)
async def test_a_family_generates_what_bare_generate_does_in_any_company(tmp_path: Path, name: str) -> None:
    row = await run_family(save_family(tmp_path, name))
    assert row.faults == {}
    line = find_row(make_table({name: row}), name)
    assert find_row(PAGE.read_text(encoding='utf-8'), name) == line, 'run `make matrix-local` to write the page'
