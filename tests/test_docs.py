"""Every Python snippet and every command of the documentation runs, and gives what the page says that it gives.

The snippets of one page share a namespace and run from top to bottom, each page in an interpreter of its own, where
warnings are errors and where the vendors are at an address of this machine (`docs_server`). Behind each `print` that
runs stands what it writes, as comments:

    print(2 + 2)
    #> 4

In a block of the kind `console`, a line that begins with `$ ` is a command, and what follows is what it writes. What
cannot run on any machine says why on the line above it; a snippet is compiled even so:

    <!-- not run: needs a GPU -->
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pydantic_llm.serve import LocalServer
from tests.docs_server import FILES, environment, vendors

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').rglob('*.md'))]
KEPT_VARIABLES = ('PATH', 'LANG', 'LC_ALL', 'SYSTEMROOT', 'TMPDIR')
"""What a page sees of the environment of the tests. There are no keys in it."""

FENCE = re.compile(
    r'(?:^[ \t]*<!-- not run: (?P<reason>\S[^\n]*?) -->\n+)?'
    r'^(?P<indent>[ \t]*)```(?P<kind>python|py|console)\b[^\n]*\n(?P<code>.*?)^(?P=indent)```[ \t]*$',
    re.MULTILINE | re.DOTALL,
)
WRITTEN = re.compile(r'^\s*#>(?: (?P<text>.*))?$')


@dataclass(frozen=True)
class Snippet:
    """One block of code in a page; `line` is where its code starts, from 1."""

    line: int
    code: str
    kind: str
    runs: bool


def snippets_of(page: Path) -> list[Snippet]:
    text = page.read_text(encoding='utf-8')
    return [
        Snippet(
            text.count('\n', 0, match.start('code')) + 1,
            textwrap.dedent(match['code']),
            match['kind'],
            not match['reason'],
        )
        for match in FENCE.finditer(text)
    ]


def script_of(snippets: list[Snippet]) -> str:
    """One program, in which every line has the number that it has in the page."""
    script = ''
    for snippet in snippets:
        script += '\n' * (snippet.line - 1 - script.count('\n')) + snippet.code
    return script


def shown_by(script: str) -> dict[int, str]:
    """What the comments say that each `print` writes, by its line."""
    lines = script.splitlines()
    shown: dict[int, str] = {}
    for node in ast.walk(ast.parse(script)):
        match node:
            case ast.Call(func=ast.Name(id='print'), lineno=line, end_lineno=int() as end):
                comments = [match['text'] or '' for match in _comments_from(lines[end:])]
                shown |= {line: '\n'.join(comments)} if comments else {}
            case _:
                pass
    count = sum(bool(WRITTEN.match(line)) for line in lines)
    assert count == sum(text.count('\n') + 1 for text in shown.values()), 'A `#>` stands behind something else'
    return shown


def _comments_from(lines: list[str]) -> Generator[re.Match[str]]:
    for line in lines:
        if (match := WRITTEN.match(line)) is None:
            return
        yield match


def commands_of(snippets: list[Snippet]) -> list[tuple[str, str]]:
    """The commands of a page, and what they write."""
    commands: list[tuple[str, str]] = []
    for snippet in snippets:
        for line in snippet.code.splitlines():
            if line.startswith('$ '):
                commands.append((line.removeprefix('$ '), ''))
            else:
                command, output = commands[-1]
                commands[-1] = (command, f'{output}{line}\n')
    return commands


def without_trailing_spaces(text: str) -> str:
    return '\n'.join(line.rstrip() for line in text.splitlines()).rstrip('\n')


WITH_PYTHON = [page for page in PAGES if any(snippet.kind != 'console' for snippet in snippets_of(page))]
WITH_COMMANDS = [page for page in PAGES if any(snippet.kind == 'console' for snippet in snippets_of(page))]


@pytest.fixture(scope='module')
def vendors_url() -> Generator[str]:
    """Where the vendors are."""
    with LocalServer(vendors()) as url:
        yield url


@pytest.fixture
def page_environment(vendors_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a page, in which `pydantic-llm` is a command, and the files in its folder."""
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    command = tmp_path / 'bin' / 'pydantic-llm'
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error -m pydantic_llm "$@"\n', encoding='utf-8')
    command.chmod(0o755)
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    path = f'{command.parent}{os.pathsep}{kept.get("PATH", "")}'
    return {**kept, 'PATH': path, 'PYTHONPATH': str(ROOT), **environment(vendors_url)}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize('page', WITH_PYTHON, ids=name_of)
def test_the_snippets_of_a_page_run_and_print_what_it_shows(
    page: Path, tmp_path: Path, page_environment: dict[str, str]
) -> None:
    snippets = [snippet for snippet in snippets_of(page) if snippet.kind != 'console']
    for snippet in snippets:
        compile('\n' * (snippet.line - 1) + snippet.code, page.name, 'exec')
    script = script_of([snippet for snippet in snippets if snippet.runs])
    program, results = tmp_path / page.with_suffix('.py').name, tmp_path / 'written.json'
    program.write_text(script, encoding='utf-8')
    command = [sys.executable, '-P', '-W', 'error', str(ROOT / 'tests' / 'docs_run.py'), str(program), str(results)]
    run = subprocess.run(
        command, cwd=tmp_path, env=page_environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert not run.stderr
    written = json.loads(results.read_text(encoding='utf-8'))
    assert {int(line): without_trailing_spaces(text) for line, text in written.items()} == shown_by(script)


@pytest.mark.parametrize('page', WITH_COMMANDS, ids=name_of)
def test_the_commands_of_a_page_write_what_it_shows(
    page: Path, tmp_path: Path, page_environment: dict[str, str]
) -> None:
    snippets = [snippet for snippet in snippets_of(page) if snippet.kind == 'console' and snippet.runs]
    for command, output in commands_of(snippets):
        run = subprocess.run(
            ['bash', '-c', f'exec 2>&1; {command}'],
            cwd=tmp_path,
            env=page_environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
        assert (command, without_trailing_spaces(run.stdout)) == (command, without_trailing_spaces(output))
