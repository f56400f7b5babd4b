"""A small run of `tests.faults.gateway_soak`."""

from __future__ import annotations

from tests.faults.gateway_soak import check, run


async def test_every_client_of_a_gateway_that_is_killed_gets_an_outcome_and_its_budget_is_right() -> None:
    report = await run(200, seed=7)
    check(report, 200)
    assert report.outcomes['response'] > 100
