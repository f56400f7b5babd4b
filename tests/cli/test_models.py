"""`pydantic-llm models`: the names that it lists, from the package and from servers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import get_args

import pytest

from pydantic_llm.cli import main
from pydantic_llm.models import Model
from pydantic_llm.models.known_names import KnownModelName
from pydantic_llm.models.names import NAMES
from pydantic_llm.models.test.model import TestModel
from pydantic_llm.prices import find_context_window
from pydantic_llm.providers.registry import SERVICES
from pydantic_llm.serve import LocalServer, create_app

Captured = pytest.CaptureFixture[str]

SERVED: dict[str, Model] = {name: TestModel() for name in ('llama3.2', 'qwen3:8b', 'qwen3-coder', 'anthropic/claude')}


def lines(captured: Captured) -> list[str]:
    output, errors = captured.readouterr()
    assert errors == ''
    return output.splitlines()


def names(captured: Captured) -> list[str]:
    """Return the first column of the output."""
    return [line.split()[0] for line in lines(captured)]


def error_text(captured: Captured) -> str:
    output, errors = captured.readouterr()
    assert output == ''
    return errors.strip()


# ------------------------------------------------------------------------------------------------------ known names


def test_every_prefix_is_listed_with_the_variable_of_its_key(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('GROQ_API_KEY', 'key')
    assert main(['models']) == 0
    rows = [line.split() for line in lines(capsys)]
    listed = {row[0]: row[1:] for row in rows if row and (row[0].endswith(':') or row[0] == 'test')}
    assert {prefix.removesuffix(':') for prefix in listed} == {*NAMES, *SERVICES, 'test'}
    assert listed['openai:'][0] == 'OPENAI_API_KEY'
    assert listed['groq:'][:2] == ['GROQ_API_KEY', '*']
    assert listed['ollama:'][:2] == ['needs', 'none']
    assert listed['anthropic:'][1:] == ['claude-fable-5-2,', '...']


@pytest.mark.parametrize('prefix', ['openai', 'anthropic', 'cohere'])
def test_a_prefix_lists_the_names_of_its_vendor_alone(capsys: Captured, prefix: str) -> None:
    assert main(['models', prefix]) == 0
    assert names(capsys) == [name for name in get_args(KnownModelName) if name.startswith(f'{prefix}:')]


def test_an_alias_of_a_vendor_lists_the_same_names(capsys: Captured) -> None:
    main(['models', 'xai'])
    listed = lines(capsys)
    main(['models', 'grok'])
    assert listed == lines(capsys) != []


def test_the_prefixes_fit_in_80_columns_and_have_a_json_form(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('GOOGLE_API_KEY', 'key')
    main(['models'])
    assert max(len(line) for line in lines(capsys)[:-2]) <= 80
    main(['models', '--json'])
    rows = {row['prefix']: row for row in json.loads(capsys.readouterr().out)}
    assert rows['google-gla']['key_variables'] == ['GEMINI_API_KEY', 'GOOGLE_API_KEY']
    assert (rows['google-gla']['key_is_set'], rows['openai']['key_is_set']) == (True, False)
    assert 'gpt-5.4-mini' in rows['openai']['models']


def test_the_start_of_a_name_filters_the_list(capsys: Captured) -> None:
    assert main(['models', 'anthropic:claude-haiku-4']) == 0
    assert names(capsys) == ['anthropic:claude-haiku-4-5', 'anthropic:claude-haiku-4-5-20251001']


def test_known_models_are_listed_with_their_windows_and_prices(capsys: Captured) -> None:
    pytest.importorskip('genai_prices')
    assert main(['models', 'openai:gpt-4o-mini-2024']) == 0
    assert lines(capsys) == ['openai:gpt-4o-mini-2024-07-18    128,000 tokens  $0.15 in, $0.6 out']


def test_known_models_are_listed_as_json(capsys: Captured) -> None:
    pytest.importorskip('genai_prices')
    assert main(['models', 'openai:gpt-4o-mini-2024', '--json']) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert (row['name'], row['context_window']) == ('openai:gpt-4o-mini-2024-07-18', 128_000)
    assert (row['prices']['input'], row['prices']['cache_read']) == ('0.15', '0.075')


def test_without_prices_the_names_are_listed_alone(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('genai_prices', 'genai_prices.data_snapshot'):
        monkeypatch.setitem(sys.modules, name, None)
    find_context_window.cache_clear()
    assert main(['models', 'anthropic:claude-haiku-4']) == 0
    assert lines(capsys) == ['anthropic:claude-haiku-4-5', 'anthropic:claude-haiku-4-5-20251001']
    find_context_window.cache_clear()


def test_a_part_of_a_name_lists_the_matches_of_every_vendor(capsys: Captured) -> None:
    assert main(['models', 'Haiku-5']) == 0
    listed = names(capsys)
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
def test_a_vendor_without_known_names_shows_what_to_write(capsys: Captured, prefix: str, line: str) -> None:
    assert main(['models', prefix]) == 0
    assert lines(capsys) == [line]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('antropic', "pydantic-llm: No known name contains 'antropic'; did you mean 'anthropic'?"),
        ('openai:zzz', "No known name contains 'openai:zzz'; if the vendor has it, it can be used. --live lists"),
        ('xyzzy', "No known name contains 'xyzzy'; `pydantic-llm models` lists the prefixes"),
    ],
)
def test_a_text_that_no_name_contains_is_an_error(capsys: Captured, text: str, message: str) -> None:
    assert main(['models', text]) == 1
    assert message in error_text(capsys)


# --------------------------------------------------------------------------------------- names that a server lists


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
def test_the_models_of_a_server_are_listed(
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


def test_the_start_of_a_name_filters_the_models_of_a_server(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv('OLLAMA_API_KEY', 'key')
    assert main(['models', 'ollama:qwen3', '--base-url', url]) == 0
    assert lines(capsys) == ['ollama:qwen3:8b', 'ollama:qwen3-coder']


def test_a_wrong_key_is_an_error(capsys: Captured, url: str) -> None:
    assert main(['models', 'ollama', '--base-url', url]) == 1
    assert 'ollama answered 401 (authentication_error' in error_text(capsys)


def test_an_unreachable_server_is_an_error(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OLLAMA_BASE_URL', 'http://127.0.0.1:9/v1')
    assert main(['models', 'ollama', '--live']) == 1
    assert error_text(capsys).startswith('pydantic-llm: No answer from ollama: ')


def test_a_missing_key_is_reported_before_a_request_is_sent(capsys: Captured) -> None:
    assert main(['models', 'deepseek', '--live']) == 1
    assert error_text(capsys).startswith("pydantic-llm: The key of 'deepseek' is missing")


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['azure', '--base-url', 'http://127.0.0.1:9'], "'azure' takes no --base-url"),
        (['nobody', '--live'], "There is no provider 'nobody'"),
        (['bedrock', '--live'], "'bedrock' cannot list its models"),
        (['transformers', '--live'], "'transformers' cannot list its models"),
    ],
)
def test_a_vendor_that_cannot_list_models_is_an_error(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    if 'bedrock' in arguments:
        pytest.importorskip('boto3')
    monkeypatch.setenv('AWS_BEARER_TOKEN_BEDROCK', 'key')
    monkeypatch.setenv('AWS_REGION', 'us-east-1')
    assert main(['models', *arguments]) == 1
    assert message in error_text(capsys)
