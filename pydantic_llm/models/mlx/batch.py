"""mlx-lm's own continuous batching: prompts join it while others decode, and answers leave it when they are done.

All ends are ours: the library is told of no stop tokens and of a length that is not reached, so that an answer that is
over is taken out in one way.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..local import Job
from .choose import Choosers
from .library import import_mlx, import_mlx_lm
from .rows import Row

__all__ = ('BatchRunner',)

READ_AT_ONCE = 8
"""So many prompts are read together."""

PADDED = ('KVCache', 'RotatingKVCache')
"""The caches in which prompts of different lengths can be read together; in a state that is passed on from token to
token the padding would count."""


class BatchRunner:
    """Drives the library's batch a step at a time."""

    def __init__(self, model: Any, *, slots: int, prefill_tokens: int) -> None:
        self.slots = slots
        """How many answers it can write at once."""
        mx = import_mlx()
        self._generator = import_mlx_lm('generate').BatchGenerator(
            model,
            completion_batch_size=slots,
            prefill_batch_size=min(READ_AT_ONCE if _can_pad(model) else 1, slots),
            prefill_step_size=prefill_tokens,
            stream=mx.default_stream(mx.default_device()),  # the library's own is one more thread for each of ours
        )
        self._choosers = Choosers()
        self._rows: dict[int, Row] = {}
        self._numbers: dict[Job, int] = {}

    def add(self, job: Job) -> None:
        """Give a job a slot."""
        row = Row(job)
        [number] = self._generator.insert(
            [list(job.prompt.tokens)],
            max_tokens=[job.max_tokens + 1],
            samplers=[self._choosers.of(job.sampling)],
            logits_processors=[[] if row.is_plain else [row.adjust]],
        )
        self._rows[number] = row
        self._numbers[job] = number

    def remove(self, job: Job) -> None:
        """Free the slot of a job that is not done."""
        self._drop([job])

    def step(self) -> Collection[Job]:
        """Write a token of every answer that has begun, and read some prompts."""
        _, written = self._generator.next()
        touched: list[Job] = []
        for response in written:
            row = self._rows[response.uid]
            touched.append(row.job)
            if not row.job.done:
                row.take(response.token)
        self._drop([job for job in touched if job.done])
        return touched

    def _drop(self, jobs: Collection[Job]) -> None:
        numbers = [number for job in jobs if (number := self._numbers.pop(job, None)) is not None]
        for number in numbers:
            del self._rows[number]
        if numbers:
            self._generator.remove(numbers)


def _can_pad(model: Any) -> bool:
    caches = import_mlx_lm('models.cache').make_prompt_cache(model)
    return all(type(one).__name__ in PADDED for cache in caches for one in getattr(cache, 'caches', (cache,)))
