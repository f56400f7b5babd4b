"""`pydantic-llm keys`: keys in a private file or in the keyring of the system."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from pydantic_llm.models.test import TestModel
from pydantic_llm.serve import LocalServer, create_app

from .conftest import Cli


@pytest.fixture(scope='module')
def url() -> Iterator[str]:
    with LocalServer(create_app(TestModel(), key='stored-key')) as url:
        yield f'{url}/v1'


@pytest.fixture(autouse=True)
def without_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'keyring', None)


def test_a_stored_key_is_used(cli: Cli, home: Path, url: str) -> None:
    run = cli('keys', 'set', 'openai', stdin='stored-key\n')
    path = home / 'keys.json'
    assert (run.code, run.out) == (0, '')
    assert run.err == f'OPENAI_API_KEY is stored in {path}, which only you can read.\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert cli('hi', '-m', 'openai:a', '--base-url', url).code == 0
    assert cli('keys', 'list').out.split() == ['OPENAI_API_KEY', 'file']
    assert cli('keys', 'path').out == f'{path}\n'


def test_the_error_for_a_missing_key_says_how_to_store_one(cli: Cli) -> None:
    ran = cli('ask', '-m', 'groq:qwen-3.8-27b', 'Hi')
    assert ran.err.endswith(
        "The key of 'groq' is missing: "
        'set the environment variable GROQ_API_KEY, or store it with `pydantic-llm keys set`\n'
    )


def test_the_environment_wins(cli: Cli, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cli('keys', 'set', 'OPENAI_API_KEY', stdin='stored-key')
    monkeypatch.setenv('OPENAI_API_KEY', 'another-key')
    assert 'answered 401' in cli('hi', '-m', 'openai:a', '--base-url', url).err
    assert cli('keys', 'list').out.split(None, 1)[1] == 'environment (the one in the file is not used)\n'


def test_another_variable_of_the_vendor_wins_too(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli('keys', 'set', 'google', stdin='stored-key')
    monkeypatch.setenv('GOOGLE_API_KEY', 'another-key')
    assert 'GOOGLE_API_KEY *' in cli('models').out


def test_a_stored_key_chooses_the_default_model(cli: Cli) -> None:
    cli('keys', 'set', 'anthropic', stdin='stored-key')
    assert cli('models', 'default').out.startswith('anthropic:')


def test_a_key_is_deleted(cli: Cli, home: Path) -> None:
    cli('keys', 'set', 'openai', stdin='stored-key')
    assert cli('keys', 'remove', 'openai').code == 0
    assert (home / 'keys.json').read_text() == '{}'
    assert cli('keys', 'list').err == 'No key is set or stored: pydantic-llm keys set openai\n'
    assert 'No key is stored for OPENAI_API_KEY' in cli('keys', 'remove', 'openai').err


@pytest.mark.parametrize(
    ('vendor', 'key', 'code', 'message'),
    [
        (
            'openia',
            'key',
            1,
            "'openia' is not the prefix of a vendor with a key, nor the variable of one: did you mean 'openai'",
        ),
        ('openai', '\n', 2, 'the key is empty: type it, or pipe it in'),
        ('openai', 'two words', 1, 'cannot be sent: character 4 of 9 is a space'),
    ],
)
def test_a_wrong_key_is_refused_and_not_shown(cli: Cli, vendor: str, key: str, code: int, message: str) -> None:
    run = cli('keys', 'set', vendor, stdin=key)
    assert run.code == code
    assert message in run.err
    assert 'two words' not in run.err


def test_a_broken_file_is_named(cli: Cli, home: Path) -> None:
    home.mkdir()
    (home / 'keys.json').write_text('{')
    run = cli('-m', 'test', 'hi')
    assert (run.code, run.err.count('\n')) == (1, 1)
    assert f'{str(home / "keys.json")!r} is not valid JSON' in run.err


@pytest.mark.parametrize('entry', ['{"A=B": "a-key"}', '{"CO_API_KEY": 3}', '{"OPENAI_API_KEY": "a\\u0000key"}'])
def test_an_entry_that_no_variable_can_have_is_named(cli: Cli, home: Path, entry: str) -> None:
    home.mkdir()
    (home / 'keys.json').write_text(entry)
    run = cli('-m', 'test', 'hi')
    assert (run.code, run.err.count('\n')) == (1, 1)
    assert 'has a wrong entry' in run.err


def test_a_key_is_stored_in_the_keyring_if_there_is_one(
    cli: Cli, home: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: dict[tuple[str, str], str] = {}
    keyring = ModuleType('keyring')
    vars(keyring).update(
        get_keyring=SimpleNamespace,
        set_password=lambda service, name, key: stored.update({(service, name): key}),
        get_password=lambda service, name: stored.get((service, name)),
        delete_password=lambda service, name: stored.pop((service, name)),
    )
    monkeypatch.setitem(sys.modules, 'keyring', keyring)
    assert 'in the keyring of the system' in cli('keys', 'set', 'openai', stdin='stored-key').err
    assert stored == {('pydantic-llm', 'OPENAI_API_KEY'): 'stored-key'}
    assert 'stored-key' not in (home / 'keys.json').read_text()
    assert cli('keys', 'list').out.split() == ['OPENAI_API_KEY', 'keyring']
    assert cli('hi', '-m', 'openai:a', '--base-url', url).code == 0
    monkeypatch.setattr(keyring, 'get_password', stored.__getitem__)  # raises KeyError
    run = cli('hi', '-m', 'test')
    assert (run.code, run.err.count('\n')) == (0, 1)
    assert run.err.startswith('Note: OPENAI_API_KEY cannot be read from the keyring of the system')
    cli('keys', 'remove', 'openai')
    assert stored == {}
