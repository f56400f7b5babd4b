"""Models that take images generate the same text in any company, and the documentation says how."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.local.matrix import PAGE, RIGHT, find_row
from tests.local.vision import make_row, run_vision


@pytest.mark.parametrize('name', ['Mllama', 'Qwen3-VL', 'Gemma 4', 'Idefics 3', 'LFM2-VL'])
def test_a_prompt_with_images_gets_what_bare_generate_gives_in_any_company(name: str, tmp_path: Path) -> None:
    mode, cells = run_vision(name, tmp_path)
    assert {column: cell for column, cell in cells.items() if cell != RIGHT} == {}
    section = PAGE.read_text(encoding='utf-8').partition('| family with images |')[2]
    assert find_row(section, name) == make_row(name, mode, cells), 'run `python -m tests.local.vision --write`'
