"""Every Python snippet and every command of the documentation runs and has the output that the page shows.

The snippets of one page share a namespace and run from top to bottom, each page in its own interpreter, in which
warnings are errors and the vendors are a server on this machine (`docs_server`). The output of each `print` follows it,
as comments:

    print(2 + 2)
    #> 4

In a block of the kind `console`, a line that starts with `$ ` is a command, and the lines after it are its output. A
snippet that cannot run on every machine has the reason above it, and is only compiled:

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
"""The environment variables of the tests that a page gets. None of them is a key."""

FENCE = re.compile(
    r'(?:^[ \t]*<!-- not run: (?P<reason>\S[^\n]*?) -->\n+)?'
    r'^(?P<indent>[ \t]*)```(?P<kind>python|py|console)\b[^\n]*\n(?P<code>.*?)^(?P=indent)```[ \t]*$',
    re.MULTILINE | re.DOTALL,
)
OUTPUT = re.compile(r'^\s*#>(?: (?P<text>.*))?$')


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
    """Join the snippets to a program in which every line has the same number as in the page."""
    script = ''
    for snippet in snippets:
        script += '\n' * (snippet.line - 1 - script.count('\n')) + snippet.code
    return script


def expected_outputs(script: str) -> dict[int, str]:
    """Return the output that the comments show for each `print`, by its line."""
    lines = script.splitlines()
    expected: dict[int, str] = {}
    for node in ast.walk(ast.parse(script)):
        match node:
            case ast.Call(func=ast.Name(id='print'), lineno=line, end_lineno=int() as end):
                comments = [match['text'] or '' for match in _read_comments(lines[end:])]
                expected |= {line: '\n'.join(comments)} if comments else {}
            case _:
                pass
    count = sum(bool(OUTPUT.match(line)) for line in lines)
    assert count == sum(text.count('\n') + 1 for text in expected.values()), 'A `#>` does not follow a `print`'
    return expected


def _read_comments(lines: list[str]) -> Generator[re.Match[str]]:
    for line in lines:
        if (match := OUTPUT.match(line)) is None:
            return
        yield match


def commands_of(snippets: list[Snippet]) -> list[tuple[str, str]]:
    """Return the commands of a page with their outputs."""
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


PATH = re.compile(r'`((?:[\w.<>-]+/)*(?:[\w.<>-]+/|[\w<>-]+\.(?:py|md|toml)))`')
"""A path in backticks: a folder that ends with a slash, or a file. `<name>` is a placeholder."""
FOLDERS = (ROOT, ROOT / 'pydantic_llm', ROOT / 'tests', ROOT / 'docs', ROOT / 'examples')
"""The folders that paths in the documentation are relative to."""

WITH_PYTHON = [page for page in PAGES if any(snippet.kind != 'console' for snippet in snippets_of(page))]
WITH_COMMANDS = [page for page in PAGES if any(snippet.kind == 'console' for snippet in snippets_of(page))]


@pytest.fixture(scope='module')
def vendors_url() -> Generator[str]:
    """Run the server of the vendors and return its URL."""
    with LocalServer(vendors()) as url:
        yield url


@pytest.fixture
def page_environment(vendors_url: str, tmp_path: Path) -> dict[str, str]:
    """Write the files of a page, and return its environment, in which `pydantic-llm` is a command."""
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    command = tmp_path / 'bin' / 'pydantic-llm'
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error -m pydantic_llm "$@"\n', encoding='utf-8')
    command.chmod(0o755)
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    path = f'{command.parent}{os.pathsep}{kept.get("PATH", "")}'
    own = {'PATH': path, 'PYTHONPATH': str(ROOT), 'PYDANTIC_LLM_HOME': str(tmp_path / 'home')}
    return {**kept, **own, **environment(vendors_url)}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize('page', WITH_PYTHON, ids=name_of)
def test_the_snippets_of_a_page_print_the_output_that_it_shows(
    page: Path, tmp_path: Path, page_environment: dict[str, str]
) -> None:
    snippets = [snippet for snippet in snippets_of(page) if snippet.kind != 'console']
    for snippet in snippets:
        compile('\n' * (snippet.line - 1) + snippet.code, page.name, 'exec')
    script = script_of([snippet for snippet in snippets if snippet.runs])
    program, results = tmp_path / page.with_suffix('.py').name, tmp_path / 'outputs.json'
    program.write_text(script, encoding='utf-8')
    command = [sys.executable, '-P', '-W', 'error', str(ROOT / 'tests' / 'docs_run.py'), str(program), str(results)]
    run = subprocess.run(
        command, cwd=tmp_path, env=page_environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert not run.stderr
    outputs = json.loads(results.read_text(encoding='utf-8'))
    assert {int(line): without_trailing_spaces(text) for line, text in outputs.items()} == expected_outputs(script)


@pytest.mark.parametrize('page', WITH_COMMANDS, ids=name_of)
def test_the_commands_of_a_page_print_the_output_that_it_shows(
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


@pytest.mark.parametrize('page', [page for page in PAGES if page.parent in (ROOT, ROOT / 'docs')], ids=name_of)
def test_the_paths_that_a_page_names_exist(page: Path) -> None:
    assert [path for path in PATH.findall(page.read_text(encoding='utf-8')) if not path_exists(path)] == []


def path_exists(path: str) -> bool:
    """Return whether a path exists below one of `FOLDERS`. A file name alone may be anywhere in the package."""
    pattern = re.sub('<[^>]+>', '*', path)
    in_package = () if '/' in path else (ROOT / 'pydantic_llm').rglob(pattern)
    return any(in_package) or any(any(folder.glob(pattern)) for folder in FOLDERS)
