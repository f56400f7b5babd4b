"""Files of rows and of results: every format, every mistake in them, and typed columns."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from pydantic_llm.exceptions import UserError
from pydantic_llm.many import MapResult, RowError
from pydantic_llm.many.columns import Columns, list_output_columns
from pydantic_llm.many.files import read_rows
from pydantic_llm.many.input_file import InputFile
from pydantic_llm.many.requests import RowRequests
from pydantic_llm.many.results_file import ResultsFile
from pydantic_llm.messages import BinaryContent, ModelResponse, TextPart
from pydantic_llm.output import StructuredDict

REQUESTS = RowRequests.check('{text}', None, None, None, None)
ROWS = [{'id': 'ü', 'text': 'one\ntwo, "three"', 'n': 1}, {'id': 'b', 'text': '', 'n': 2}]


def write(path: Path, rows: Any = ROWS) -> Path:
    """Write rows in the format of the file's name."""
    if path.suffix == '.jsonl':
        path.write_text(''.join(f'{json.dumps(row)}\n' for row in rows), encoding='utf-8')
    elif path.suffix == '.csv':
        with path.open('w', newline='', encoding='utf-8') as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    else:
        arrow = pytest.importorskip('pyarrow')
        import_parquet = pytest.importorskip('pyarrow.parquet')
        import_parquet.write_table(arrow.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize('ending', ['jsonl', 'csv', 'parquet'])
def test_every_format_has_the_same_rows(tmp_path: Path, ending: str) -> None:
    read = [row for _, row in read_rows(write(tmp_path / f'rows.{ending}'))]
    assert [{**row, 'n': int(row['n'])} for row in read] == ROWS


def test_values_of_parquet_that_python_does_not_have_are_text(tmp_path: Path) -> None:
    arrow = pytest.importorskip('pyarrow')
    parquet = pytest.importorskip('pyarrow.parquet')
    nanoseconds = 1_700_000_000_123_456_789
    columns = {
        'text': ['a'],
        'time': arrow.array([nanoseconds], arrow.timestamp('ns')),
        'zoned': arrow.array([nanoseconds], arrow.timestamp('ns', tz='UTC')),
        'clock': arrow.array([123_456_789], arrow.time64('ns')),
        'length': arrow.array([1500], arrow.duration('ms')),
    }
    parquet.write_table(arrow.table(columns), tmp_path / 'a.parquet')
    summary = InputFile(tmp_path / 'a.parquet').check(REQUESTS)
    assert {*summary.kinds.values()} == {'text'}
    [(_, row)] = read_rows(tmp_path / 'a.parquet')
    assert (row['time'], row['clock']) == ('2023-11-14 22:13:20.123456789', '00:00:00.123456789')
    assert row['zoned'].startswith('2023-11-14 22:13:20.123456789')
    nested = arrow.table({'text': [['a']], 'times': arrow.array([[nanoseconds]], arrow.list_(arrow.timestamp('ns')))})
    parquet.write_table(nested, tmp_path / 'b.parquet')
    with pytest.raises(UserError, match=r'b\.parquet: not a Parquet file that can be read .*anosecond'):
        list(read_rows(tmp_path / 'b.parquet'))


def test_half_a_character_in_a_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / 'a.jsonl').write_text('{"text": "a \\ud83d b \\ud83d\\ude00"}\n')
    assert [row for _, row in read_rows(tmp_path / 'a.jsonl')] == [{'text': 'a \ufffd b 😀'}]


def test_empty_lines_and_the_mark_of_utf_8_are_not_rows(tmp_path: Path) -> None:
    (tmp_path / 'a.jsonl').write_bytes(b'\xef\xbb\xbf{"text": "a"}\n\n  \r\n{"text": "b"}')
    (tmp_path / 'a.csv').write_bytes(b'\xef\xbb\xbftext\r\na\r\n\r\nb')
    for name in ('a.jsonl', 'a.csv'):
        assert [row for _, row in read_rows(tmp_path / name)] == [{'text': 'a'}, {'text': 'b'}]


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.jsonl', b'{"text": "a"}\n{"text": \n', r'a\.jsonl, line 2: not JSON'),
        ('a.jsonl', b'{"text": "a"}\n["b"]\n', r'a\.jsonl, line 2: not an object'),
        ('a.jsonl', b'{"text": "\xff"}\n', r'a\.jsonl, line 1: not JSON'),
        ('a.jsonl', b'{"text": "a"}\n{"tex": "b"}', r"a\.jsonl, line 2: the field 'text' of the prompt is missing"),
        (
            'a.jsonl',
            b'{"id": 1, "text": "a"}\n{"id": 1, "text": "b"}',
            r'line 2: the id 1 is that of .*a\.jsonl, line 1',
        ),
        ('a.jsonl', b'{"id": 1, "text": "a"}\n{"text": "b"}', r"a\.jsonl, line 2: the id 'id' is missing"),
        ('a.jsonl', b'\n', r'a\.jsonl has no rows'),
        ('a.csv', b'text,b\nx,1\ny\n', r'a\.csv, line 3: it has 1 values, and the first line 2 names'),
        ('a.csv', b'text,text\nx,1\n', r"a\.csv, line 1: there are two columns 'text'"),
        ('a.csv', b'text\n"x\n', r'a\.csv, line 2: unexpected end of data'),
        ('a.csv', b'text\n\xff\n', r'a\.csv: not text in UTF-8'),
        ('a.csv', b'', r'a\.csv has no rows'),
        ('a.txt', b'', 'has an unknown ending: use .jsonl'),
        ('a.parquet', b'text', 'not a Parquet file that can be read'),
    ],
)
def test_a_mistake_in_the_input_is_one_sentence_that_names_the_row(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    if name.endswith('.parquet'):
        pytest.importorskip('pyarrow')
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        InputFile(tmp_path / name).check(REQUESTS)


def test_a_file_that_is_not_there_is_an_error_in_every_format(tmp_path: Path) -> None:
    for name in ('a.jsonl', 'a.csv', 'a.parquet'):
        if name.endswith('.parquet'):
            pytest.importorskip('pyarrow')
        with pytest.raises(FileNotFoundError):
            InputFile(tmp_path / name).check(REQUESTS)


def test_ids_can_be_in_another_column_or_in_none(tmp_path: Path) -> None:
    path = write(tmp_path / 'a.jsonl', [{'id': 1, 'key': 1, 'text': ''}, {'id': 1, 'key': 2, 'text': ''}])
    assert InputFile(path).check(REQUESTS, id_column='key').count == 2
    assert InputFile(path).check(REQUESTS, id_column='').count == 2
    assert InputFile(path, limit=1).check(REQUESTS).count == 1


def test_an_attachment_that_does_not_exist_is_found_before_anything_is_sent(tmp_path: Path) -> None:
    requests = RowRequests.check('{text}', None, None, None, 'files')
    (tmp_path / 'a.png').write_bytes(b'image')
    rows = [
        {'text': 'x', 'files': [str(tmp_path / 'a.png'), 'https://example.com/b.png']},
        {'text': 'y', 'files': None},
    ]
    path = write(tmp_path / 'a.jsonl', rows)
    assert InputFile(path).check(requests).count == 2
    [message] = requests.build_messages(rows[0], 'row')
    assert isinstance(message.parts[0].content[0], BinaryContent)  # type: ignore[union-attr, index]
    write(path, [*rows, {'text': 'z', 'files': 'none.png'}])
    with pytest.raises(UserError, match=r"line 3: the file 'none\.png' of 'files' does not exist"):
        InputFile(path).check(requests)


class City(BaseModel):
    name: str
    inhabitants: int | None
    area: float
    is_capital: bool
    kind: Literal['big', 'small'] = 'big'
    rivers: list[str] = []


def test_a_structured_output_has_a_typed_column_for_each_field() -> None:
    kinds = {
        'name': 'text',
        'inhabitants': 'integer',
        'area': 'number',
        'is_capital': 'boolean',
        'kind': 'text',
        'rivers': 'json',
    }
    assert list_output_columns(City) == kinds
    assert list_output_columns(str) == {'output': 'text'}
    assert list_output_columns(list[City]) == {'output': 'json'}
    schema = {'type': 'object', 'properties': {'a': {'type': ['integer', 'null']}, 'b': {'$ref': '#/$defs/B'}}}
    given = StructuredDict({**schema, '$defs': {'B': {'enum': [1, 2.5]}}})
    assert list_output_columns(given) == {'a': 'integer', 'b': 'number'}


@pytest.mark.parametrize('name', ['error', 'row', 'output'])
def test_a_column_of_the_input_and_of_the_output_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"has a column '{name}', which the output adds: rename it, or choose"):
        Columns({name: 'text'}, {'output': 'text'})


RESPONSE = ModelResponse([TextPart('x')], model_name='m')


def make_results(path: Path, output_type: Any = City, **options: Any) -> ResultsFile:
    return ResultsFile(path, Columns({'text': 'text', 'n': 'integer'}, list_output_columns(output_type)), options)


def make_result(index: int, **options: Any) -> MapResult[Any]:
    row = {'text': f'é"\n{index}', 'n': index}
    output = City(name='Ulm', inhabitants=None, area=2, is_capital=False, rivers=['Donau'])
    return MapResult(index=index, row=row, **{'output': output, 'responses': (RESPONSE,), **options})


FAILURE = {'output': None, 'responses': (), 'error': RowError('RateLimitError', 'busy', retryable=True)}


def fill(path: Path) -> None:
    """Write three results, out of order and in two processes."""
    results = make_results(path)
    assert not results.open()
    results.add(make_result(2))
    results.close()
    results = make_results(path)
    assert results.open()
    results.add(make_result(0))
    results.add(make_result(1, **FAILURE))
    assert [index for index in range(5) if results.is_done(index)] == [0, 1, 2]
    assert (results.counts.done, dict(results.counts.errors)) == (3, {'RateLimitError': 1})
    results.finish()
    results.close()


@pytest.mark.parametrize('ending', ['jsonl', 'csv', 'parquet'])
def test_a_link_to_the_file_of_results_stays_one(tmp_path: Path, ending: str) -> None:
    if ending == 'parquet':
        pytest.importorskip('pyarrow')
    (tmp_path / 'disk').mkdir()
    link, target = tmp_path / f'out.{ending}', tmp_path / 'disk' / f'results.{ending}'
    link.symlink_to(target)
    fill(link)
    assert link.is_symlink()
    assert target.stat().st_size > 100


def test_a_file_of_json_lines_is_in_the_order_of_rows_at_the_end(tmp_path: Path) -> None:
    fill(tmp_path / 'out.jsonl')
    records = [json.loads(line) for line in (tmp_path / 'out.jsonl').read_text('utf-8').splitlines()]
    assert [(record['row'], record['text'], record['error']) for record in records] == [
        (0, 'é"\n0', None),
        (1, 'é"\n1', 'RateLimitError'),
        (2, 'é"\n2', None),
    ]
    assert (records[0]['area'], records[0]['rivers'], records[1]['name']) == (2.0, ['Donau'], None)
    assert (records[1]['error_message'], records[1]['retryable']) == ('busy', True)


def test_a_table_of_comma_separated_values_has_the_same_rows(tmp_path: Path) -> None:
    fill(tmp_path / 'out.csv')
    with (tmp_path / 'out.csv').open(newline='', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    assert [(row['text'], row['name'], row['is_capital'], row['error']) for row in rows] == [
        ('é"\n0', 'Ulm', 'false', ''),
        ('é"\n1', '', '', 'RateLimitError'),
        ('é"\n2', 'Ulm', 'false', ''),
    ]
    assert json.loads(rows[0]['rivers']) == ['Donau']
    assert b'\r' not in (tmp_path / 'out.csv').read_bytes()


def test_a_parquet_file_has_typed_columns(tmp_path: Path) -> None:
    parquet = pytest.importorskip('pyarrow.parquet')
    fill(tmp_path / 'out.parquet')
    table = parquet.read_table(tmp_path / 'out.parquet')
    types = {field.name: str(field.type) for field in table.schema}
    assert types == {
        'text': 'string',
        'n': 'int64',
        'name': 'string',
        'inhabitants': 'int64',
        'area': 'double',
        'is_capital': 'bool',
        'kind': 'string',
        'rivers': 'string',
        'finish_reason': 'string',
        'model': 'string',
        'input_tokens': 'int64',
        'output_tokens': 'int64',
        'cost': 'double',
        'error': 'string',
        'error_message': 'string',
        'retryable': 'bool',
    }
    assert [row['n'] for row in table.to_pylist()] == [0, 1, 2]


def test_failed_rows_are_removed_to_be_retried_and_the_others_stay(tmp_path: Path) -> None:
    fill(tmp_path / 'out.jsonl')
    results = make_results(tmp_path / 'out.jsonl')
    results.open(retry_failed=True)
    assert [index for index in range(3) if results.is_done(index)] == [0, 2]
    assert len((tmp_path / 'out.jsonl').read_text('utf-8').splitlines()) == 2
    results.close()


def test_results_of_other_options_are_refused(tmp_path: Path) -> None:
    fill(tmp_path / 'out.jsonl')
    before = (tmp_path / 'out.jsonl').read_bytes()
    with pytest.raises(UserError, match=r'made with other options: limit was None and is 3\. Name another file'):
        make_results(tmp_path / 'out.jsonl', limit=3).open()
    assert (tmp_path / 'out.jsonl').read_bytes() == before


def test_thousands_of_brackets_in_a_row_are_an_error_that_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / 'rows.jsonl'
    path.write_text('{"text": "a"}\n' + '{"text": ' + '[' * 100_000 + '\n')
    with pytest.raises(UserError, match='line 2: not JSON'):
        InputFile(path).check(REQUESTS)


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='needs named pipes')
def test_a_pipe_is_refused_since_rows_are_read_several_times(tmp_path: Path) -> None:
    path = tmp_path / 'rows.jsonl'
    os.mkfifo(path)
    with pytest.raises(UserError, match=r'--input .* is not a file'):
        InputFile(path).check(REQUESTS)
