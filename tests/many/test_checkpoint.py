"""The checkpoint of `map_requests`: what is done is not sent again, however the process ended."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from pydantic_llm.exceptions import UserError
from pydantic_llm.many import MapResult, map_requests
from pydantic_llm.messages import ImageUrl, ModelRequest
from pydantic_llm.models.test import TestModel
from tests.many.test_map_requests import Echo

ROWS = [{'text': str(number)} for number in range(100)]


async def collect(echo: Echo, path: Path, rows: Any = ROWS, **options: Any) -> list[MapResult[Any]]:
    options = {'prompt': '{text}', **options}
    return [result async for result in map_requests(echo.model, rows, checkpoint=path, **options)]


async def test_results_in_the_checkpoint_are_yielded_without_a_request(tmp_path: Path) -> None:
    echo = Echo()
    first = await collect(echo, tmp_path / 'c')
    second = await collect(echo, tmp_path / 'c')
    assert len(echo.prompts) == len(ROWS)
    assert [result.is_restored for result in second] == [True] * len(ROWS)
    assert [(result.index, result.row, result.output, result.usage) for result in first] == [
        (result.index, result.row, result.output, result.usage) for result in second
    ]


async def test_a_loop_that_was_left_goes_on_with_the_rows_that_are_missing(tmp_path: Path) -> None:
    echo = Echo()
    options: dict[str, Any] = {'prompt': '{text}', 'checkpoint': tmp_path / 'c', 'concurrency': 4}
    async with aclosing(map_requests(echo.model, ROWS, **options)) as results:
        for _ in range(10):
            await anext(results)
    done = (tmp_path / 'c').read_bytes().count(b'\n')
    before = len(echo.prompts)
    assert [result.output for result in await collect(echo, tmp_path / 'c')] == [row['text'] for row in ROWS]
    assert len(echo.prompts) - before == len(ROWS) - done


@pytest.mark.parametrize('cut', [1, 2, 40, 200])
async def test_a_line_that_was_not_written_completely_is_done_again(tmp_path: Path, cut: int) -> None:
    echo = Echo()
    await collect(echo, tmp_path / 'c')
    whole = (tmp_path / 'c').read_bytes()
    (tmp_path / 'c').write_bytes(whole[:-cut])
    results = await collect(echo, tmp_path / 'c')
    assert [result.output for result in results] == [row['text'] for row in ROWS]
    assert len(echo.prompts) == len(ROWS) + 1
    assert len((tmp_path / 'c').read_bytes().splitlines()) == len(ROWS)


async def test_a_checkpoint_without_a_complete_first_line_of_options_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / 'c.job').write_bytes(b'{"form":"re')
    assert len(await collect(Echo(), tmp_path / 'c')) == len(ROWS)
    assert len(await collect(Echo(), tmp_path / 'c')) == len(ROWS)


async def test_other_options_are_refused_with_what_differs(tmp_path: Path) -> None:
    await collect(Echo(), tmp_path / 'c')
    echo = Echo()
    with pytest.raises(UserError, match=r"made with other options: prompt was '\{text\}' and is 'No \{text\}'"):
        await collect(echo, tmp_path / 'c', prompt='No {text}')
    with pytest.raises(UserError, match='settings was'):
        await collect(echo, tmp_path / 'c', model_settings={'temperature': 1.0})
    assert echo.prompts == []
    await collect(echo, tmp_path / 'c', concurrency=3, model_settings={'timeout': 3.0})
    assert echo.prompts == []


async def test_another_row_at_the_same_position_is_refused(tmp_path: Path) -> None:
    await collect(Echo(), tmp_path / 'c')
    with pytest.raises(UserError, match=r'rows\[0\] is not the row'):
        await collect(Echo(), tmp_path / 'c', ROWS[1:])


async def test_a_file_of_another_kind_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / 'c').write_text('mine')
    with pytest.raises(UserError, match='exists, and'):
        await collect(Echo(), tmp_path / 'c')
    assert (tmp_path / 'c').read_text() == 'mine'
    assert not (tmp_path / 'c.job').exists()


async def test_two_processes_do_not_write_one_checkpoint(tmp_path: Path) -> None:
    options: dict[str, Any] = {'prompt': '{text}', 'checkpoint': tmp_path / 'c', 'concurrency': 4}
    async with aclosing(map_requests(Echo().model, ROWS, **options)) as results:
        await anext(results)
        with pytest.raises(UserError, match='is being written by another process'):
            await collect(Echo(), tmp_path / 'c')
    assert len(await collect(Echo(), tmp_path / 'c')) == len(ROWS)


async def test_failed_rows_are_kept_until_they_are_retried(tmp_path: Path) -> None:
    rows = [{'text': text} for text in ('a', 'broken', 'b')]
    await collect(Echo(), tmp_path / 'c', rows)
    echo = Echo()
    restored = (await collect(echo, tmp_path / 'c', rows))[1]
    assert restored.error is not None
    assert (restored.error.type, restored.error.retryable, restored.is_restored) == ('ModelConnectionError', True, True)
    with pytest.raises(Exception, match='ModelConnectionError: the connection broke'):
        restored.get_output()
    assert echo.prompts == []
    await collect(echo, tmp_path / 'c', rows, retry_failed=True)
    assert echo.prompts == ['broken']


class Word(BaseModel):
    text: str


async def test_structured_outputs_are_restored_as_their_type(tmp_path: Path) -> None:
    for _ in range(2):
        [result] = [
            result async for result in map_requests(TestModel(), ['a'], output_type=Word, checkpoint=tmp_path / 'c')
        ]
        assert isinstance(result.output, Word)


async def test_requests_made_at_another_time_are_the_same_rows(tmp_path: Path) -> None:
    for _ in range(2):
        row = ModelRequest.user_text_prompt(['Describe it', ImageUrl('https://example.com/a.png')])
        [result] = await collect(Echo(), tmp_path / 'c', [row])
    assert result.is_restored


async def test_no_key_is_in_the_files(tmp_path: Path) -> None:
    settings: Any = {'extra_headers': {'x-api-key': 'sk-secret'}}
    await collect(Echo(), tmp_path / 'c', model_settings=settings)
    assert b'sk-secret' not in (tmp_path / 'c').read_bytes() + (tmp_path / 'c.job').read_bytes()


FULL_DISK = """
import asyncio, resource, signal, sys
from pydantic_llm.many import map_requests

async def main():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    rows = [{'text': str(number)} for number in range(100)]
    async for _ in map_requests('test', rows, prompt='{text}', checkpoint=sys.argv[1]):
        pass

asyncio.run(main())
"""


async def test_a_checkpoint_on_a_full_disk_goes_on_when_there_is_room(tmp_path: Path) -> None:
    command = [sys.executable, '-c', FULL_DISK, str(tmp_path / 'c')]
    ended = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert 'File too large' in ended.stderr
    lines = (tmp_path / 'c').read_bytes().splitlines(keepends=True)
    assert all(line.endswith(b'}\n') for line in lines)
    results = [result async for result in map_requests('test', ROWS, prompt='{text}', checkpoint=tmp_path / 'c')]
    assert sum(result.is_restored for result in results) == len(lines)
    assert 0 < len(lines) < len(results) == len(ROWS)


async def test_a_later_row_that_cannot_be_sent_is_stored_as_failed(tmp_path: Path) -> None:
    for is_restored in (False, True):
        results = await collect(Echo(), tmp_path / 'c', ['a', 3, ['x'], {'x': 1}])
        assert [result.error and result.error.type for result in results] == [None, *['UserError'] * 3]
        assert {result.is_restored for result in results} == {is_restored}


async def test_text_and_values_that_json_does_not_have_are_stored(tmp_path: Path) -> None:
    rows = [{'text': 'half \ud83d', 'n': float('nan'), 'data': b'\xff', 'set': {1}}]
    for is_restored in (False, True):
        [result] = await collect(Echo(), tmp_path / 'c', rows)
        assert result.is_restored == is_restored
