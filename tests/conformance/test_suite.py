"""Every room passes the suite that the package ships for authors of wire formats. Acme runs it itself."""

from __future__ import annotations

import pytest

from pydantic_llm.testing import Room, WireSuite
from pydantic_llm.testing.suite import names_of_tests
from tests.conformance.rooms import ACME, ROOMS


@pytest.mark.parametrize('room', [room for room in ROOMS if room is not ACME], ids=repr)
@pytest.mark.parametrize('name', names_of_tests(WireSuite))
def test_a_room_passes(name: str, room: Room) -> None:
    suite = WireSuite()
    suite.room = room
    getattr(suite, name)()
