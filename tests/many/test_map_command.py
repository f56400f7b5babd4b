"""`pydantic-llm map`: options, files, progress, kills, retries and batches."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pydantic_llm.cli import main
from pydantic_llm.cli.map_models import ModelRecipe
from pydantic_llm.cli.map_progress import format_counts, format_duration, format_number
from pydantic_llm.many.results_file import JobCounts
from pydantic_llm.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.models.limits import RateLimitedModel
from pydantic_llm.models.router import RouterModel
from pydantic_llm.serve import BatchOptions, Fault, LocalServer, create_app
from tests.many import soak

ROWS = [{'id': f'r{number}', 'text': f'row {number}'} for number in range(20)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a folder of its own, with rows in it, and a key of OpenAI."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('OPENAI_API_KEY', 'k')
    monkeypatch.setenv('PYDANTIC_LLM_HOME', str(tmp_path / 'home'))
    write_rows(ROWS)
    return tmp_path


def write_rows(rows: list[dict[str, Any]]) -> None:
    Path('rows.jsonl').write_text(''.join(json.dumps(row) + '\n' for row in rows))


class Server:
    """A gateway in front of a model that repeats its prompt; it counts requests, and may fail."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.settings: list[Any] = []
        self.faults: dict[str, Fault] = {}
        self.url = ''

    def respond(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        prompt = str(messages[-1].parts[-1].content)  # type: ignore[union-attr]
        self.prompts.append(prompt)
        self.settings.append(info.model_settings)
        if info.function_tools:
            return ModelResponse([ToolCallPart(info.function_tools[0].name, {'name': 'Ulm', 'age': 1170})])
        if info.model_request_parameters.output_object is not None:
            return ModelResponse([TextPart('{"name": "Ulm", "age": 1170}')])
        return ModelResponse([TextPart(prompt.upper())])

    def plan(self, fields: Any) -> Fault | None:
        return self.faults.get(str(fields['messages'][-1]['content']))


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    app = create_app(
        FunctionModel(found.respond, model_name='m'), faults=found.plan, batches=BatchOptions(concurrency=4)
    )
    with LocalServer(app) as url:
        found.url = url
        yield found


def run(*options: str, output: str = 'out.jsonl', prompt: str = 'Say {text}') -> int:
    """Run the command and return its exit code."""
    try:
        return main(['map', '--input', 'rows.jsonl', '--output', output, '--prompt', prompt, *options])
    except SystemExit as error:
        return int(error.code or 0)


def run_on(server: Server, *options: str, **more: str) -> int:
    return run('-m', 'openai:m', '--base-url', f'{server.url}/v1', '-o', 'retries=0', *options, **more)


def read(name: str = 'out.jsonl') -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(name).read_text().splitlines()]


def test_every_row_has_a_result_with_its_columns(server: Server) -> None:
    assert run_on(server, '--system', 'Be brief.', '-o', 'temperature=0.5') == 0
    assert [(record['row'], record['id'], record['output']) for record in read()] == [
        (number, f'r{number}', f'SAY ROW {number}') for number in range(20)
    ]
    assert read()[0].keys() == {
        *('row', 'id', 'text', 'output', 'finish_reason', 'model', 'input_tokens', 'output_tokens', 'cost'),
        *('error', 'error_message', 'retryable'),
    }
    assert {settings['temperature'] for settings in server.settings} == {0.5}


def test_a_schema_makes_typed_columns(server: Server) -> None:
    assert run_on(server, '--schema', 'name, age int', '--columns', 'id', output='out.csv') == 0
    with Path('out.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [(row['id'], row['name'], row['age']) for row in rows] == [(f'r{n}', 'Ulm', '1170') for n in range(20)]
    assert 'text' not in rows[0]


def test_a_job_goes_on_with_more_rows_and_sends_nothing_when_it_is_complete(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_on(server, '--limit', '5') == 0
    assert (len(server.prompts), len(read())) == (5, 5)
    assert run_on(server) == 0
    assert run_on(server, '--concurrency', '2') == 0
    assert (sorted(server.prompts), len(read())) == (sorted(f'Say {row["text"]}' for row in ROWS), 20)
    assert 'Going on with out.jsonl: 20 of 20 rows are there.' in capsys.readouterr().err


def test_failed_rows_are_typed_and_are_sent_again_on_demand(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.faults = {'Say row 3': Fault(status=429), 'Say row 7': Fault(status=400)}
    assert run_on(server) == 1
    assert 'Failed: 1 RateLimitError, 1 ModelHTTPError. --retry-failed' in capsys.readouterr().err
    failed = {record['row']: record for record in read() if record['error']}
    assert {row: (record['error'], record['retryable'], record['output']) for row, record in failed.items()} == {
        3: ('RateLimitError', True, None),
        7: ('ModelHTTPError', False, None),
    }
    sent = len(server.prompts)
    assert run_on(server) == 1
    assert len(server.prompts) == sent
    server.faults = {}
    assert run_on(server, '--retry-failed') == 0
    assert sorted(server.prompts[sent:]) == ['Say row 3', 'Say row 7']
    assert [record['row'] for record in read()] == list(range(20))


def test_a_wrong_key_ends_the_job_and_the_next_run_goes_on(server: Server) -> None:
    server.faults = {f'Say row {number}': Fault(status=401) for number in range(20)}
    assert run_on(server) == 1
    assert not Path('out.jsonl').exists()
    assert not Path('out.jsonl.job').exists()
    server.faults = {}
    assert run_on(server) == 0


def test_a_budget_that_is_spent_ends_the_job_and_the_next_run_goes_on(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.faults['Say row 5'] = Fault(status=429, headers={'x-should-retry': 'false', 'retry-after': '9999'})
    assert run_on(server, '--concurrency', '1') == 1
    assert 'the same command goes on with the rest' in capsys.readouterr().err
    assert len(read()) == 5
    server.faults = {}
    assert run_on(server, '-m', 'openai:m') == 0  # the same model twice is one
    assert len(read()) == 20


def test_a_batch_runs_at_the_vendor_and_is_found_again(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pydantic_llm.batches import Batch

    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    options = ('--batch', '--poll', '0.05')
    with monkeypatch.context() as patch:
        patch.setattr(Batch, 'results', stop)  # the user presses Ctrl-C while the batch runs
        assert run_on(server, *options) == 130
    assert 'the same command waits for it' in capsys.readouterr().err
    assert run_on(server, *options) == 0
    assert 'which an earlier run created' in capsys.readouterr().err
    assert len(server.prompts) == 20
    assert [(record['row'], record['id'], record['output']) for record in read()] == [
        (number, f'r{number}', f'SAY ROW {number}') for number in range(20)
    ]


def test_a_batch_has_structured_outputs(server: Server) -> None:
    assert run_on(server, '--batch', '--poll', '0.05', '--schema', 'name, age int') == 0
    assert {(record['name'], record['age']) for record in read()} == {('Ulm', 1170)}


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--prompt', 'Say {txt}'], "rows.jsonl, line 1: the field 'txt' of the prompt is missing"),
        (['--input', 'none.jsonl'], "'none.jsonl' cannot be used: No such file"),
        (['--output', 'none/out.jsonl'], "'none/out.jsonl' cannot be written: there is no folder 'none'"),
        (['--output', 'folder.jsonl'], "'folder.jsonl' is a folder"),
        (['--output', 'out.txt'], "--output 'out.txt' has an unknown ending"),
        (['--output', 'rows.jsonl'], '--output is the file of --input'),
        (['-o', 'temprature=1'], "There is no setting 'temprature'; did you mean 'temperature'?"),
        (['--schema', 'name blob'], "--schema has the type 'blob'"),
        (['--columns', 'id,txt'], "--columns has 'txt', which the input does not have: it has 'id', 'text'"),
        (['--id', 'key'], "the id 'key' is missing"),
        (['--concurrency', '0'], "a whole number from 1 on, not '0'"),
        (['--requests-per-minute', '-1'], 'requests_per_minute'),
        (['--batch'], 'has no batches'),
        (['--batch', '--engine', 'ray'], '--batch and --engine ray do not go together'),
        (['--engine', 'vllm', '--base-url', 'http://127.0.0.1:9'], '--engine vllm needs one -m'),
        (['-m', 'nosuch:m'], 'nosuch'),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_file(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    model = [] if '-m' in options else ['-m', 'test']
    (folder / 'folder.jsonl').mkdir()
    assert run(*model, *options) in (1, 2)
    error = capsys.readouterr().err
    assert message in error
    assert error.count('\n') == 1
    assert [path.name for path in folder.iterdir() if path.name.startswith('out')] == []


def test_other_options_do_not_continue_an_output(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_on(server) == 0
    sent = len(server.prompts)
    assert run_on(server, prompt='Cry {text}') == 1
    assert "made with other options: prompt was 'Say {text}' and is 'Cry {text}'" in capsys.readouterr().err
    write_rows(ROWS[1:])
    assert run_on(server) == 1
    assert 'content of the input was' in capsys.readouterr().err
    assert len(server.prompts) == sent


def test_limits_and_a_router_are_those_of_the_library() -> None:
    model = ModelRecipe(names=['openai:a', 'openai:b'], requests_per_minute=60)()
    assert isinstance(model, RateLimitedModel)
    assert isinstance(model.wrapped, RouterModel)
    assert [deployment.model.model_name for deployment in model.wrapped.deployments] == ['a', 'b']


def test_the_numbers_of_a_job_are_short() -> None:
    counts = JobCounts(done=1200, input_tokens=1_234_567, output_tokens=23_456, cost=1.234)
    counts.errors.update(['A', 'B', 'B'])
    assert format_counts(counts, 10_000) == '1,200/10,000 rows, 3 failed, 1.23M tokens in, 23.5k out, $1.23'
    assert format_counts(JobCounts(cost=0.00123), 1) == '0/1 rows, 0 tokens in, 0 out, $0.0012'
    assert [format_number(number) for number in (9_999, 10_000, 2_000_000_000)] == ['9,999', '10k', '2G']
    assert [format_duration(seconds) for seconds in (0.4, 61, 3_723)] == ['0 s', '1:01', '1:02:03']


def test_a_terminal_shows_a_bar_with_rows_tokens_and_time_left(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, 'stderr', terminal)
    monkeypatch.setenv('COLUMNS', '120')
    assert run_on(server) == 0
    assert '20/20 rows' in terminal.getvalue()
    assert '━' in terminal.getvalue()


def test_a_job_that_is_killed_twice_has_every_row_exactly_once() -> None:
    report = soak.run(500, seed=3, options=('-o', 'retries=0'))
    assert report.runs > 1
    assert report.faults > 20
    assert len(report.killed_at) == 2
