"""What a `WorkerEngine` drives: many answers, a step at a time."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from .engine import Job

__all__ = ('Runner',)


class Runner(Protocol):
    """Writes many answers at once. All of it is called in the engine's thread alone."""

    slots: int
    """How many answers it can write at once."""

    def add(self, job: Job) -> None:
        """Give a job a slot. What this raises fails this job and no other."""
        ...

    def remove(self, job: Job) -> None:
        """Free the slot of a job that is not done."""
        ...

    def step(self) -> Collection[Job]:
        """Write the next token of each answer, or read more of its prompt. Gives the jobs that got something.

        Jobs that are done have left their slots. What this raises fails every job, and the runner is thrown away.
        """
        ...
