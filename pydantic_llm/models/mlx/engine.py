"""The engine: mlx-lm in a thread of its own, with the runner in `batch`.

MLX binds computations to the thread that made them, so no array leaves this thread.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...exceptions import UserError
from ..local import Loaded, Runner, WhenFull, WorkerEngine
from .batch import BatchRunner
from .library import import_mlx
from .load import MLXSource, Weights, load

__all__ = ('BatchingOptions', 'MLXEngine')


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchingOptions:
    """The options that decide how responses share forward passes."""

    max_batch_size: int = 32
    """Maximum number of responses generated at once."""
    prefill_tokens: int = 512
    """Maximum number of tokens of each prompt read between two steps of the responses that are being generated."""
    max_queue: int = 1024
    """Maximum number of requests that wait for a slot."""
    when_full: WhenFull = 'wait'
    """Behaviour of a request if the queue is full: wait, or raise `OverloadedError`."""

    def check(self) -> None:
        """Raise `UserError` for an invalid value."""
        for name in ('max_batch_size', 'prefill_tokens'):
            value = getattr(self, name)
            if value < 1:
                raise UserError(f'{name} is {value!r}: give 1 or more')


class MLXEngine(WorkerEngine):
    """Runs one model that mlx-lm has loaded."""

    def __init__(self, source: MLXSource, options: BatchingOptions) -> None:
        options.check()
        super().__init__(source.name, max_queue=options.max_queue, when_full=options.when_full)
        self._source = source
        self._options = options
        self._weights: Weights | None = None

    def load_model(self) -> Loaded:
        self._weights = load(self._source)
        return self._weights.loaded

    def unload_model(self) -> None:
        """Drop the weights, and free the memory that MLX keeps for later arrays."""
        if self._weights is not None:
            self._weights = None
            import_mlx().clear_cache()

    def make_runner(self, loaded: Loaded) -> Runner:
        weights, options = self._weights, self._options
        assert weights is not None, 'it was loaded before'
        return BatchRunner(weights.model, slots=options.max_batch_size, prefill_tokens=options.prefill_tokens)
