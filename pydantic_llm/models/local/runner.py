"""`Runner`: the part of a `WorkerEngine` that calls the library, one step at a time."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from .engine import Job

__all__ = ('Runner',)


class Runner(Protocol):
    """Generates many responses at once. All methods are called in the engine's thread."""

    slots: int
    """The maximum number of jobs at the same time."""

    def add(self, job: Job) -> None:
        """Give a job a slot. An exception fails this job only."""
        ...

    def remove(self, job: Job) -> None:
        """Free the slot of a job that is not done."""
        ...

    def step(self) -> Collection[Job]:
        """Generate the next token of each job, or read more of its prompt; return the jobs that changed.

        Free the slots of jobs that are done. An exception fails every job, and the runner is discarded.
        """
        ...
