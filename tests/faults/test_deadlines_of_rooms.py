"""A small part of `python -m tests.faults.deadlines`, which measures every room and stage."""

from __future__ import annotations

import pytest

from tests.faults.deadlines import STAGES, Stage, is_right, measure
from tests.faults.vendors import VENDORS, Vendor

NAMES = ('drip of blanks', 'bomb', 'queue', 's: first token', 's: drip', 's: comments', 's: blank lines', 's: download')
TOLERANCE = 5.0
"""Seconds that a busy machine may add: a test shows that a request ends, the program how soon."""


@pytest.mark.parametrize('vendor', [v for v in VENDORS if v.name in ('openai', 'anthropic', 'gemini')], ids=repr)
@pytest.mark.parametrize('stage', [stage for stage in STAGES if stage.name in NAMES], ids=lambda stage: stage.name)
async def test_a_request_ends_with_its_deadline(vendor: Vendor, stage: Stage) -> None:
    seconds, end = await measure(vendor, stage)
    assert is_right(stage, seconds, end, TOLERANCE), (end, seconds)
