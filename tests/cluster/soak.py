"""Many rows through `pydantic-llm map --engine ray`, with a server that fails, and a worker that is killed.

`python -m tests.cluster.soak 10000`: see `tests.many.soak`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.many import soak


def kill_a_worker(command: list[str], folder: Path, rows: int) -> list[int]:
    """Run the job to its end, and kill one of its workers after a third of the rows."""
    process = subprocess.Popen(command, cwd=folder, env=soak.environment(), stderr=subprocess.DEVNULL)
    lines = soak.wait_for_lines(process, folder, rows // 3)
    os.kill(find_workers(process.pid)[0], signal.SIGKILL)
    process.wait()
    return [lines]


def find_workers(pid: int) -> list[int]:
    """Return the processes of Ray's actors that descend from a process."""
    parents: dict[int, int] = {}
    names: dict[int, bytes] = {}
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            parents[int(folder.name)] = int((folder / 'stat').read_text().rpartition(')')[2].split()[1])
            names[int(folder.name)] = (folder / 'cmdline').read_bytes()
        except OSError:
            continue

    def descends(child: int) -> bool:
        return child == pid or (child in parents and descends(parents[child]))

    return [child for child, name in names.items() if name.startswith(b'ray::_Worker') and descends(child)]


def run(rows: int, *, seed: int = 1) -> soak.Report:
    """Run the job. Raises `AssertionError` if a row is not in the output exactly once."""
    options = ('--engine', 'ray', '--workers', '2')
    return soak.run(rows, seed=seed, options=options, disturb=kill_a_worker, most_twice=soak.CONCURRENCY)


if __name__ == '__main__':
    sys.stdout.write(f'{run(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)}\n')
