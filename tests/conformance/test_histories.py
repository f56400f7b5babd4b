"""A history that once was answered can be sent again: no vendor refuses what models and runs have left in it."""

from __future__ import annotations

import pytest

from pydantic_llm.testing.room import Room
from tests.conformance.histories import check
from tests.conformance.rooms import ROOMS

SEED = 1
PER_ROOM = 25
"""Histories per room: 300 in all. `make test-histories` runs 10,000."""


@pytest.mark.parametrize('room', ROOMS, ids=repr)
def test_random_histories_are_accepted(room: Room) -> None:
    reports = check(room, SEED, range(PER_ROOM))
    assert not reports, '\n\n'.join(reports)
