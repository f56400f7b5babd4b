"""Every Python snippet of the documentation runs.

The snippets of one page share a namespace and run from top to bottom, each page in an interpreter of its own, where
warnings are errors. A snippet that cannot run on any machine says why on the line above it, and is only compiled:

    <!-- not run: needs a GPU -->
"""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').rglob('*.md'))]

FENCE = re.compile(
    r'(?:^[ \t]*<!-- not run: (?P<reason>\S[^\n]*?) -->\n+)?'
    r'^(?P<indent>[ \t]*)```(?:python|py)\b[^\n]*\n(?P<code>.*?)^(?P=indent)```[ \t]*$',
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Snippet:
    """One block of Python in a page; `line` is where its code starts, from 1."""

    line: int
    code: str
    runs: bool


def snippets_of(page: str) -> list[Snippet]:
    return [
        Snippet(page.count('\n', 0, match.start('code')) + 1, textwrap.dedent(match['code']), not match['reason'])
        for match in FENCE.finditer(page)
    ]


def script_of(snippets: list[Snippet]) -> str:
    """One program, in which every line has the number that it has in the page."""
    script = ''
    for snippet in snippets:
        script += '\n' * (snippet.line - 1 - script.count('\n')) + snippet.code
    return script


WITH_SNIPPETS = [page for page in PAGES if snippets_of(page.read_text(encoding='utf-8'))]


@pytest.mark.parametrize('page', WITH_SNIPPETS, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_snippets_of_a_page_run(page: Path, tmp_path: Path) -> None:
    snippets = snippets_of(page.read_text(encoding='utf-8'))
    for snippet in snippets:
        compile('\n' * (snippet.line - 1) + snippet.code, page.name, 'exec')
    program = tmp_path / page.with_suffix('.py').name
    program.write_text(script_of([snippet for snippet in snippets if snippet.runs]), encoding='utf-8')
    command = [sys.executable, '-W', 'error', str(program)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr
