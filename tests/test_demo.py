"""The tour that `make demo` runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope='module')
def lines() -> list[str]:
    command = [sys.executable, '-W', 'error', '-m', 'pydantic_llm.demo']
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'PYTHONUTF8': '1', 'FORCE_COLOR': ''}
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, encoding='utf-8', check=False, timeout=60
    )
    assert (run.returncode, run.stderr) == (0, '')
    return run.stdout.splitlines()


def test_the_tour_goes_on_with_the_history_at_another_vendor(lines: list[str]) -> None:
    text = '\n'.join(lines)
    assert 'Yes, 24.5 °C is usual' in text
    assert 'openai, then anthropic\n' in text
    assert 'anthropic, then openai\n' in text


def test_the_output_of_the_tour_in_a_pipe_has_no_colors_and_no_spaces_at_the_ends(lines: list[str]) -> None:
    assert [line for line in lines if '\x1b' in line or line != line.rstrip()] == []


def test_the_code_on_the_left_is_not_longer_than_its_column(lines: list[str]) -> None:
    steps = [line for line in lines if not line.startswith(('─', '  '))]
    assert [line for line in steps[2:-1] if line[65:66] not in ('', ' ')] == []
