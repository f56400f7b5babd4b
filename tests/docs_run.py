"""Runs a page of the documentation: `python docs_run.py PAGE RESULTS`.

It connects to no other machine, and writes the output of each `print`, by its line, to the file RESULTS, as JSON.
"""

from __future__ import annotations

import json
import runpy
import sys
from builtins import print as real_print
from io import StringIO
from pathlib import Path
from typing import Any

LOOPBACK = ('127.', '::1', 'localhost')
"""The prefixes of the addresses of this machine."""

outputs: dict[int, str] = {}
"""The output by the line of its `print`."""


def recording_print(*values: Any, **options: Any) -> None:
    """Print, and record the output."""
    real_print(*values, **options)
    output = StringIO()
    real_print(*values, **{**options, 'file': output})
    line = sys._getframe(1).f_lineno
    outputs[line] = outputs.get(line, '') + output.getvalue()


def refuse_other_machines(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise if the program looks up or connects to another machine."""
    match event, arguments:
        case 'socket.getaddrinfo', (bytes() | str() as host, *_):
            name = host.decode() if isinstance(host, bytes) else host
        case 'socket.connect', (_, (str() as name, *_)):
            pass
        case _:
            return
    if name and not name.startswith(LOOPBACK):
        raise SystemExit(f'A snippet may not reach {name!r} ({event})')


def main(page: str, results: str) -> None:
    """Run a page and write its outputs."""
    sys.addaudithook(refuse_other_machines)
    try:
        runpy.run_path(page, {'print': recording_print}, '__main__')
    finally:
        Path(results).write_text(json.dumps(outputs), encoding='utf-8')


if __name__ == '__main__':
    main(*sys.argv[1:])
