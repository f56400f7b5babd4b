"""The page about security: each promise names tests that exist. And a promise about the sources themselves."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / 'docs' / 'security.md'
NAMED = sorted(set(re.findall(r'`(tests/[\w/]+\.py)(?:::(\w+))?`', PAGE.read_text(encoding='utf-8'))))
LOADERS = ('pickle', 'marshal', 'shelve', 'dill', 'cloudpickle', 'jsonpickle', 'yaml')
"""Modules that make objects, or run code, from data."""


@pytest.mark.parametrize(('path', 'name'), NAMED)
def test_each_promise_names_a_test_that_exists(path: str, name: str) -> None:
    source = (ROOT / path).read_text(encoding='utf-8')
    assert not name or f'def {name}(' in source


def test_each_row_of_the_page_names_a_test() -> None:
    rows = [line for line in PAGE.read_text(encoding='utf-8').splitlines() if line.startswith('| ')]
    promises = [row for row in rows if not row.startswith(('| promise', '| ---'))]
    assert len(promises) > 20
    assert [row for row in promises if '`tests/' not in row] == []


def test_the_package_loads_no_code_from_data() -> None:
    found: list[str] = []
    for path in (ROOT / 'pydantic_llm').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            match node:
                case ast.Import(names=names) if any(name.name.partition('.')[0] in LOADERS for name in names):
                    found.append(f'{path}:{node.lineno}')
                case ast.ImportFrom(module='marshal', names=[ast.alias(name='dumps')]):
                    pass  # it only compares values
                case ast.ImportFrom(module=str(module)) if module.partition('.')[0] in LOADERS:
                    found.append(f'{path}:{node.lineno}')
                case ast.Call(func=ast.Name(id='eval' | 'exec' | '__import__' | 'compile')):
                    found.append(f'{path}:{node.lineno}')
                case _:
                    pass
    assert found == []
