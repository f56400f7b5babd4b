"""`TurnsRunner`: a runner for responses that cannot share a batch. Each group has a runner of its own; they take turns.

A group has the responses with the same key. By default each response is one: no responses share a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable

from .engine import Job, Runner

__all__ = ('TurnsRunner',)


class TurnsRunner:
    """Runs one step of each group's runner per step."""

    def __init__(
        self, make_runner: Callable[[], Runner], slots: int, key_of: Callable[[Job], Hashable] = lambda job: job
    ) -> None:
        self.slots = slots
        self._make_runner = make_runner
        self._key_of = key_of
        self._runners: dict[Hashable, Runner] = {}
        self._jobs: dict[Job, Hashable] = {}
        """The key of each job."""

    def add(self, job: Job) -> None:
        key = self._key_of(job)
        runner = self._runners.get(key) or self._make_runner()
        runner.add(job)
        self._runners[key] = runner
        self._jobs[job] = key

    def remove(self, job: Job) -> None:
        if job in self._jobs:
            self._runners[self._jobs[job]].remove(job)
            self._forget([job])

    def step(self) -> Collection[Job]:
        changed = [job for runner in [*self._runners.values()] for job in runner.step()]
        self._forget([job for job in self._jobs if job.done])
        return changed

    def _forget(self, jobs: Collection[Job]) -> None:
        """Drop these jobs, and the runners without a job."""
        for job in jobs:
            del self._jobs[job]
        used = {*self._jobs.values()}
        self._runners = {key: runner for key, runner in self._runners.items() if key in used}
