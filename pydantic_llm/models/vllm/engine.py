"""The engine: vLLM's async engine in an event loop of its own thread, for callers in all loops and threads.

vLLM's engine is bound to the loop that runs while it is made (`AsyncLLM.__init__` starts a task there, in
vllm/v1/engine/async_llm.py). The thread runs this loop while there are responses to generate. When vLLM's processes
have died, or the engine is closed, the old core is shut down before a new one is started.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import Future

from ..local import Job, Loaded, QueueOptions, WorkerEngine
from .load import Core, VLLMSource, load, start
from .runner import VLLMRunner

__all__ = ('VLLMEngine',)

logger: logging.Logger = logging.getLogger('pydantic_llm.local')

_parent_cores: list[Core] = []
"""The cores that a forked child has from its parent, kept so that no finalizer ends the parent's processes."""


class VLLMEngine(WorkerEngine):
    """Runs one model that vLLM has loaded. When vLLM's processes die, the next request starts new ones."""

    resumes_jobs = False  # vLLM fails requests one by one itself, and its processes end at any other error

    def __init__(self, source: VLLMSource, options: QueueOptions) -> None:
        self._core: Core | None = None
        self._shutdown: Future[None] | None = None  # done when the core is closed; `None` if it is not closing
        super().__init__(source.name, max_queue=options.max_queue, when_full=options.when_full)
        self._source = source

    # in the thread

    def load_model(self) -> Loaded:
        self._core, loaded = load(self._source)
        return loaded

    def make_runner(self, loaded: Loaded) -> VLLMRunner:
        """Return a runner; start vLLM again if its processes have died."""
        if self._core is None:
            self._core = start(self._source)
        return VLLMRunner(self.model_name, self._core, loaded.tokenizer.decode)

    def _shut_down(self, failure: Exception) -> None:
        with self._changed:
            core, shutdown = self._core, self._shutdown or Future()
            self._shutdown = shutdown
        if core is not None:  # closing takes seconds: not under the lock
            try:
                core.close()
            except Exception:
                logger.exception('vLLM, running %s, could not be closed', self.model_name)
        with self._changed:
            self._core = self._shutdown = None
            super()._shut_down(failure)
        shutdown.set_result(None)

    # for callers, in any thread

    async def load(self) -> Loaded:
        """Load the model once, without blocking the event loop; load it again if vLLM's processes have died."""
        while (shutdown := self._find_pending_shutdown()) is not None:
            await asyncio.shield(asyncio.wrap_future(shutdown))
        return await super().load()

    def _find_pending_shutdown(self) -> Future[None] | None:
        """Return the future of the shutdown in progress, or `None`. Start one if vLLM's processes have died."""
        with self._changed:
            if self._shutdown is None and self._core is not None and not self._core.is_alive and not self._closing:
                self._shutdown = Future()
                self._request_stop()
            return self._shutdown

    def cancel(self, job: Job) -> None:
        super().cancel(job)
        self._wake_thread()

    def _enqueue(self, job: Job) -> None:
        super()._enqueue(job)
        self._wake_thread()

    def _request_stop(self) -> threading.Thread | None:
        thread = super()._request_stop()
        self._wake_thread()
        return thread

    def _wake_thread(self) -> None:
        if (core := self._core) is not None:
            core.wake()

    def reset(self) -> None:
        if self._core is not None:
            _parent_cores.append(self._core)
        self._core = None
        self._shutdown = None
        super().reset()
