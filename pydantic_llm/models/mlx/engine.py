"""The engine: mlx-lm in a thread of its own, with the runner in `batch`.

MLX binds computations to the thread that made them, so no array leaves this thread.
"""

from __future__ import annotations

import gc
from typing import Any

from ..local import BatchingOptions, Loaded, Runner, WorkerEngine
from .batch import BatchRunner
from .library import import_mlx
from .load import MLXSource, load

__all__ = ('MLXEngine',)


class MLXEngine(WorkerEngine):
    """Runs one model that mlx-lm has loaded."""

    def __init__(self, source: MLXSource, options: BatchingOptions) -> None:
        super().__init__(source.name, max_queue=options.max_queue, when_full=options.when_full)
        self._source = source
        self._options = options
        self._model: Any = None

    def load_model(self) -> Loaded:
        self._model, loaded = load(self._source)
        return loaded

    def unload_model(self) -> None:
        if self._model is not None:
            self._model = None
            import_mlx().clear_cache()  # MLX keeps the memory of arrays for later ones

    def free_memory(self) -> None:
        gc.collect()
        import_mlx().clear_cache()

    def end_thread(self) -> None:
        # MLX 0.32 frees a thread's streams only after the thread is joined: a process that exits in that moment aborts
        # with "terminate called without an active exception".
        import_mlx().clear_streams()

    def make_runner(self, loaded: Loaded) -> Runner:
        options = self._options
        return BatchRunner(self._model, slots=options.max_batch_size, prefill_tokens=options.prefill_tokens)
