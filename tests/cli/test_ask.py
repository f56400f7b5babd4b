"""`pydantic-llm ask`, and questions without a command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pydantic_llm.cli import main
from pydantic_llm.cli.results import extract_code
from pydantic_llm.messages import ModelRequest, TextPart, ToolCallPart, UserPromptPart
from pydantic_llm.models.test import TestModel
from pydantic_llm.serve import LocalServer, create_app

from .conftest import Cli, Scripted

SUCCESS = 'success (no tool calls)\n'


def prompts(script: Scripted) -> list[object]:
    """Return the prompts of the last request."""
    requests = [message for message in script.last_request if isinstance(message, ModelRequest)]
    return [part.content for request in requests for part in request.parts if isinstance(part, UserPromptPart)]


@pytest.mark.parametrize('arguments', [['hi'], ['ask', 'hi'], ['Why', 'me?'], ['--no-stream', 'hi']])
def test_a_question_needs_no_command(cli: Cli, arguments: list[str]) -> None:
    run = cli(*arguments, '-m', 'test')
    assert (run.code, run.out, run.err) == (0, SUCCESS, '')


def test_text_in_a_pipe_is_added_to_the_question(cli: Cli, scripted: Scripted) -> None:
    cli('-m', 'scripted:a', 'Translate', stdin='Guten Tag\n')
    assert prompts(scripted) == ['Translate\n\nGuten Tag']
    cli('-m', 'scripted:a', stdin='Guten Tag\n')
    assert prompts(scripted) == ['Guten Tag']


@pytest.mark.parametrize(
    ('data', 'text'),
    [(b'caf\xe9 \x80', 'café €'), ('\ufeffcafé'.encode(), 'café'), ('café'.encode('utf-16'), 'café')],
)
def test_text_in_a_pipe_may_have_another_encoding(cli: Cli, scripted: Scripted, data: bytes, text: str) -> None:
    assert cli('-m', 'scripted:a', stdin=data).code == 0
    assert prompts(scripted) == [text]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['modles'], "'modles' is not a command; did you mean 'models'? To ask it: pydantic-llm ask modles"),
        (['ask', '-m', 'test'], "the question is missing: pydantic-llm 'Why is the sky blue?'"),
        (['-m', '', 'hi'], 'the model is empty: give -m a name'),
        (['--base-url', 'http://127.0.0.1:9', 'hi'], '--base-url needs the name of a model: -m'),
        (['-m', 'test', 'hi', '-o', 'temperatur=1'], "no setting 'temperatur'; did you mean 'temperature'?"),
        (['-m', 'test', 'hi', '-o', 'temperature'], 'write -o name=value'),
        (['-m', 'test', 'hi', '--thinking', 'huge'], "thinking is 'huge': give True, False"),
        (['-m', 'test', 'hi', '-p', 'a=b'], '-p needs a template: -t'),
        (['-m', 'test', 'hi', '--schema', 'a', '--schema-multi', 'b'], 'do not go together'),
        (['-m', 'test', 'hi', '--schema', 'a ?'], "--schema has the field 'a ?'"),
        (
            ['-m', 'test', 'hi', '--unknown'],
            'pydantic-llm ask: unknown arguments: --unknown (see pydantic-llm ask --help)',
        ),
    ],
)
def test_wrong_usage_is_one_line_and_exits_with_2(cli: Cli, arguments: list[str], message: str) -> None:
    run = cli(*arguments)
    assert (run.code, run.out, run.err.count('\n')) == (2, '', 1)
    assert run.err.startswith('pydantic-llm')
    assert '--help)' in run.err
    assert message in run.err


def test_without_a_key_the_error_is_one_short_line(cli: Cli) -> None:
    run = cli('hi')
    assert (run.code, run.out, run.err.count('\n')) == (1, '', 1)
    assert run.err.startswith('pydantic-llm: No model is named and no key is set: name a model with -m')
    assert len(run.err) < 400


# ---------------------------------------------------------------------------------------------- the model that is used


@pytest.fixture(scope='module')
def url() -> Iterator[str]:
    with LocalServer(
        create_app({name: TestModel(model_name=name) for name in ('qwen3:8b', 'gpt-5.4-mini', 'other')})
    ) as url:
        yield url


def test_a_model_that_was_chosen_is_named(cli: Cli, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_BASE_URL', f'{url}/v1')
    monkeypatch.setenv('OPENAI_API_KEY', 'key')
    run = cli('hi')
    assert (run.code, run.out) == (0, SUCCESS)
    assert run.err == (
        'Using openai:gpt-5.4-mini, since OPENAI_API_KEY is set; -m, PYDANTIC_LLM_MODEL or `models default` choose '
        'another.\n'
    )


def test_the_default_model_is_that_of_the_variable_or_else_that_of_models_default(
    cli: Cli, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = cli('models', 'default', 'scripted:stored')
    assert (run.code, run.out, run.err) == (0, '', 'The default model is scripted:stored.\n')
    assert cli('models', 'default').out == 'scripted:stored\n'
    cli('hi')
    monkeypatch.setenv('PYDANTIC_LLM_MODEL', 'scripted:of-the-variable')
    cli('hi')
    cli('hi', '-m', 'scripted:given')
    rows = json.loads(cli('logs', 'list', '--json').out)
    assert [row['model'] for row in rows] == ['scripted:stored', 'scripted:of-the-variable', 'scripted:given']


def test_a_default_model_that_does_not_exist_is_not_stored(cli: Cli) -> None:
    assert cli('models', 'default', 'opnai:gpt').code == 1
    assert 'No model is named' in cli('models', 'default').err


@pytest.mark.parametrize('name', ['qwen3:8b', 'openai:other', 'ollama:other', 'anthropic:other'])
def test_a_server_is_given_by_its_url(cli: Cli, url: str, name: str) -> None:
    run = cli('hi', '-m', name, '--base-url', url if name.startswith(('ollama', 'anthropic')) else f'{url}/v1')
    assert (run.code, run.out) == (0, SUCCESS)


def test_a_model_in_this_process_has_no_url(cli: Cli) -> None:
    assert "'transformers' takes no --base-url" in cli('hi', '-m', 'transformers:a', '--base-url', 'http://a/v1').err


# ----------------------------------------------------------------------------------------------------------- the output


def test_json_has_the_response_with_its_usage(cli: Cli) -> None:
    run = cli('-m', 'test', 'hi', '--json')
    shown = json.loads(run.out)
    assert run.out.count('\n') == 1
    assert (shown['model'], shown['output'], shown['finish_reason']) == ('test', SUCCESS.strip(), 'stop')
    assert (shown['usage']['requests'], shown['cost'], shown['conversation']) == (1, None, 1)


CODE = 'Here it is:\n\n```python\nprint(1)\n```\n\nand\n\n```\nother\n```\n'


@pytest.mark.parametrize(('text', 'shown'), [(CODE, 'print(1)\n'), ('No code.', 'No code.\n'), ('```\na', '```\na\n')])
def test_extract_prints_the_first_block_of_code(cli: Cli, scripted: Scripted, text: str, shown: str) -> None:
    scripted.responses = [text]
    assert cli('-m', 'scripted:a', 'Write code', '-x').out == shown


BLOCKS = """\
1. In a list:

   ```python
   if a:
       print('`')
   ```

~~~~
```
not a block
```
~~~~~

    ````js
    last()
    ````
Then ``` is no block.
"""


def test_blocks_of_code_may_be_indented_and_have_other_fences(cli: Cli, scripted: Scripted) -> None:
    scripted.responses = [BLOCKS, BLOCKS]
    assert cli('-m', 'scripted:a', 'Write code', '--extract').out == "if a:\n    print('`')\n"
    assert cli('-m', 'scripted:a', 'Write code', '--extract-last').out == 'last()\n'
    assert cli('logs', '--xl').out == 'last()\n'
    assert extract_code(BLOCKS.partition('````js')[0], last=True) == '```\nnot a block\n```\n'


def test_verbose_prints_tokens_cost_and_time(cli: Cli, url: str) -> None:
    pytest.importorskip('genai_prices')
    run = cli('hi', '-m', 'openai:gpt-5.4-mini', '--base-url', f'{url}/v1', '-v')
    assert re.match(r'openai:gpt-5.4-mini: \d+ tokens in, 4 out, \$0\.0000\d+, \d\.\d s, the first event', run.err)


@pytest.mark.parametrize('arguments', [[], ['--json'], ['--schema', 'a']])
def test_characters_that_no_encoding_has_are_replaced(cli: Cli, scripted: Scripted, arguments: list[str]) -> None:
    text = '{"a": "x\\ud800"}' if '--schema' in arguments else 'x\ud800 é'
    scripted.responses = [[ToolCallPart('final_result', text)]] if '--schema' in arguments else [text]
    run = cli('-m', 'scripted:a', os.fsdecode(b'caf\xe9'), *arguments)
    assert (run.code, run.err) == (0, '')
    assert 'x?' in run.out.replace('\ufffd', '?')
    assert prompts(scripted) == ['café']
    assert 'x?' in cli('logs', 'show').out.replace('\ufffd', '?')
    assert cli('-c', 'Again').code == 0


def test_a_truncated_response_has_a_note(cli: Cli, scripted: Scripted) -> None:
    scripted.responses = [[TextPart('')]]
    assert cli('-m', 'scripted:a', 'hi').err == "The response has no text (it stopped with 'stop').\n"


# ---------------------------------------------------------------------------------------------- the end of the program


def test_ctrl_c_exits_with_130(cli: Cli, scripted: Scripted) -> None:
    scripted.responses = [KeyboardInterrupt()]
    run = cli('-m', 'scripted:a', 'hi')
    assert (run.code, run.out, run.err) == (130, '', 'Interrupted.\n')


def run_in_shell(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of bash in which `$LLM` is the command line."""
    environment = {
        **os.environ,
        'PYTHONPATH': str(Path(__file__).parents[2]),
        'LLM': f'{sys.executable} -m pydantic_llm',
    }
    return subprocess.run(
        ['bash', '-c', command], env=environment, capture_output=True, text=True, check=False, cwd=folder
    )


@pytest.mark.parametrize('command', ['$LLM models openai | head -1', '$LLM -m test hi | true'])
def test_a_reader_that_stops_ends_the_program_quietly(tmp_path: Path, command: str) -> None:
    run = run_in_shell(tmp_path, f'{command}; echo "${{PIPESTATUS[0]}}"')
    assert run.stderr == ''
    assert run.stdout.splitlines()[-1] == '0'


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='no /dev/full')
def test_an_output_on_a_full_disk_is_an_error_of_one_line(tmp_path: Path) -> None:
    run = run_in_shell(tmp_path, 'PYDANTIC_LLM_MODEL=test $LLM models default > /dev/full; $LLM -m test hi > /dev/full')
    assert run.returncode == 1
    assert run.stderr.splitlines() == ['pydantic-llm: No space left on device'] * 2


@pytest.mark.parametrize('closed', ['>&-', '<&- >&- 2>&-'])
def test_a_closed_output_is_one_to_nowhere(tmp_path: Path, closed: str) -> None:
    run = run_in_shell(tmp_path, f'$LLM -m test hi {closed}')
    assert (run.returncode, run.stderr) == (0, '')


@pytest.mark.parametrize(
    ('arguments', 'code'),
    [
        (['hi'], 0),
        (['chat'], 0),
        ([], 2),
        (['keys', 'set', 'openai'], 2),
        (['--tool', 'os:getcwd', '--approve', 'a'], 1),
    ],
)
def test_a_closed_input_is_an_empty_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int
) -> None:
    monkeypatch.setattr('sys.stdin', None)
    monkeypatch.setenv('PYDANTIC_LLM_MODEL', 'test')
    try:
        found: object = main(arguments)
    except SystemExit as error:  # wrong usage
        found = error.code
    finally:
        sys.stdin.close()
    assert found == code


def test_a_user_without_a_home_gets_one_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('HOME', 'PYDANTIC_LLM_HOME', 'XDG_CONFIG_HOME'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr('os.path.expanduser', lambda path: path)  # as for an id without a name
    run = cli('-m', 'test', 'hi')
    assert (run.code, run.err.count('\n')) == (1, 1)
    assert 'PYDANTIC_LLM_HOME' in run.err
