"""Nested wrappers under random faults lose nothing, count exactly, end in time and leave nothing behind.

`make test-machine` runs thousands of examples; here is a short run, with the same seed each time.
"""

from __future__ import annotations

from pathlib import Path

from tests.faults.machine.run import find_server, run


def test_nested_wrappers_are_exact_under_random_faults(tmp_path: Path) -> None:
    with find_server(tmp_path) as server:
        totals = run(100, 1, server)
    assert totals['examples'] >= 100
    assert totals['calls'] > 300
    assert totals['requests'] > 300
