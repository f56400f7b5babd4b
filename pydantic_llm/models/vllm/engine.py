"""The engine: vLLM's own, in an event loop that lives in a thread of its own, for callers in all loops and threads.

vLLM's engine is bound to the loop that it was made in. The thread runs this loop while there are answers to be written.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import Future

from ..local import Job, Loaded, WhenFull, WorkerEngine
from .load import Core, VLLMSource, load, start
from .runner import VLLMRunner

__all__ = ('VLLMEngine',)

logger = logging.getLogger('pydantic_llm.local')

_of_parents: list[Core] = []
"""The engines of a process that forked, kept in its child, where their finalizers would end the parent's."""


class VLLMEngine(WorkerEngine):
    """One model that vLLM has loaded. When its processes die, the next request starts new ones."""

    def __init__(self, source: VLLMSource, *, max_queue: int, when_full: WhenFull) -> None:
        self._core: Core | None = None
        self._burial: Future[None] | None = None
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

    def _shut_down(self, failure: Exception) -> None:
        with self._changed:
            core, burial = self._core, self._burial or Future()
            self._burial = burial
        if core is not None:  # closing it takes seconds, and the lock must not be held meanwhile
            self._close(core)
        with self._changed:
            self._core = self._burial = None
            super()._shut_down(failure)
        burial.set_result(None)

    def _close(self, core: Core) -> None:
        try:
            core.close()
        except Exception:
            logger.exception('vLLM, running %s, could not be closed', self.model_name)

    # for callers, in any thread

    async def load(self) -> Loaded:
        """Load the model, once, off the event loop; anew where vLLM's processes have died."""
        while (burial := self._burying()) is not None:
            await asyncio.shield(asyncio.wrap_future(burial))
        return await super().load()

    def _burying(self) -> Future[None] | None:
        """Done when an engine that is dead or being closed is gone; `None` where there is none."""
        with self._changed:
            if self._burial is None and self._core is not None and not self._core.is_alive and not self._closing:
                self._burial = Future()
                self._request_stop()
            return self._burial

    def cancel(self, job: Job) -> None:
        """Nobody wants the answer any more: abort it."""
        super().cancel(job)
        self._nudge()

    def _enqueue(self, job: Job) -> None:
        super()._enqueue(job)
        self._nudge()

    def _request_stop(self) -> threading.Thread | None:
        thread = super()._request_stop()
        self._nudge()
        return thread

    def _nudge(self) -> None:
        if (core := self._core) is not None:
            core.nudge()

    def reset(self) -> None:
        """Be as if nothing had ever run."""
        if self._core is not None:
            _of_parents.append(self._core)
        self._core = None
        self._burial = None
        super().reset()
