"""`pydantic-llm models`: what it lists, and what a server answers that is asked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import get_args

import pytest

from pydantic_llm.cli import main
from pydantic_llm.models import Model
from pydantic_llm.models.known_names import KnownModelName
from pydantic_llm.models.names import NAMES
from pydantic_llm.models.test.model import TestModel
from pydantic_llm.providers.registry import SERVICES
from pydantic_llm.serve import LocalServer, create_app

Captured = pytest.CaptureFixture[str]

SERVED: dict[str, Model] = {name: TestModel() for name in ('llama3.2', 'qwen3:8b', 'qwen3-coder', 'anthropic/claude')}


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key and no address of the machine that the tests run on."""
    for name in list(os.environ):
        if name.endswith(('_API_KEY', '_TOKEN', '_BASE_URL', '_API_BASE')) or name.startswith(('AWS_', 'AZURE_')):
            monkeypatch.delenv(name)


def lines(captured: Captured) -> list[str]:
    output, errors = captured.readouterr()
    assert errors == ''
    return output.splitlines()


def complaint(captured: Captured) -> str:
    output, errors = captured.readouterr()
    assert output == ''
    return errors.strip()


# ---------------------------------------------------------------------------------------------------- what is known


def test_every_prefix_is_listed_with_the_variable_of_its_key(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('GROQ_API_KEY', 'key')
    assert main(['models']) == 0
    rows = [line.split() for line in lines(capsys)]
    listed = {row[0]: row[1:] for row in rows if row and (row[0].endswith(':') or row[0] == 'test')}
    assert {prefix.removesuffix(':') for prefix in listed} == {*NAMES, *SERVICES, 'test'}
    assert listed['openai:'][0] == 'OPENAI_API_KEY'
    assert listed['groq:'][:2] == ['GROQ_API_KEY', '*']
    assert listed['ollama:'][:2] == ['needs', 'none']
    assert listed['anthropic:'][1:] == ['claude-fable-5-2,', 'claude-fable-5-1,', 'claude-fable-5,', '...']


@pytest.mark.parametrize('prefix', ['openai', 'anthropic', 'cohere'])
def test_a_prefix_lists_the_names_of_its_vendor_alone(capsys: Captured, prefix: str) -> None:
    assert main(['models', prefix]) == 0
    assert lines(capsys) == [name for name in get_args(KnownModelName) if name.startswith(f'{prefix}:')]


def test_another_name_of_a_vendor_is_as_good(capsys: Captured) -> None:
    main(['models', 'xai'])
    listed = lines(capsys)
    main(['models', 'grok'])
    assert listed == lines(capsys) != []


def test_the_beginning_of_a_name_narrows_the_list(capsys: Captured) -> None:
    assert main(['models', 'anthropic:claude-haiku-4']) == 0
    assert lines(capsys) == ['anthropic:claude-haiku-4-5', 'anthropic:claude-haiku-4-5-20251001']


def test_a_piece_of_a_name_lists_it_of_every_vendor(capsys: Captured) -> None:
    assert main(['models', 'Haiku-5']) == 0
    listed = lines(capsys)
    assert {'anthropic:claude-haiku-5-5', 'openrouter:anthropic/claude-haiku-5.5'} <= set(listed)
    assert all('haiku-5' in name for name in listed)


@pytest.mark.parametrize(
    ('prefix', 'line'),
    [
        ('azure', 'azure:<the name of your deployment>'),
        ('lmstudio', 'lmstudio:<any model of this vendor>'),
        ('transformers', 'transformers:<the name of a repository, or a folder>'),
    ],
)
def test_a_vendor_without_known_names_says_what_to_write(capsys: Captured, prefix: str, line: str) -> None:
    assert main(['models', prefix]) == 0
    assert lines(capsys) == [line]


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('antropic', "pydantic-llm: No known name holds 'antropic'; did you mean 'anthropic'?"),
        ('xyzzy', "No known name holds 'xyzzy'; `pydantic-llm models` lists what names can begin with"),
    ],
)
def test_what_no_name_holds_is_an_error(capsys: Captured, text: str, said: str) -> None:
    assert main(['models', text]) == 1
    assert said in complaint(capsys)


# --------------------------------------------------------------------------------------------- what a server says


@pytest.fixture(scope='module')
def url() -> Iterator[str]:
    with LocalServer(create_app(SERVED, key='key')) as url:
        yield url


@pytest.mark.parametrize(
    ('arguments', 'variables', 'prefix'),
    [
        (['ollama', '--live'], {'OLLAMA_BASE_URL': '{url}', 'OLLAMA_API_KEY': 'key'}, 'ollama'),
        (['ollama', '--base-url', '{url}'], {'OLLAMA_API_KEY': 'key'}, 'ollama'),
        (['--base-url', '{url}/v1'], {'OPENAI_API_KEY': 'key'}, 'openai'),
        (['--live'], {'OPENAI_API_KEY': 'key', 'OPENAI_BASE_URL': '{url}/v1'}, 'openai'),
        (['openai-responses', '--base-url', '{url}/v1'], {'OPENAI_API_KEY': 'key'}, 'openai-responses'),
        (['anthropic', '--base-url', '{url}'], {'ANTHROPIC_API_KEY': 'key'}, 'anthropic'),
        (['groq', '--base-url', '{url}'], {'GROQ_API_KEY': 'key'}, 'groq'),
        (['azure', '--live'], {'AZURE_OPENAI_ENDPOINT': '{url}/openai/v1', 'AZURE_OPENAI_API_KEY': 'key'}, 'azure'),
    ],
)
def test_a_server_is_asked_which_models_it_has(
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    arguments: list[str],
    variables: dict[str, str],
    prefix: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(url=url))
    assert main(['models', *(argument.format(url=url) for argument in arguments)]) == 0
    assert lines(capsys) == [f'{prefix}:{name}' for name in SERVED]


def test_the_beginning_of_a_name_narrows_what_a_server_says(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv('OLLAMA_API_KEY', 'key')
    assert main(['models', 'ollama:qwen3', '--base-url', url]) == 0
    assert lines(capsys) == ['ollama:qwen3:8b', 'ollama:qwen3-coder']


def test_a_server_that_wants_another_key_says_so(capsys: Captured, url: str) -> None:
    assert main(['models', 'ollama', '--base-url', url]) == 1
    assert 'ollama answered 401 (authentication_error' in complaint(capsys)


def test_a_server_that_does_not_run_is_an_error(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OLLAMA_BASE_URL', 'http://127.0.0.1:9/v1')
    assert main(['models', 'ollama', '--live']) == 1
    assert complaint(capsys).startswith('pydantic-llm: No answer from ollama: ')


def test_a_missing_key_is_reported_before_anybody_is_asked(capsys: Captured) -> None:
    assert main(['models', 'deepseek', '--live']) == 1
    assert complaint(capsys).startswith("pydantic-llm: The key of 'deepseek' is missing")


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (['azure', '--base-url', 'http://127.0.0.1:9'], "'azure' takes no --base-url"),
        (['nobody', '--live'], "There is no provider 'nobody'"),
        (['google-gla', '--live'], "'google-gla' cannot be asked for its models"),
        (['transformers', '--live'], "'transformers' cannot be asked for its models"),
    ],
)
def test_who_cannot_be_asked_says_so(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.setenv('GEMINI_API_KEY', 'key')
    assert main(['models', *arguments]) == 1
    assert said in complaint(capsys)
