"""Any mutation of a response leads to a response or to one of our errors."""

from __future__ import annotations

import pytest

from tests.faults.fuzz import fuzz


@pytest.mark.parametrize('number', range(4))
async def test_randomly_mutated_responses_are_decoded_or_raise(number: int) -> None:
    ends = await fuzz(750, number)
    assert ends.get('ModelResponse', 0) > 50
    assert sum(count for name, count in ends.items() if name != 'ModelResponse') > 50
