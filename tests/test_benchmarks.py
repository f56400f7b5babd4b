"""The benchmarks' jobs can be done, and a goal that is missed is reported."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest

from benchmarks.picture import draw_picture
from benchmarks.table import ROWS, Result, Row, Worker, format_row, serve

SMALL = {'messages': 10, 'times': 1, 'crowd': 2}
"""What makes each job a short one."""

JOBS = {(row.job['job'], row.job.get('api')): row for row in ROWS if row.job['job'] not in ('peak', 'first')}


@pytest.fixture(scope='module')
def workers() -> Iterator[list[Worker]]:
    with serve() as url:
        started = [Worker(column, url) for column in ('httpx2', 'default')]
        yield started
        for worker in started:
            worker.stop()


def test_each_job_can_be_done_with_httpx2_and_with_this_library(workers: list[Worker]) -> None:
    for row in JOBS.values():
        job = {**row.job, **{name: value for name, value in SMALL.items() if name in row.job}}
        for worker in workers:
            cost = worker.do(job)
            assert cost is not None, (job, worker.module)
            assert cost > 0, (job, worker.module)


def make_result(default: float, aiohttp: float) -> Result:
    row = Row('A job', {'job': 'request'}, (1.1, 0.6))
    return Result(row, {'httpx2': [1.0, 2.0], 'default': [default, 2 * default], 'aiohttp': [aiohttp, 2 * aiohttp]})


def test_a_goal_may_be_missed_by_15_percent() -> None:
    assert list(make_result(1.26, 0.68).misses()) == []
    assert list(make_result(1.27, 0.68).misses()) == ['A job, default: 1.27 of httpx2, and the goal is 1.1']
    assert list(make_result(1.0, 0.7).misses()) == ['A job, aiohttp: 0.70 of httpx2, and the goal is 0.6']


def test_a_row_shows_the_ratios_of_the_rounds() -> None:
    columns = ['httpx2', 'default', 'aiohttp', 'SDK']
    assert format_row(make_result(1.5, 0.5), columns) == ['A job', '1,500,000 µs', '1.50', '0.50', '', '1.1 / 0.6']


def test_the_picture_has_a_bar_for_each_ratio() -> None:
    picture = ET.fromstring(draw_picture({'default': [1.0, 2.0], 'SDK': [None, 500.0]}, ['A job', 'B <job>']))
    bars = [node for node in picture if node.tag.endswith('rect') and node.get('height') != '10']
    assert len(bars) == 3
    assert 'B <job>' in [node.text for node in picture]
