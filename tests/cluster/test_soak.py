"""A small run of `tests.cluster.soak`."""

from __future__ import annotations

import pytest

pytest.importorskip('ray')


def test_every_row_is_in_the_output_once_if_a_worker_of_the_cluster_is_killed() -> None:
    from tests.cluster.soak import run

    report = run(300, seed=2)
    assert report.faults > 10
    assert 100 <= report.killed_at[0] < 300
