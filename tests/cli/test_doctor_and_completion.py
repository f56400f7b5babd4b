"""`pydantic-llm doctor` and `pydantic-llm completion`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pydantic_llm import cli as cli_package
from pydantic_llm.cli.parser import COMMANDS
from pydantic_llm.models.test import TestModel
from pydantic_llm.serve import LocalServer, create_app

from .conftest import Cli


@pytest.fixture(scope='module')
def url() -> Iterator[str]:
    with LocalServer(create_app({'gpt-5.4-mini': TestModel()}, key='a-good-key')) as url:
        yield f'{url}/v1'


def rows(text: str, title: str) -> list[list[str]]:
    """Return the lines below a title, as status, name and text."""
    lines = text.partition(f'{title}:\n')[2].splitlines()
    end = next((number for number, line in enumerate(lines) if not line.startswith(' ')), len(lines))
    return [line.split(None, 2) for line in lines[:end]]


def test_without_keys_nothing_fails(cli: Cli) -> None:
    run = cli('doctor')
    assert (run.code, run.err) == (0, '')
    assert rows(run.out, 'Keys')[0][:2] == ['-', 'none']
    extras = {name: [status, text] for status, name, text in rows(run.out, 'Extras')}
    assert extras['serve'][0] == 'ok'
    assert extras['vllm'] == ['-', "not installed: pip install 'pydantic-llm[vllm]'"]


@pytest.mark.parametrize(('key', 'code', 'status'), [('a-good-key', 0, 'ok'), ('a-wrong-key', 1, 'FAILED')])
def test_each_configured_vendor_gets_one_request(
    cli: Cli, url: str, monkeypatch: pytest.MonkeyPatch, key: str, code: int, status: str
) -> None:
    monkeypatch.setenv('OPENAI_BASE_URL', url)
    monkeypatch.setenv('OPENAI_API_KEY', key)
    run = cli('doctor')
    assert run.code == code
    assert rows(run.out, 'Keys') == [['ok', 'openai', 'OPENAI_API_KEY']]
    [[found, vendor, text]] = rows(run.out, 'Requests')
    assert (found, vendor) == (status, 'openai')
    assert ('401' in text) == (status == 'FAILED')
    assert key not in run.out


def test_offline_sends_nothing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_API_KEY', 'key')
    run = cli('doctor', '--offline')
    assert (run.code, rows(run.out, 'Requests')) == (0, [['-', 'none', 'not sent, because of --offline']])


def test_one_vendor_can_be_checked(cli: Cli) -> None:
    run = cli('doctor', 'openai', 'test')
    assert run.code == 1
    failed, good = rows(run.out, 'Requests')
    assert failed[:2] == ['FAILED', 'openai']
    assert 'OPENAI_API_KEY' in failed[2]
    assert good[:2] == ['ok', 'test']
    assert "'nope' is not a prefix" in cli('doctor', 'nope').err


# ----------------------------------------------------------------------------------------------------------- completion

BASH = """\
source {script}
complete_words() {{
    COMP_LINE="$*"; COMP_POINT=${{#COMP_LINE}}
    _pydantic_llm; echo "${{COMPREPLY[@]}}"
}}
complete_words pydantic-llm ''
complete_words pydantic-llm ask --sch
complete_words pydantic-llm keys s
complete_words pydantic-llm 'why me?' -m anthropic:claude-haiku-4
complete_words pydantic-llm ask -o top_
complete_words pydantic-llm ask -a note
complete_words pydantic-llm --vers
complete_words pydantic-llm logs show --ex
complete_words pydantic-llm keys set open
complete_words pydantic-llm map --engine ''
complete_words pydantic-llm --thinking m
complete_words pydantic-llm map --input note
complete_words pydantic-llm -m tes
complete_words pydantic-llm -s ''
"""


def test_bash_completes_commands_options_and_models(cli: Cli, tmp_path: Path) -> None:
    script = tmp_path / 'completion.bash'
    script.write_text(cli('completion', 'bash').out)
    (tmp_path / 'notes.txt').touch()
    command = ['bash', '--norc', '-c', BASH.format(script=script)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    commands, options, actions, models, settings, files, program, *others = run.stdout.splitlines()
    assert commands.split() == [*COMMANDS]
    assert options == '--schema --schema-multi'
    assert actions == 'set'
    assert models == 'claude-haiku-4-5 claude-haiku-4-5-20251001'
    assert settings == 'top_p= top_k= top_logprobs='
    assert files == 'notes.txt'
    assert program == ''
    assert others == [
        '--extract --extract-last',
        'openai openai-chat openai-responses openrouter',
        'local ray vllm',
        'minimal medium max',
        'notes.txt',
        'test',
        '',
    ]


FISH = """
source {script}
for words in '--extract-l' 'logs show --respo' 'map --engine v' '-m tes'
    complete -C "pydantic-llm $words" | string replace -r '\\t.*' ''
end
"""


@pytest.mark.skipif(shutil.which('fish') is None, reason='fish is not installed')
def test_fish_completes_options_and_values(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / 'script.fish').write_text(cli('completion', 'fish').out)
    run = subprocess.run(
        ['fish', '--no-config', '-c', FISH.format(script=tmp_path / 'script.fish')],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, 'HOME': str(tmp_path)},
    )
    assert run.stdout.split() == ['--extract-last', '--response', 'vllm', 'test']


@pytest.mark.parametrize('shell', ['zsh', 'fish'])
def test_the_script_of_a_shell_has_every_command_and_option(cli: Cli, tmp_path: Path, shell: str) -> None:
    run = cli('completion', shell)
    assert (run.code, run.err) == (0, '')
    for word in (*COMMANDS, 'schema-multi', 'anthropic:claude-haiku-4-5', 'top_p'):
        assert word in run.out
    if (program := shutil.which(shell)) is not None:
        script = tmp_path / 'script'
        script.write_text(run.out)
        subprocess.run([program, '-n', str(script)], check=True)


def test_an_unknown_shell_is_wrong_usage(cli: Cli) -> None:
    assert cli('completion', 'csh').code == 2


def test_every_command_is_named_where_commands_are_listed() -> None:
    page = (Path(__file__).parents[2] / 'docs' / 'cli.md').read_text(encoding='utf-8')
    for name in COMMANDS:
        assert f'`{name}`' in (cli_package.__doc__ or '')
        assert f'| [`{name}`](' in page
