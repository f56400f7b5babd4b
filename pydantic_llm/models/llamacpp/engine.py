"""The engine: llama.cpp in a thread of its own, with the runner in `batch`."""

from __future__ import annotations

from ..local import BatchingOptions, Loaded, Runner, WorkerEngine
from .batch import BatchRunner
from .files import LlamaCppSource
from .handles import Context
from .load import load

__all__ = ('LlamaCppEngine',)


class LlamaCppEngine(WorkerEngine):
    """Runs one model that llama.cpp has loaded."""

    def __init__(self, source: LlamaCppSource, options: BatchingOptions) -> None:
        super().__init__(source.name, max_queue=options.max_queue, when_full=options.when_full)
        self._source = source
        self._options = options
        self._context: Context | None = None

    def load_model(self) -> Loaded:
        self._context, loaded = load(self._source, self._options)
        return loaded

    def unload_model(self) -> None:
        context, self._context = self._context, None
        if context is not None:
            context.close()
            context.weights.close()

    def make_runner(self, loaded: Loaded) -> Runner:
        """Return a runner. One that follows another has the same context, with an empty memory."""
        assert self._context is not None, 'it is made with the model'
        return BatchRunner(
            self._context, slots=self._options.max_batch_size, prefill_tokens=self._options.prefill_tokens
        )
