"""The engine: vLLM's own, in an event loop that lives in a thread of its own, for callers in all loops and threads.

vLLM's engine is bound to the loop that it was made in. The thread runs this loop while there are answers to be written.
"""

from __future__ import annotations

import asyncio
import threading

from ..local import Job, Loaded, WhenFull, WorkerEngine
from .load import Core, Source, load, start
from .runner import VLLMRunner

__all__ = ('VLLMEngine',)

_of_parents: list[Core] = []
"""The engines of a process that forked, kept in its child, where their finalizers would end the parent's."""


class VLLMEngine(WorkerEngine):
    """One model that vLLM has loaded. When its processes die, the next request starts new ones."""

    def __init__(self, source: Source, *, max_queue: int, when_full: WhenFull) -> None:
        self._core: Core | None = None
        super().__init__(source.name, max_queue=max_queue, when_full=when_full)
        self._source = source

    # in the thread

    def load_model(self) -> Loaded:
        """Start vLLM."""
        self._core, loaded = load(self._source)
        return loaded

    def make_runner(self, loaded: Loaded) -> VLLMRunner:
        """What gives vLLM its jobs; started anew after it broke."""
        if self._core is None:
            self._core = start(self._source)
        return VLLMRunner(self.model_name, self._core, loaded.tokenizer.decode)

    def _end(self, failure: Exception) -> None:
        if self._core is not None:
            self._reviving = True
            self._core.close()  # it takes a moment, and the lock must not be held meanwhile
        with self._changed:
            self._core = None
            super()._end(failure)
            self._reviving = False

    # for callers, in any thread

    async def load(self) -> Loaded:
        """Load the model, once, off the event loop; anew where vLLM's processes have died."""
        while (thread := self._dying()) is not None:
            await asyncio.get_running_loop().run_in_executor(None, thread.join)
        return await super().load()

    def _dying(self) -> threading.Thread | None:
        """The thread of an engine that is dead and not yet buried."""
        with self._changed:
            if not self._reviving and not self._closing and self._core is not None and not self._core.is_alive:
                self._reviving = True
                self._stop()
            return self._thread if self._reviving else None

    def cancel(self, job: Job) -> None:
        """Nobody wants the answer any more: abort it."""
        super().cancel(job)
        self._nudge()

    def _enter(self, job: Job) -> None:
        super()._enter(job)
        self._nudge()

    def _stop(self) -> threading.Thread | None:
        thread = super()._stop()
        self._nudge()
        return thread

    def _nudge(self) -> None:
        if (core := self._core) is not None:
            core.nudge()

    def forget(self) -> None:
        """Be as if nothing had ever run."""
        if self._core is not None:
            _of_parents.append(self._core)
        self._core = None
        self._reviving = False
        super().forget()
