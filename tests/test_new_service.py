"""`make new-service`: the tables and tests of services accept what it writes, in a copy of the repository."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COPIED = (
    *('pydantic_llm', 'docs', 'tools/new_service.py', 'CHANGELOG.md', 'pyproject.toml'),
    *('tests/conftest.py', 'tests/providers', 'tests/test_known_names.py', 'tests/test_docs_tables.py'),
)
"""What the script reads and changes, and the tests that run on the result."""

SHORT = ('--name=zz-new',)
LONG = (
    *('--name=zz-new-cloud', '--title=01.AI of New & Co.', '--url=https://eu.new.example:8443/openai/v1/'),
    '--key=ZZ_NEW_API_KEY ZZ_NEW_TOKEN ZZ_TOKEN',
)

CHECKS = (
    'zz-new or test_every_compatible_service_has_a_row',
    *('tests/providers/test_services.py', 'tests/test_docs_tables.py'),
)
"""The expression and the files of the tests that a new service must pass."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in COPIED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns('__pycache__'))
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=copy, capture_output=True, text=True, check=False)


def new_service(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(copy, 'tools/new_service.py', *arguments)


def texts_of(copy: Path) -> dict[Path, str]:
    return {path: path.read_text(encoding='utf-8') for path in copy.rglob('*.*') if path.suffix in ('.py', '.md')}


def test_the_tests_of_services_pass_after_two_new_services(copy: Path) -> None:
    for arguments in (SHORT, LONG):
        done = new_service(copy, *arguments)
        assert done.returncode == 0, done.stderr
    checks = run(copy, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-k', *CHECKS)
    assert checks.returncode == 0, checks.stdout
    assert int(re.findall(r'(\d+) passed', checks.stdout)[0]) > 20


def test_each_fact_of_a_new_service_is_written_once(copy: Path) -> None:
    before = texts_of(copy)
    done = new_service(copy, *LONG)
    after = texts_of(copy)
    changed = {path.relative_to(copy).as_posix(): text for path, text in after.items() if text != before.get(path)}
    assert re.findall(r'(?m)^  (\S+\.\w+)$', done.stdout) == [
        'pydantic_llm/providers/registry.py',
        'pydantic_llm/providers/zz_new_cloud.py',
        'docs/vendors/compatible.md',
        'CHANGELOG.md',
        'tests/test_known_names.py',
    ]
    assert changed.keys() == {*re.findall(r'(?m)^  (\S+\.\w+)$', done.stdout)}
    registry = changed['pydantic_llm/providers/registry.py']
    row = """\
        Service(
            'zz-new-cloud',
            '01.AI of New & Co.',
            'https://eu.new.example:8443/openai/v1',
            ('ZZ_NEW_API_KEY', 'ZZ_NEW_TOKEN', 'ZZ_TOKEN'),
        ),
        # on the user's own machine
"""
    assert registry.count(row) == 1
    assert registry.count("\n    'zz-new-cloud': 'ZzNewCloudProvider',\n") == 1
    assert re.search(r"NAMELESS = \{[^}]*\n    'zz-new-cloud',\n", changed['tests/test_known_names.py'])
    assert changed['CHANGELOG.md'].count('- 01.AI of New & Co. (`zz-new-cloud:`), over its OpenAI-') == 1


def test_a_new_service_needs_no_formatting(copy: Path) -> None:
    ruff = Path(sys.executable).with_name('ruff')
    if not ruff.exists():
        pytest.skip('ruff is not installed')
    for arguments in (SHORT, LONG):
        new_service(copy, *arguments)
    changed = ['pydantic_llm/providers', 'tests/test_known_names.py']
    for check in (('check',), ('format', '--check')):
        done = subprocess.run([ruff, *check, *changed], cwd=copy, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


TAKEN = 'is taken: it is a name in pydantic_llm/providers/registry.py'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ('', "NAME='' is invalid: give 2 to 40 lowercase letters, digits and '-': NAME=globex"),
        ('--name=Zz-new', "NAME='Zz-new' is invalid: give 2 to 40 lowercase letters, digits and '-': NAME=globex"),
        ('--name=deepseek', f"NAME='deepseek' {TAKEN}"),
        ('--name=xai', f"NAME='xai' {TAKEN}"),
        ('--name=anthropic', f"NAME='anthropic' {TAKEN}"),
        ('--name=transformers', f"NAME='transformers' {TAKEN}"),
        (
            '--name=credentials',
            "NAME='credentials' cannot be used: pydantic_llm/providers/credentials.py exists or cannot be imported",
        ),
        (
            '--name=import',
            "NAME='import' cannot be used: pydantic_llm/providers/import.py exists or cannot be imported",
        ),
        ('--name=acme', "NAME='acme' cannot be used: the documentation and the tests use it as an example"),
        (
            '--name=zz-new --url=http://localhost:8000/v1',
            (
                "URL='http://localhost:8000/v1' is invalid: give an https URL without the path /chat/completions: "
                'URL=https://api.globex.example/v1'
            ),
        ),
        (
            '--name=zz-new --url=https://api.new.example/chat/completions',
            (
                "URL='https://api.new.example/chat/completions' is invalid: give an https URL without the path "
                '/chat/completions: URL=https://api.globex.example/v1'
            ),
        ),
        (
            '--name=zz-new --title=`rm`',
            "TITLE='`rm`' is invalid: give at most 40 letters, digits, spaces and .&+-: TITLE='Globex AI'",
        ),
        (
            '--name=zz-new --key=sk-secret',
            (
                'KEY= is invalid: give the names of one to three environment variables, of at most 30 characters: '
                "KEY='GLOBEX_API_KEY GLOBEX_TOKEN'"
            ),
        ),
    ],
)
def test_an_invalid_argument_changes_nothing(arguments: str, message: str) -> None:
    done = new_service(ROOT, *arguments.split())
    assert (done.returncode, done.stdout, done.stderr) == (1, '', f'{message}\n')


def test_a_missing_place_in_a_file_changes_nothing(copy: Path) -> None:
    tests = copy / 'tests/test_known_names.py'
    tests.write_text(tests.read_text(encoding='utf-8').replace('NAMELESS = {\n', 'UNNAMED = {\n'), encoding='utf-8')
    before = texts_of(copy)
    done = new_service(copy, *SHORT)
    assert done.returncode == 1
    assert done.stderr.startswith('Nothing was changed: there is not exactly one ')
    assert texts_of(copy) == before
