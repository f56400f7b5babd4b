"""However an answer is changed, what comes of it is a response or an error of ours."""

from __future__ import annotations

import pytest

from tests.faults.fuzz import fuzz


@pytest.mark.parametrize('number', range(4))
async def test_answers_that_were_changed_at_random_are_read_or_refused(number: int) -> None:
    ends = await fuzz(750, number)
    assert ends.get('ModelResponse', 0) > 50
    assert sum(count for name, count in ends.items() if name != 'ModelResponse') > 50
