"""The thread of an engine in this process, with an engine that loads nothing."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pydantic_llm.models.local.worker import WorkerEngine


class BrokenEngine(WorkerEngine):
    """Fails to load, with another error each time, and ends its thread slowly."""

    loads = 0

    def load_model(self) -> Any:
        self.loads += 1
        raise RuntimeError(f'failure {self.loads}')

    def unload_model(self) -> None:
        pass

    def make_runner(self, loaded: Any) -> Any:
        raise AssertionError('nothing was loaded')

    def _shut_down(self, failure: Exception) -> None:
        time.sleep(0.05)
        super()._shut_down(failure)


async def test_a_load_right_after_one_that_failed_is_a_new_one() -> None:
    engine = BrokenEngine('tiny', max_queue=0, when_full='wait')
    for number in (1, 2, 3):
        with pytest.raises(Exception, match=f'failure {number}'):
            await engine.load()
