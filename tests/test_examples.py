"""The programs and notebooks of `examples/` run without a key and a network, and print what they promise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_docs import KEPT_VARIABLES

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / 'examples'

PROGRAMS: dict[str, tuple[list[str], str]] = {
    'chat': (['Hello', 'And again'], '> success (no tool calls)\n> success (no tool calls)\n> 4 messages\n'),
    'extract': ([], "3000 to Håkon's Joinery by 02 April 2027\n"),
    'fallback': ([], 'test: Air scatters blue light.\n'),
    'gateway': ([], "The key 'alice' has a budget of 3000 tokens a day"),
    'handoff': ([], 'The router chose the travel desk.\n{"ask_weather_desk":"success (no tool calls)"}\n4 requests\n'),
    'images': ([], 'One transparent pixel.\nwoodcut.png: image/png, 70 bytes\n'),
    'local_model': ([], 'success (no tool calls)\ngood True\n'),
    'many_prompts': ([], 'It fell apart. -> good\nNice, but loud. -> good\ncompleted: good\n'),
    'mcp_tools': ([], 'weather_temperature: 20.0\n{"weather_temperature":20.0}\n'),
    'record_and_cache': ([], 'replayed: Air scatters blue light.\nfrom the cache: False'),
    'search': ([], 'Found: The funicular of Fløyen runs until 23:00.\nUntil 23:00.\n'),
    'stream_to_a_page': ([], 'data: {"text": "(no tool calls)"}\ndata: {"tokens": 4}\n'),
    'tools': ([], 'The model wants lend({"title":"Victoria"}): approved.\nVictoria is lent for four weeks.\n'),
}
"""The lines that a program reads, and a part of what it prints, by its name."""
NEEDS = {'gateway': 'openai', 'mcp_tools': 'mcp', 'stream_to_a_page': 'fastapi'}
"""Packages that the programs need in addition to `serve`."""


def run(command: list[str], lines: list[str], folder: Path) -> str:
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    process = subprocess.run(
        [sys.executable, '-W', 'error', *command],
        cwd=folder,
        env={**kept, 'PYTHONPATH': str(ROOT), 'PYTHONUTF8': '1', 'NO_PROXY': '127.0.0.1'},
        input=''.join(f'{line}\n' for line in lines),
        capture_output=True,
        text=True,
        encoding='utf-8',
        check=False,
        timeout=60,
    )
    assert (process.returncode, process.stderr) == (0, '')
    return process.stdout


@pytest.mark.parametrize('name', PROGRAMS)
def test_a_program_prints_what_it_promises(name: str, tmp_path: Path) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    lines, expected = PROGRAMS[name]
    arguments = ['--check'] if name == 'stream_to_a_page' else []
    assert expected in run([str(EXAMPLES / f'{name}.py'), *arguments], lines, tmp_path)


RUN_CELLS = """
import ast, asyncio, inspect, json, pathlib, sys
notebook = json.loads(pathlib.Path(sys.argv[1]).read_text('utf-8'))
async def run_cells():
    names = {'__name__': '__main__'}
    for cell in notebook['cells']:
        if cell['cell_type'] == 'code':
            code = compile(''.join(cell['source']), cell['id'], 'exec', ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            result = eval(code, names)
            if inspect.isawaitable(result):
                await result
asyncio.run(run_cells())
"""
"""Runs the cells as a notebook does: in a running event loop, with `await` in them."""


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('first_steps', "Moon ['name', 'radius_km']\n{\"temperature\":20.0}\n"),
        ('compare_models', 'odd     Why is the sunset red?    It is not.\nshort\n'),
    ],
)
def test_the_cells_of_a_notebook_run_from_top_to_bottom(name: str, expected: str, tmp_path: Path) -> None:
    assert expected in run(['-c', RUN_CELLS, str(EXAMPLES / f'{name}.ipynb')], [], tmp_path)


def test_every_example_is_tested_and_on_the_page() -> None:
    assert sorted(path.stem for path in EXAMPLES.glob('*.py')) == sorted(PROGRAMS)
    page = (ROOT / 'docs' / 'examples.md').read_text(encoding='utf-8')
    files = [*EXAMPLES.glob('*.py'), *EXAMPLES.glob('*.ipynb')]
    assert [path.name for path in files if path.name not in page] == []


def test_notebooks_are_stored_without_outputs() -> None:
    for path in EXAMPLES.glob('*.ipynb'):
        cells = json.loads(path.read_text(encoding='utf-8'))['cells']
        assert [cell for cell in cells if cell.get('outputs') or cell.get('execution_count')] == []
