"""`IsolatingRunner`: a runner in which a failed step harms only the requests at fault, around the runner of an engine.

The state of a runner after a failed step is unknown. So it is discarded, which frees its memory, and a new one resumes
each response from the tokens that it has. If memory ran out, the engine drops what it keeps for later
requests; if there is nothing, half as many responses run at once until all are done. After any other error, halves of
the responses run by themselves, until the ones that fail alone are found. If all of them do, a short prompt shows
whether the engine is at fault.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection, Sequence
from typing import Protocol

from .engine import Job, Loaded, Runner
from .failures import attempt, is_out_of_memory, make_request_error
from .probes import make_probe

__all__ = ('IsolatingRunner',)

logger: logging.Logger = logging.getLogger('pydantic_llm.local')


class ResumingEngine(Protocol):
    """The engine around a runner (see `worker.WorkerEngine`)."""

    model_name: str

    def make_runner(self, loaded: Loaded) -> Runner: ...

    def free_memory(self) -> None: ...

    def drop_cache(self) -> bool: ...


class IsolatingRunner:
    """Runs the steps of an inner runner, which must be able to resume a job that has tokens already."""

    def __init__(self, engine: ResumingEngine, loaded: Loaded) -> None:
        self._engine = engine
        self._loaded = loaded
        self._inner: Runner | None = engine.make_runner(loaded)
        self.slots: int = self._inner.slots
        self._limit = self.slots
        """The maximum number of jobs in the inner runner; fewer than `slots` after memory ran out."""
        self._running: dict[Job, None] = {}
        self._parked: deque[Job] = deque()
        """Jobs with a slot that wait until the inner runner has fewer than `_limit`."""
        self._rejected: list[Job] = []
        """Jobs that failed since the last step because a new runner rejected them."""

    def add(self, job: Job) -> None:
        if len(self._running) >= self._limit:
            self._parked.append(job)
            return
        self._current.add(job)
        self._running[job] = None

    def remove(self, job: Job) -> None:
        if job in self._parked:
            self._parked.remove(job)
        elif self._running.pop(job, self) is not self:
            _, error = attempt(lambda: self._current.remove(job))
            if error is not None:
                self._restart([*self._running])

    def step(self) -> Collection[Job]:
        while self._parked and len(self._running) < self._limit:
            self._resume(self._parked.popleft())
        stepped, error = attempt(self._current.step)
        changed = [*(stepped or ()), *(self._recover(error) if error is not None else ()), *self._rejected]
        self._rejected = []
        for job in [job for job in self._running if job.done]:
            del self._running[job]
        if not self._running and not self._parked:
            self._limit = self.slots
        return changed

    @property
    def _current(self) -> Runner:
        assert self._inner is not None, 'it is unset only while a new one is made'
        return self._inner

    # after a failure

    def _recover(self, error: Exception) -> list[Job]:
        """Fail the jobs at fault, and make a runner for the others. Raises the error if the engine is at fault."""
        changed = [*self._running]
        jobs = [job for job in changed if not job.done]
        if is_out_of_memory(error) and self._engine.drop_cache():
            self._restart(jobs)
            return changed
        faults = self._find_faults(jobs, error)
        if len(faults) == len(jobs) and not is_out_of_memory(error) and not self._runs_probe():
            raise error
        for job, fault in faults.items():
            job.fail(make_request_error(self._engine.model_name, fault))
        if not faults and len(jobs) > 1:
            self._limit = max(1, len(jobs) // 2)
            logger.warning(
                '%s runs %d responses at once, after an error with %d', self._engine.model_name, self._limit, len(jobs)
            )
        self._restart([job for job in jobs if not job.done])
        return changed

    def _find_faults(self, jobs: Sequence[Job], error: Exception) -> dict[Job, Exception]:
        """Return the jobs that fail alone, with their errors. `error` is that of all these jobs together."""
        if is_out_of_memory(error):
            return {jobs[0]: error} if len(jobs) == 1 else {}
        faults: dict[Job, Exception] = {}
        middle = max(1, len(jobs) // 2)
        for part in filter(None, (jobs[:middle], jobs[middle:])):
            if (failure := self._run_alone(part)) is not None:
                faults |= {part[0]: failure} if len(part) == 1 else self._find_faults(part, failure)
        return faults

    def _runs_probe(self) -> bool:
        """Return whether a short prompt runs, so that the jobs that fail are at fault, and not the engine."""
        probe = make_probe(self._loaded.vocabulary_size or 1)
        return self._run_alone([probe]) is None and probe.error is None

    def _run_alone(self, jobs: Sequence[Job]) -> Exception | None:
        """Run these jobs in a new runner until each has one more token, or has ended. Return the error, if any."""
        self._restart(jobs)
        before = {job: job.output_tokens for job in jobs}
        while any(not job.done and job.output_tokens == count for job, count in before.items()):
            _, error = attempt(self._current.step)
            if error is not None:
                return error
        return None

    def _restart(self, jobs: Sequence[Job]) -> None:
        """Replace the inner runner by a new one with these jobs; those above the limit are parked."""
        self._inner, self._running = None, {}
        self._engine.free_memory()
        self._inner = self._engine.make_runner(self._loaded)
        for job in jobs[: self._limit]:
            self._resume(job)
        self._parked.extendleft(reversed(jobs[self._limit :]))

    def _resume(self, job: Job) -> None:
        """Add a job to the inner runner; if that rejects it, fail the job."""
        _, error = attempt(lambda: self._current.add(job))
        if error is None:
            self._running[job] = None
        else:
            job.fail(make_request_error(self._engine.model_name, error))
            self._rejected.append(job)
