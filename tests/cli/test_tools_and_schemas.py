"""`--tool`, `--mcp`, `--schema` and `-o`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from pydantic_llm.cli.options import SETTING_OPTIONS
from pydantic_llm.cli.schema import read_schema
from pydantic_llm.cli.settings import read_settings
from pydantic_llm.messages import ToolCallPart

from .conftest import Cli, Scripted

TOOLS = '''
from pydantic import BaseModel

class Dog(BaseModel):
    """A dog."""
    name: str
    age: int

def temperature(city: str) -> float:
    """Return the temperature in degrees Celsius."""
    return 3.5

def broken(city: str) -> float:
    raise ValueError('no network')

several = [temperature]
number = 3
'''


@pytest.fixture(autouse=True)
def _tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'cli_weather.py').write_text(TOOLS)
    monkeypatch.delitem(sys.modules, 'cli_weather', raising=False)
    monkeypatch.setattr(sys, 'path', [*sys.path])


@pytest.mark.parametrize('tool', ['cli_weather:temperature', 'cli_weather.py:temperature', 'cli_weather:several'])
def test_a_model_calls_a_function(cli: Cli, tool: str) -> None:
    run = cli('-m', 'test', '--tool', tool, '-v', 'How cold is it?')
    assert (run.code, run.out) == (0, '{"temperature":3.5}\n')
    assert run.err.startswith('Calling temperature({"city":"a"})\ntemperature returned 3.5\ntest:test: 2 requests, ')


@pytest.mark.parametrize(
    ('tool', 'message'),
    [
        ('cli_weather:temprature', "'cli_weather' has no 'temprature'"),
        ('cli_weather', "--tool 'cli_weather' has no name: write module:name or file.py:name"),
        ('nothing_here:f', "--tool cannot import 'nothing_here': ModuleNotFoundError"),
        ('nothing.py:f', "--tool: there is no file 'nothing.py'"),
        ('cli_weather:number', "--tool 'cli_weather:number' is not a function, a Tool or a toolset"),
    ],
)
def test_a_tool_that_does_not_exist_is_one_line(cli: Cli, tool: str, message: str) -> None:
    run = cli('-m', 'test', '--tool', tool, 'hi')
    assert (run.code, run.out, run.err.count('\n')) == (1, '', 1)
    assert message in run.err


def test_the_model_gets_the_error_of_a_tool(cli: Cli, scripted: Scripted) -> None:
    scripted.responses = [[ToolCallPart('broken', {'city': 'Oslo'}, 'call_1')], 'I cannot know.']
    run = cli('-m', 'scripted:a', '--tool', 'cli_weather:broken', 'How cold?')
    assert (run.code, run.out) == (0, 'I cannot know.\n')
    assert run.err == 'Calling broken({"city":"Oslo"})\nbroken failed: ValueError: no network\n'
    assert 'ValueError: no network' in str(scripted.last_request[-1].parts[0])


def test_approval_needs_a_terminal(cli: Cli) -> None:
    run = cli('-m', 'test', '--tool', 'cli_weather:temperature', '--approve', 'hi')
    assert run.code == 1
    assert "The tool 'temperature' needs an approval: the standard input must be a terminal" in run.err


def test_a_conversation_with_tools_is_continued(cli: Cli, scripted: Scripted) -> None:
    scripted.responses = [[ToolCallPart('temperature', {'city': 'Oslo'}, 'call_1')], 'It is 3.5 °C.', 'Yes.']
    assert cli('-m', 'scripted:a', '--tool', 'cli_weather:temperature', 'How cold?').out == 'It is 3.5 °C.\n'
    assert cli('-c', 'Sure?').out == 'Yes.\n'
    assert [type(part).__name__ for message in scripted.last_request for part in message.parts] == [
        'UserPromptPart',
        'ToolCallPart',
        'ToolReturnPart',
        'TextPart',
        'UserPromptPart',
    ]


SERVER = """
from mcp.server import MCPServer

server = MCPServer('sums')

@server.tool()
def add(a: int, b: int) -> int:
    return a + b

server.run()
"""


def test_the_tools_of_a_command_are_those_of_its_mcp_server(tmp_path: Path) -> None:
    pytest.importorskip('mcp')
    (tmp_path / 'server.py').write_text(SERVER)
    arguments = ['-m', 'test', '--mcp', f'{sys.executable} server.py', 'Add']
    environment = {**os.environ, 'PYTHONPATH': str(Path(__file__).parents[2])}
    run = subprocess.run(  # a server needs a real standard error
        [sys.executable, '-m', 'pydantic_llm', *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, '{"add":0}\n')
    assert 'Calling add({"a":0,"b":0})\n' in run.stderr


# -------------------------------------------------------------------------------------------------------------- schemas


@pytest.mark.parametrize(
    ('arguments', 'shown'),
    [
        (
            ['--schema', 'name, age int: in years, tags str[], good bool, weight float'],
            {'name': 'a', 'age': 0, 'tags': ['a'], 'good': False, 'weight': 0.0},
        ),
        (['--schema', 'name: the first, and the last\nage int'], {'name': 'a', 'age': 0}),
        (['--schema', 'cli_weather:Dog'], {'name': 'a', 'age': 0}),
        (['--schema', 'cli_weather.py:Dog'], {'name': 'a', 'age': 0}),
        (['--schema', '{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}'], {'a': 0}),
        (['--schema', 'dog.json'], {'a': 0}),
        (['--schema-multi', 'name'], {'items': [{'name': 'a'}]}),
        (['--schema-multi', 'dog.json'], {'items': [{'a': 0}]}),
    ],
)
def test_a_schema_makes_the_response_json(cli: Cli, tmp_path: Path, arguments: list[str], shown: object) -> None:
    (tmp_path / 'dog.json').write_text(
        '{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}'
    )
    run = cli('-m', 'test', *arguments, 'Invent a dog')
    assert (run.code, run.err) == (0, '')
    assert json.loads(run.out) == shown
    assert run.out.count('\n') == 1
    assert json.loads(cli('logs', 'show', '-r').out) == shown


def test_the_fields_of_a_schema_have_types_and_descriptions() -> None:
    schema = TypeAdapter(read_schema('name, age int: in years')).json_schema()
    assert schema['properties'] == {
        'name': {'title': 'Name', 'type': 'string'},
        'age': {'title': 'Age', 'type': 'integer', 'description': 'in years'},
    }
    assert schema['required'] == ['name', 'age']


def test_a_field_of_a_schema_may_have_the_name_of_an_attribute(cli: Cli) -> None:
    names = {name for name in dir(BaseModel) if not name.startswith('__')} | {'class', '_x', '1st', 'is-valid'}
    run = cli('-m', 'test', '--schema', ', '.join(sorted(names)), 'hi')
    assert (run.code, run.err) == (0, '')
    assert json.loads(run.out).keys() == names


def test_a_number_that_json_does_not_have_is_null(cli: Cli, scripted: Scripted) -> None:
    for arguments in (['--schema', 'x float, y'], ['--schema', '{"type": "object", "properties": {}}', '--json']):
        scripted.responses = [[ToolCallPart('final_result', '{"x": NaN, "y": "\\ud800"}')]]
        run = cli('-m', 'scripted:a', *arguments, 'hi')
        assert '"x":null' in run.out.replace(' ', '')


@pytest.mark.parametrize(
    ('schema', 'message'),
    [
        ('', '--schema is empty'),
        ('age number', "--schema has the type 'number' in 'age number': write str, int, float, bool"),
        ('a, a', "--schema has the field 'a' twice"),
        ('a b c', "--schema has the field 'a b c'"),
        ('{"type"', 'is not a JSON schema'),
        ('{"type": "string"}', 'object'),
        ('cli_weather:Cat', "'cli_weather' has no 'Cat'"),
    ],
)
def test_a_wrong_schema_is_one_line(cli: Cli, schema: str, message: str) -> None:
    run = cli('-m', 'test', '--schema', schema, 'hi')
    assert (run.code, run.out, run.err.count('\n')) == (2, '', 1)
    assert message in run.err


# ------------------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ('option', 'settings'),
    [
        ('temperature=0.2', {'temperature': 0.2}),
        ('max_tokens=50', {'max_tokens': 50}),
        ('thinking=high', {'thinking': 'high'}),
        ('thinking=off', {'thinking': False}),
        ('thinking=2000', {'thinking': 2000}),
        ('stop_sequences=END', {'stop_sequences': ['END']}),
        ('stop_sequences=a,b', {'stop_sequences': ['a', 'b']}),
        ('stop_sequences=["1", ","]', {'stop_sequences': ['1', ',']}),
        ('tool_choice=none', {'tool_choice': 'none'}),
        ('parallel_tool_calls=no', {'parallel_tool_calls': False}),
        ('logit_bias={"5": -100}', {'logit_bias': {'5': -100}}),
        ('extra_body={"a": 1}', {'extra_body': {'a': 1}}),
        ('openai_user=123', {'openai_user': '123'}),
        ('anthropic_metadata={"user_id": "a"}', {'anthropic_metadata': {'user_id': 'a'}}),
        ('seed=None', {'seed': None}),
    ],
)
def test_a_setting_has_the_type_that_it_needs(option: str, settings: dict[str, Any]) -> None:
    assert read_settings(Namespace(option=[option], **dict.fromkeys(SETTING_OPTIONS))) == settings


def test_settings_reach_the_model(cli: Cli, scripted: Scripted) -> None:
    cli('-m', 'scripted:a', '-o', 'top_p=0.9', '--temperature', '0.2', '--thinking', 'low', 'hi')
    assert scripted.requests[-1][1].model_settings == {'top_p': 0.9, 'temperature': 0.2, 'thinking': 'low'}
