"""The log of the command line, and conversations that are continued from it."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pydantic_llm.cli.log import Entry, Log, encode_messages
from pydantic_llm.messages import (
    BinaryContent,
    ImageUrl,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models.test import TestModel
from pydantic_llm.serve import LocalServer, create_app
from pydantic_llm.usage import RequestUsage

from .conftest import Cli, Scripted


def test_a_question_is_logged_in_a_private_file(cli: Cli, home: Path) -> None:
    cli('-m', 'test', 'Why is the sky blue?')
    assert [stat.S_IMODE((home / name).stat().st_mode) for name in ('.', 'logs.db')] == [0o700, 0o600]
    run = cli('logs')
    assert run.out.split() == ['1', *run.out.split()[1:3], 'test', 'Why', 'is', 'the', 'sky', 'blue?']
    assert cli('logs', 'path').out == f'{home / "logs.db"}\n'


def test_a_logged_question_is_shown_whole(cli: Cli, scripted: Scripted) -> None:
    scripted.responses = ['Blue light:\n\n```\nscatters\n```\n']
    cli('-m', 'scripted:a', '-s', 'Be brief.', 'Why?')
    shown = cli('logs', 'show', '1').out
    assert shown.endswith('System:\nBe brief.\n\nPrompt:\nWhy?\n\nResponse:\nBlue light:\n\n```\nscatters\n```\n\n')
    assert cli('logs', 'show').out == shown
    assert cli('logs', 'show', '-x').out == 'scatters\n'
    assert json.loads(cli('logs', 'show', '--json').out)['messages'][0]['parts'][0]['content'] == 'Why?'
    assert cli('logs', 'show', '7').err == 'pydantic-llm: The log has no number 7\n'


def test_the_log_is_searched_for_all_words_without_regard_to_case(cli: Cli, scripted: Scripted) -> None:
    scripted.responses = ['Eins', 'Zwei', 'Äpfel']
    for prompt in ('First APPLE', 'second', 'third apple'):
        cli('-m', 'scripted:a', prompt)
    assert [row['id'] for row in json.loads(cli('logs', 'search', 'apple', '--json').out)] == [1, 3]
    assert [row['id'] for row in json.loads(cli('logs', 'search', 'äpfel', 'THIRD', '--json').out)] == [3]
    assert [row['id'] for row in json.loads(cli('logs', 'list', '--json', '-n', '1').out)] == [3]
    assert cli('logs', '-n1', '--json').out == cli('logs', 'list', '--json', '-n', '1').out
    assert cli('logs', '-r').out == 'Äpfel\n'
    assert json.loads(cli('logs', 'list', '--json', '-m', 'other').out) == []
    assert cli('logs', 'search', '100%', "'").err == 'Nothing in the log matches.\n'


def test_each_line_of_the_list_fits_in_80_columns(cli: Cli, scripted: Scripted) -> None:
    cli('-m', 'scripted:a-model-with-quite-a-long-name', 'Why?\n\n' * 40)
    [line] = cli('logs').out.splitlines()
    assert len(line) == 80
    assert line.endswith('...')


@pytest.mark.parametrize('way', ['option', 'variable', 'switch'])
def test_the_log_can_be_switched_off(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    arguments = ['-m', 'test', 'hi']
    if way == 'option':
        arguments.append('--no-log')
    elif way == 'variable':
        monkeypatch.setenv('PYDANTIC_LLM_LOG', '0')
    else:
        assert cli('logs', 'off').out.startswith(
            'The log is off (`pydantic-llm logs on`, or PYDANTIC_LLM_LOG=1, switches it on)'
        )
    assert cli(*arguments).code == 0
    assert not (home / 'logs.db').exists()
    if way == 'switch':
        assert cli('logs').err == 'The log is empty, and switched off.\n'
        monkeypatch.setenv('PYDANTIC_LLM_LOG', '1')
        assert cli('logs', 'status').out.startswith('The log is on')


def test_a_log_that_cannot_be_written_is_a_note(cli: Cli, home: Path) -> None:
    home.mkdir()
    (home / 'logs.db').write_bytes(b'no database, but a text of some length' * 40)
    run = cli('-m', 'test', 'hi')
    assert (run.code, run.out) == (0, 'success (no tool calls)\n')
    assert 'this was not written to the log' in run.err


def test_a_log_of_a_newer_version_is_left_alone(cli: Cli, home: Path) -> None:
    home.mkdir()
    with sqlite3.connect(home / 'logs.db') as database:
        database.execute('pragma user_version = 99')
    database.close()
    assert 'newer version' in cli('-m', 'test', 'hi').err
    assert 'newer version' in cli('logs').err


def test_no_key_is_in_the_log(cli: Cli, home: Path, scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_API_KEY', 'sk-0123456789')
    scripted.responses = ['You sent sk-0123456789.']
    headers = '{"x-other": "sk-abcdefghij"}'
    cli('-m', 'scripted:a', 'My key is sk-0123456789', '-o', f'extra_headers={headers}')
    data = (home / 'logs.db').read_bytes()
    assert b'My key is [key]' in data
    assert b'sk-0123456789' not in data
    assert b'sk-abcdefghij' not in data


# ----------------------------------------------------------------------------------------------- continued from the log


def texts(script: Scripted) -> list[str]:
    """Return the texts of the last request, in order."""
    return [str(getattr(part, 'content', '')) for message in script.last_request for part in message.parts]


def test_the_last_conversation_is_continued_with_its_model_and_its_instructions(cli: Cli, scripted: Scripted) -> None:
    scripted.responses = ['One', 'Two', 'Three']
    cli('-m', 'scripted:a', '-s', 'Count.', 'First')
    assert cli('-c', 'Second').out == 'Two\n'
    assert texts(scripted) == ['First', 'One', 'Second']
    assert scripted.requests[-1][1].instructions == 'Count.'
    cli('-c', '-s', 'Stop.', 'Third')
    assert texts(scripted) == ['First', 'One', 'Second', 'Two', 'Third']
    assert scripted.requests[-1][1].instructions == 'Stop.'
    rows = json.loads(cli('logs', 'list', '--json').out)
    assert [(row['id'], row['conversation']) for row in rows] == [(1, 1), (2, 1), (3, 1)]


def test_a_conversation_with_a_real_client_is_continued(cli: Cli) -> None:
    with LocalServer(create_app(TestModel())) as url:
        for provider, address in (('openai', f'{url}/v1'), ('anthropic', url)):
            for arguments in (['-m', f'{provider}:a', '--base-url', address], ['-c']):
                run = cli('hi', *arguments)
                assert (run.code, run.out, run.err) == (0, 'success (no tool calls)\n', '')
    rows = json.loads(cli('logs', 'list', '--json').out)
    assert [(row['conversation'], row['base_url']) for row in rows] == [
        *[(1, f'{url}/v1')] * 2,
        *[(3, url)] * 2,
    ]


def test_an_older_conversation_is_continued_by_a_number_of_it(cli: Cli, scripted: Scripted) -> None:
    scripted.responses = ['One', 'Two', 'Three', 'Four']
    cli('-m', 'scripted:a', 'First')
    cli('-c', 'Second')
    cli('-m', 'scripted:a', 'Another')
    cli('--cid', '2', 'Third')
    assert texts(scripted) == ['First', 'One', 'Second', 'Two', 'Third']


def test_a_conversation_that_does_not_exist_is_an_error(cli: Cli) -> None:
    assert cli('-c', 'hi').err == 'pydantic-llm: The log has no conversation: `pydantic-llm logs list` lists them\n'
    assert 'no conversation 5' in cli('--cid', '5', 'hi').err


def test_files_and_tool_calls_survive_the_log(tmp_path: Path) -> None:
    """The log encodes messages without the schema that reads them."""
    messages = [
        ModelRequest(
            [UserPromptPart(['Look', BinaryContent(b'\xff\x00', media_type='image/png'), ImageUrl('https://a/b.png')])]
        ),
        ModelResponse(
            [ThinkingPart('Hm', signature='s'), TextPart('Yes'), ToolCallPart('f', {'a': [1]}, 'id')],
            usage=RequestUsage(input_tokens=3),
            model_name='m',
            finish_reason='stop',
            headers={'x-secret': 'a'},
            request_id='req_1',
        ),
        ModelRequest([ToolReturnPart('f', {'b': 2}, 'id')], instructions='Be brief.'),
    ]
    general = ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json(messages))
    assert ModelMessagesTypeAdapter.validate_json(encode_messages(messages)) == general == messages
    assert 'x-secret' not in encode_messages(messages)
    log = Log(tmp_path / 'logs.db')
    assert log.add(Entry('m', 'https://user:secret@host/v1', None, messages[:2], 'Yes', 0.1), None) == 1
    old = log.read_conversation(None)
    assert (old.messages, old.base_url) == (messages[:2], 'https://host/v1')


@pytest.mark.parametrize('command', [['logs', 'show', str(10**20)], ['--cid', str(10**20), 'Hi']])
def test_a_number_that_no_row_can_have_is_not_found(cli: Cli, command: list[str]) -> None:
    cli('-m', 'test', 'Hi')
    run = cli(*command)
    assert (run.code, run.err.count('\n')) == (1, 1)
    assert str(10**20) in run.err


def test_a_log_that_cannot_be_opened_is_an_error_of_one_line(cli: Cli, home: Path) -> None:
    (home / 'logs.db').mkdir(parents=True)
    run = cli('logs')
    assert (run.code, run.err.count('\n')) == (1, 1)
    assert 'logs.db' in run.err


DAMAGE: dict[str, Callable[[Path], object]] = {
    'no database': lambda path: path.write_text('garbage'),
    'another one': lambda path: execute(path, 'create table exchanges (id integer)'),
    'no tables': lambda path: execute(path, 'pragma user_version = 1'),
}


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            database.execute(statement)


@pytest.mark.parametrize('damage', DAMAGE)
def test_a_damaged_log_is_one_line_and_loses_no_response(cli: Cli, home: Path, damage: str) -> None:
    home.mkdir()
    DAMAGE[damage](home / 'logs.db')
    run = cli('-m', 'test', 'Hi')
    assert (run.code, run.out, run.err.count('\n')) == (0, 'success (no tool calls)\n', 1)
    for command in (['logs'], ['logs', 'show'], ['logs', 'search', 'a'], ['-c', 'More']):
        run = cli(*command)
        assert (run.code, run.err.count('\n')) == (1, 1)
        assert 'logs.db' in run.err
    assert cli('logs', 'clear').code == cli('-m', 'test', '-v', 'Hi').code == 0
    assert cli('logs').out


@pytest.mark.parametrize('column', ['time', 'messages', 'prompt', 'response'])
def test_a_row_that_another_program_has_changed_is_one_line(cli: Cli, home: Path, column: str) -> None:
    cli('-m', 'test', 'Hi')
    execute(home / 'logs.db', f"update exchanges set {column} = x'ff7b'")
    for command in (['logs'], ['logs', '--json'], ['logs', 'show'], ['logs', 'search', 'hi'], ['-c', 'More']):
        run = cli(*command)
        assert (run.code, run.err.count('\n')) in ((0, 0), (1, 1)), run.err


def test_a_link_to_the_configuration_stays_one(cli: Cli, home: Path, tmp_path: Path) -> None:
    home.mkdir()
    (home / 'config.json').symlink_to(tmp_path / 'dotfile.json')
    (tmp_path / 'talk.json').symlink_to(tmp_path / 'kept.json')
    assert cli('logs', 'off').code == cli('chat', '-m', 'test', '--history', 'talk.json', stdin='Hi\n').code == 0
    assert (home / 'config.json').is_symlink()
    assert (tmp_path / 'talk.json').is_symlink()
    assert json.loads((tmp_path / 'dotfile.json').read_text()) == {'log': False}
    assert len(json.loads((tmp_path / 'kept.json').read_text())) == 2


@pytest.mark.parametrize('content', ['{"model": 3}', '{"log": "no"}', '[]', '{', '\ufffd'])
def test_a_wrong_configuration_is_named(cli: Cli, home: Path, content: str) -> None:
    home.mkdir()
    (home / 'config.json').write_text(content)
    run = cli('Hi')
    assert (run.code, run.err.count('\n')) == (1, 1)
    assert str(home / 'config.json') in run.err
