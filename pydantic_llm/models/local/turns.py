"""`TurnsRunner`: a runner for models that cannot be batched. Each job has a runner of its own, and they take turns."""

from __future__ import annotations

from collections.abc import Callable, Collection

from .engine import Job, Runner

__all__ = ('TurnsRunner',)


class TurnsRunner:
    """Runs one step of each job's runner per step."""

    def __init__(self, make_runner: Callable[[], Runner], slots: int) -> None:
        self.slots = slots
        self._make_runner = make_runner
        self._runners: dict[Job, Runner] = {}

    def add(self, job: Job) -> None:
        runner = self._make_runner()
        runner.add(job)
        self._runners[job] = runner

    def remove(self, job: Job) -> None:
        if (runner := self._runners.pop(job, None)) is not None:
            runner.remove(job)

    def step(self) -> Collection[Job]:
        changed = [job for runner in [*self._runners.values()] for job in runner.step()]
        for job in [job for job in self._runners if job.done]:
            del self._runners[job]
        return changed
