"""The table of `docs/benchmarks.md`: what each job costs, in each way, as a ratio to bare httpx2.

`python -m benchmarks.table` measures this library and what is installed next to it, and fails if a goal is missed by
more than `TOLERANCE`; `--full` adds the peers of `make bench-peers`, `--write` the page and its picture. Each way has a
process of its own (`benchmarks.worker`); all of them do each job in turns, under the same load of the machine.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.api_server import CHUNKS, PACED_CHUNKS
from benchmarks.picture import draw_picture

ROOT = Path(__file__).parents[1]
PEERS = ROOT / '.venv-peers'
"""The environments of other libraries, one each: `make bench-peers`."""

TOLERANCE = 1.15
"""The factor by which a goal may be missed."""

ROUNDS = 5

APIS = ('chat', 'responses', 'anthropic', 'gemini')
TITLES = {'chat': 'Chat Completions', 'responses': 'Responses', 'anthropic': 'Anthropic', 'gemini': 'Gemini'}

WAYS: dict[str, tuple[str, str, dict[str, str]]] = {
    'httpx2': ('bare', '', {}),
    'default': ('ours', '', {'PYDANTIC_LLM_HTTP': 'httpx2'}),
    'aiohttp': ('ours', '', {'PYDANTIC_LLM_HTTP': 'aiohttp'}),
    'SDK': ('sdk', 'pydantic-ai', {}),
    'pydantic-ai': ('pydantic_ai', 'pydantic-ai', {}),
    'LiteLLM': ('litellm', 'litellm', {'LITELLM_LOCAL_MODEL_COST_MAP': 'True'}),
}
"""Column -> the module of the way, its environment, and variables. The vendors' SDKs are in pydantic-ai's too."""

SCRIPTS = ('FIRST_TOKEN', 'IMPORT')
"""Jobs that are a process of their own, whose code is a constant of the way's module."""

BASE, OURS = 'httpx2', ('default', 'aiohttp')

FULL = ('SDK', 'pydantic-ai', 'LiteLLM')
"""The ways of others. Without `--full`, only the first of them is measured, and only where a goal refers to it."""


@dataclass(frozen=True)
class Row:
    """A job, and the most that it may cost: with httpx2, and with aiohttp."""

    title: str
    job: dict[str, Any]
    goals: tuple[float | None, float | None] = (None, None)
    base: str = BASE
    """The column that the goals and ratios refer to."""
    unit: str = 'µs'
    rounds: int = ROUNDS


def _each(title: str, job: dict[str, Any], goals: tuple[float, float], apis: Sequence[str] = APIS) -> list[Row]:
    return [Row(f'{title}, {TITLES[api]}', {'api': api, 'kind': 'plain', **job}, goals) for api in apis]


LONG = {'messages': 1000, 'tools': 50, 'times': 2}
CHAT = {'api': 'chat', 'kind': 'plain'}

ROWS: list[Row] = [
    *_each('A plain request', {'job': 'request', 'times': 40}, (1.1, 0.6)),
    *_each('10 tool calls', {'job': 'request', 'kind': 'calls', 'tools': 10, 'times': 30}, (1.2, 0.7)),
    *_each('1,000 messages, 50 tools', {'job': 'request', **LONG}, (1.2, 1.0), APIS[:3]),
    *_each('One more turn of it', {'job': 'turn', **LONG}, (0.7, 0.5), APIS[:3]),
    *_each('A streamed chunk', {'job': 'stream', 'times': 2, 'chunks': CHUNKS}, (1.05, 0.35)),
    *(
        Row(
            f'{crowd} requests at once',
            {**CHAT, 'job': 'crowd', 'kind': 'slow', 'crowd': crowd},
            goals,
            'SDK',
            rounds=3,
        )
        for crowd, goals in ((128, (0.5, 0.22)), (512, (0.5, 0.22)))
    ),
    Row(
        f'A chunk of 256 streams of {PACED_CHUNKS} at once',
        {**CHAT, 'job': 'crowd', 'kind': 'paced', 'crowd': 256, 'chunks': PACED_CHUNKS},
        (0.37, 0.14),
        rounds=2,
    ),
    Row(
        'Memory of a stream, 256 at once',
        {**CHAT, 'job': 'peak', 'kind': 'paced', 'crowd': 256, 'chunks': PACED_CHUNKS},
        (1.12, 0.9),
        unit='KB',
        rounds=1,
    ),
    *(
        Row(
            f'The gateway, {"a stream" if stream else "a response"}, {crowd} at once',
            {'job': 'proxy', 'kind': 'plain', 'crowd': crowd, 'times': 192, 'stream': stream},
            (1.5, 1.5),
            rounds=3,
        )
        for stream in (False, True)
        for crowd in (1, 64)
    ),
    Row('Start to first token', {'job': 'FIRST_TOKEN'}, (1.6, 1.6), unit='ms', rounds=3),
    Row('Import of an agent (httpx2: of pydantic)', {'job': 'IMPORT'}, (1.6, 1.6), unit='ms', rounds=5),
    Row('An agent run of 5 tool rounds', {'job': 'agent', 'kind': 'agent', 'times': 5}),
    Row('Memory of 10,000 messages', {'job': 'memory', 'messages': 10_000}, unit='KB', rounds=1),
    Row('Dump 1,000 messages', {'job': 'dump', 'messages': 1000, 'times': 4}),
    Row('Load 1,000 messages', {'job': 'load', 'messages': 1000, 'times': 4}),
    Row('Encode 1,000 messages, 50 tools', {**CHAT, 'job': 'encode', **LONG}),
]

SCALES = {'µs': 1e6, 'ms': 1e3, 'KB': 1 / 1024}


@dataclass
class Result:
    """What a row cost in each round, by column."""

    row: Row
    costs: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def ratio(self, column: str) -> float | None:
        """Return the median of the rounds' ratios to the row's base."""
        base, costs = self.costs.get(self.row.base), self.costs.get(column)
        if not base or not costs:
            return None
        return median(cost / base_cost for cost, base_cost in zip(costs, base, strict=True))

    def misses(self) -> Iterator[str]:
        """Yield a sentence for each goal that is missed."""
        for column, goal in zip(OURS, self.row.goals, strict=True):
            ratio = self.ratio(column)
            if goal is not None and ratio is not None and ratio > goal * TOLERANCE:
                yield f'{self.row.title}, {column}: {ratio:.2f} of {self.row.base}, and the goal is {goal}'


# ---------------------------------------------------------------------- measuring


class Worker:
    """A process that does jobs in one way."""

    def __init__(self, column: str, url: str) -> None:
        self.module, environment, variables = WAYS[column]
        python = PEERS / environment / 'bin' / 'python'
        self._python = str(python) if python.exists() else sys.executable
        self._environment = {**os.environ, 'PYTHONPATH': str(ROOT), **variables}
        self._url = url
        self._process = self._start_process()

    def _start_process(self) -> subprocess.Popen[str]:
        command = [self._python, '-m', 'benchmarks.worker', self.module, self._url]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self._environment, cwd=ROOT
        )

    def do(self, job: Mapping[str, Any]) -> float | None:
        """Return what the job costs, in seconds or bytes; `None` if this way cannot do it."""
        if job['job'] in SCRIPTS:
            return self._start(job['job'])
        if job['job'] == 'peak':  # the growth of a process, which must not have grown before
            self.stop()
            self._process = self._start_process()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + '\n')
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        return None if not line else json.loads(line)

    def _start(self, name: str) -> float | None:
        """Return the seconds from the start of a process that runs a script of the way until it has ended."""
        source = (ROOT / 'benchmarks' / 'ways' / f'{self.module}.py').read_text()
        script = source.partition(f'{name} = """')[2].partition('"""')[0]
        if not script:
            return None
        started = perf_counter()
        done = subprocess.run(
            [self._python, '-c', f'URL = {self._url!r}\n{script}'], env=self._environment, cwd=ROOT, check=False
        )
        return perf_counter() - started if done.returncode == 0 else None

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate()


@contextmanager
def serve() -> Iterator[str]:
    """Run the server, and yield its URL."""
    command = [sys.executable, '-m', 'benchmarks.api_server']
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            yield f'http://127.0.0.1:{process.stdout.readline().strip()}'
        finally:
            process.terminate()


def measure(rows: Sequence[Row], *, full: bool) -> Iterator[Result]:
    """Measure the rows in turns, and yield the result of each."""
    with ExitStack() as running:
        url = running.enter_context(serve())
        columns = [column for column in WAYS if column in (BASE, *OURS) or column == FULL[0] or full]
        columns = [column for column in columns if column not in FULL[1:] or (PEERS / WAYS[column][1]).exists()]
        workers = {column: Worker(column, url) for column in columns}
        for worker in workers.values():
            running.callback(worker.stop)
        for row in rows:
            used = {c: worker for c, worker in workers.items() if full or c not in FULL or c == row.base}
            yield _measure_row(row, used)


def _measure_row(row: Row, workers: Mapping[str, Worker]) -> Result:
    result = Result(row, {column: [] for column in workers})
    warm_ups = 0 if row.rounds == 1 else 1
    for round_ in range(row.rounds + warm_ups):
        for column, worker in workers.items():
            cost = worker.do(row.job) if column in result.costs else None
            if cost is None:
                result.costs.pop(column, None)
            elif round_ >= warm_ups:
                result.costs[column].append(cost)
    return result


# ---------------------------------------------------------------------- reporting


def format_row(result: Result, columns: Sequence[str]) -> list[str]:
    """Return the cells of a row: the title, the cost with the base, the ratios, the goals."""
    row = result.row
    base = result.costs.get(row.base)
    cost = f'{median(base) * SCALES[row.unit]:,.0f} {row.unit}' if base else ''
    ratios = [result.ratio(column) for column in columns if column != BASE]
    goals = ' / '.join(f'{goal:g}' for goal in row.goals if goal is not None)
    title = row.title if row.base == BASE else f'{row.title} (ratio to the {row.base})'
    return [title, cost, *('' if ratio is None else f'{ratio:.2f}' for ratio in ratios), goals]


def list_versions(full: bool) -> str:
    """Return the versions of what was measured."""
    here = {name: version(name) for name in ('httpx2', 'aiohttp', 'openai', 'anthropic')}
    code = 'import importlib.metadata as m, sys; print(m.version(sys.argv[1]))'
    for name, package in (('pydantic-ai', 'pydantic-ai-slim'), ('litellm', 'litellm')):
        python = PEERS / name / 'bin' / 'python'
        if full and python.exists():
            here[name] = subprocess.run(
                [python, '-c', code, package], capture_output=True, text=True, check=False
            ).stdout.strip()
    names = ', '.join(f'{name} {number}' for name, number in here.items() if number)
    return f'Python {platform.python_version()}, {os.cpu_count()} cores, {names}'


def main() -> int:
    """Print the table while it is measured. Return 1 if a goal is missed."""
    full, write = '--full' in sys.argv, '--write' in sys.argv
    wanted = [argument for argument in sys.argv[1:] if not argument.startswith('--')]
    rows = [row for row in ROWS if not wanted or any(word in row.title for word in wanted)]
    columns = [column for column in WAYS if column not in FULL or full or column == FULL[0]]
    others = [column for column in columns if column != BASE]
    header = ['Job', BASE, *others, 'goals']
    print(f'| {" | ".join(header)} |\n|{" --- |" * len(header)}')
    results: list[Result] = []
    for result in measure(rows, full=full):
        results.append(result)
        print(f'| {" | ".join(format_row(result, columns))} |', flush=True)
    print(f'\n{list_versions(full)}')
    if write:
        lines = [' | '.join(format_row(result, columns)) for result in results]
        _write_page([header, ['---'] * len(header), *[line.split(' | ') for line in lines]], list_versions(full))
        bars = {column: _collect_ratios(results, column) for column in others}
        (ROOT / 'docs' / 'benchmarks.svg').write_text(draw_picture(bars, [result.row.title for result in results]))
    missed = [sentence for result in results for sentence in result.misses()]
    print(*missed, sep='\n')
    return int(bool(missed))


def _collect_ratios(results: Sequence[Result], column: str) -> list[float | None]:
    return [result.ratio(column) for result in results]


def _write_page(cells: Sequence[Sequence[str]], versions: str) -> None:
    """Replace the table and the versions of the page, which stand between two comments."""
    page = ROOT / 'docs' / 'benchmarks.md'
    table = '\n'.join(f'| {" | ".join(line)} |' for line in cells)
    head, _, rest = page.read_text().partition('<!-- table -->\n')
    _, _, tail = rest.partition('<!-- end -->\n')
    page.write_text(f'{head}<!-- table -->\n{table}\n\n{versions}\n<!-- end -->\n{tail}')


if __name__ == '__main__':
    sys.exit(main())
