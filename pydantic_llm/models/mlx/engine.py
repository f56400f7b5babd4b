"""The engine: mlx-lm in a thread of its own, with the runner in `batch`, or one per response.

MLX binds computations to the thread that made them, so no array leaves this thread.
"""

from __future__ import annotations

import gc
import logging
from functools import partial
from typing import Any

from ..local import BatchingOptions, Loaded, Runner, WorkerEngine
from ..local.failures import attempt
from ..local.memory import MEMORY_SHARE, find_memory_bytes
from ..local.prefix_cache import PrefixCache
from ..local.probes import LENGTHS, find_problem, generate_probes, shares_prefix
from ..local.turns import TurnsRunner
from .adapters import ActiveAdapter
from .batch import BatchRunner
from .library import import_mlx
from .load import MLXSource, load

__all__ = ('MLXEngine',)

logger: logging.Logger = logging.getLogger('pydantic_llm.local')


class MLXEngine(WorkerEngine):
    """Runs one model that mlx-lm has loaded."""

    def __init__(self, source: MLXSource, options: BatchingOptions) -> None:
        super().__init__(source.name, max_queue=options.max_queue, when_full=options.when_full)
        self._source = source
        self._options = options
        self._model: Any = None
        self._adapters: ActiveAdapter | None = None
        """The adapters that requests can name; `None` for a model without them."""
        self._is_batchable: bool | None = None
        """Whether responses can share forward passes; `None` if that is unknown."""
        self._prefix_cache: PrefixCache | None = None
        """The blocks of prompts and responses; `None` until the model is loaded, and if it cannot share them."""
        self._tested_prefixes = False

    def load_model(self) -> Loaded:
        self._model, loaded = load(self._source)
        self._adapters = ActiveAdapter(self._model, self._source.adapters) if self._source.adapters else None
        self._is_batchable = self._prefix_cache = None
        self._tested_prefixes = False
        return loaded

    def unload_model(self) -> None:
        if self._model is not None:
            self._model = self._adapters = self._prefix_cache = None
            import_mlx().clear_cache()  # MLX keeps the memory of arrays for later ones

    def free_memory(self) -> None:
        gc.collect()
        import_mlx().clear_cache()

    def end_thread(self) -> None:
        # MLX 0.32 frees a thread's streams only after the thread is joined: a process that exits in that moment aborts
        # with "terminate called without an active exception".
        import_mlx().clear_streams()

    def make_runner(self, loaded: Loaded) -> Runner:
        """Return mlx-lm's batch, one for each adapter.

        If mlx-lm's code of the model cannot be batched, each response has a batch of its own.
        """
        slots = self._options.max_batch_size
        can_batch = slots == 1 or self._can_batch(loaded)
        self._open_prefix_cache(loaded)
        if not can_batch:
            return TurnsRunner(partial(self._make_batch, 1), slots)
        if self._adapters is not None:
            return TurnsRunner(partial(self._make_batch, slots), slots, lambda job: job.adapter)
        return self._make_batch(slots)

    def _make_batch(self, slots: int) -> Runner:
        prefill_tokens, adapters = self._options.prefill_tokens, self._adapters
        return BatchRunner(
            self._model,
            slots=slots,
            prefill_tokens=prefill_tokens,
            adapters=adapters,
            prefix_cache=self._prefix_cache,
        )

    def _open_prefix_cache(self, loaded: Loaded) -> None:
        """Make the prefix cache when the model is loaded, if it can share one, and empty it after a failure."""
        if self._prefix_cache is not None:
            self._prefix_cache.clear()
        size = self._options.prefix_cache_bytes
        if self._tested_prefixes or size == 0:
            return
        self._tested_prefixes = True
        uncached = self._make_batch(1)
        self._prefix_cache = PrefixCache(int(find_memory_bytes() * MEMORY_SHARE) if size is None else size)
        cached = self._make_batch(1)
        is_right, _ = attempt(lambda: shares_prefix(lambda: uncached, cached, loaded.vocabulary_size or 1))
        self._prefix_cache.clear()
        if not is_right:
            self._prefix_cache = None
            logger.info('%s reads each prompt whole: its cache cannot be shared by tokens', self.model_name)

    def drop_cache(self) -> bool:
        return self._prefix_cache is not None and self._prefix_cache.shrink()

    def _can_batch(self, loaded: Loaded) -> bool:
        """Return whether responses can share forward passes. This is tested once, and logged if they cannot.

        The attention of Gemma 2 applies the mask of a batch to the wrong axis (mlx_lm/models/gemma2.py, 0.32).
        """
        if self._is_batchable is None:
            size = loaded.vocabulary_size or 1
            alone, _ = attempt(lambda: generate_probes(partial(self._make_batch, 1), size))
            # If not even one runs, each request reports the error.
            reason = None if alone is None else find_problem(partial(self._make_batch, len(LENGTHS)), size, alone)
            self._is_batchable = reason is None
            if reason is not None:
                logger.warning('The responses of %s take turns: %s', self.model_name, reason)
        return self._is_batchable
