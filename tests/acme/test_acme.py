"""The suite that the package ships, for the wire format of Acme: the three lines that an author writes."""

from __future__ import annotations

from pydantic_llm_acme.room import ROOM

from pydantic_llm.testing import WireSuite


class TestAcme(WireSuite):
    room = ROOM
