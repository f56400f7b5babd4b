"""Many rows through `pydantic-llm map`, whose server fails for one request in ten, and which is killed twice.

`python -m tests.many.soak 10000`. In the end every row is in the output exactly once, in order, with the response to
its own prompt, and only the rows under way at a kill got a second response without a fault.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic_llm.messages import ModelMessage, ModelResponse, TextPart
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.serve import Fault, LocalServer, create_app

FAULTY = 0.1
"""The share of requests that the server answers with a fault."""

CONCURRENCY = 32

FAULTS = (
    Fault(status=500),
    Fault(status=429, headers={'retry-after': '0'}),
    Fault(cut_after=0),
    Fault(garbage_after=0),
    Fault(body=b'<html>', content_type='text/html'),
)


@dataclass
class Report:
    """What happened in the runs of a job."""

    rows: int
    killed_at: list[int] = field(default_factory=list[int])
    """The numbers of lines in the output at each kill."""
    runs: int = 0
    failed: list[int] = field(default_factory=list[int])
    """The numbers of failed rows after each run that ended."""
    faults: int = 0
    sent_twice: int = 0
    """The rows that got more than one response without a fault: at most those under way at both kills."""
    seconds: float = 0.0


class Upstream:
    """A model that repeats its prompt, behind a server with faults."""

    def __init__(self, seed: int) -> None:
        self.responses: Counter[str] = Counter()
        self.faults = 0
        self._choose = random.Random(seed)

    def make_app(self) -> Any:
        return create_app(FunctionModel(self._respond, model_name='m'), faults=self._plan)

    def _respond(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        prompt = str(messages[-1].parts[-1].content)  # type: ignore[union-attr]
        return ModelResponse([TextPart(prompt.upper())])

    def _plan(self, fields: Any) -> Fault | None:
        if self._choose.random() >= FAULTY:
            self.responses[fields['messages'][-1]['content']] += 1
            return None
        self.faults += 1
        return self._choose.choice(FAULTS)


Disturb = Callable[[list[str], Path, int], list[int]]
"""Run the command in the folder, and kill it or a part of it. Return the numbers of lines at each kill."""


def kill_twice(command: list[str], folder: Path, rows: int) -> list[int]:
    """Kill the job after a third of its rows, and again after two thirds."""
    return [_run_and_kill(command, folder, rows * third // 3) for third in (1, 2)]


def run(
    rows: int, *, seed: int = 1, options: tuple[str, ...] = (), disturb: Disturb = kill_twice, most_twice: int = 64
) -> Report:
    """Run a job that is disturbed, and retry failed rows until there are none.

    Raises `AssertionError` if a row is not in the output once, with its own response, or if more than `most_twice` rows
    got two responses without a fault.
    """
    report = Report(rows)
    upstream = Upstream(seed)
    started = time.monotonic()
    with TemporaryDirectory() as name, LocalServer(upstream.make_app()) as url:
        folder = Path(name)
        lines = (json.dumps({'id': f'r{number}', 'text': f'row {number}'}) + '\n' for number in range(rows))
        (folder / 'rows.jsonl').write_text(''.join(lines))
        command = [sys.executable, '-m', 'pydantic_llm', 'map', '-m', 'openai:m', '--base-url', f'{url}/v1']
        command += ['--input', 'rows.jsonl', '--output', 'out.jsonl', '--prompt', 'Repeat {text}', *options]
        command += ['--concurrency', str(CONCURRENCY)]
        report.killed_at = disturb(command, folder, rows)
        while report.runs < 30:
            report.runs += 1
            retry = ['--retry-failed'] if report.runs > 1 else []
            done = subprocess.run([*command, *retry], cwd=folder, env=environment(), check=False, capture_output=True)
            records = [json.loads(line) for line in (folder / 'out.jsonl').read_text().splitlines()]
            report.failed.append(sum(record['error'] is not None for record in records))
            assert [record['row'] for record in records] == list(range(rows)), done.stderr.decode()
            if done.returncode == 0:
                break
        assert report.failed[-1] == 0, report
        assert [(record['id'], record['output']) for record in records] == [
            (f'r{number}', f'REPEAT ROW {number}') for number in range(rows)
        ]
        faults = upstream.faults
    report.seconds = time.monotonic() - started
    report.faults = faults
    report.sent_twice = sum(count > 1 for count in upstream.responses.values())
    assert report.sent_twice <= most_twice, report
    return report


def _run_and_kill(command: list[str], folder: Path, lines: int) -> int:
    """Run the job until its output has this many lines, and kill it. Return the number of lines then."""
    process = subprocess.Popen(command, cwd=folder, env=environment(), stderr=subprocess.DEVNULL)
    try:
        return wait_for_lines(process, folder, lines)
    finally:
        process.kill()
        process.wait()


def wait_for_lines(process: subprocess.Popen[bytes], folder: Path, lines: int) -> int:
    """Wait until the output of a job has this many lines, and return their number."""
    output = folder / 'out.jsonl'
    deadline = time.monotonic() + 600
    while (found := output.read_bytes().count(b'\n') if output.exists() else 0) < lines:
        assert process.poll() is None, 'the job ended by itself'
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def environment() -> dict[str, str]:
    """Return the environment of a job."""
    root = str(Path(__file__).parents[2])
    return {**os.environ, 'OPENAI_API_KEY': 'k', 'PYTHONPATH': root, 'RAY_USAGE_STATS_ENABLED': '0'}


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    sys.stdout.write(f'{run(rows, options=tuple(sys.argv[2:]))}\n')


if __name__ == '__main__':
    main()
