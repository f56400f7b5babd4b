"""The program in which a page of the documentation runs: `python docs_run.py PAGE WRITTEN`.

It reaches no other machine, and leaves in the file WRITTEN, as JSON, what each `print` of the page wrote, by its line.
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
"""What the addresses of this machine begin with."""

written: dict[int, str] = {}
"""What was printed, by the line of the `print`."""


def recording_print(*values: Any, **options: Any) -> None:
    """Print, and keep what was printed."""
    real_print(*values, **options)
    kept = StringIO()
    real_print(*values, **{**options, 'file': kept})
    line = sys._getframe(1).f_lineno
    written[line] = written.get(line, '') + kept.getvalue()


def refuse_other_machines(event: str, arguments: tuple[Any, ...]) -> None:
    """End the program that looks up or connects to anything but this machine."""
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
    """Run a page."""
    sys.addaudithook(refuse_other_machines)
    try:
        runpy.run_path(page, {'print': recording_print}, '__main__')
    finally:
        Path(results).write_text(json.dumps(written), encoding='utf-8')


if __name__ == '__main__':
    main(*sys.argv[1:])
