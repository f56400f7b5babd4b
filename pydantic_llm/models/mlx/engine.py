"""The engine: mlx-lm in a thread of its own. MLX binds what it computes to a thread, and nothing leaves this one."""

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
    """How answers share forward passes."""

    max_batch_size: int = 32
    """How many answers are written at once."""
    prefill_tokens: int = 512
    """How many tokens of each waiting prompt are read between two steps of the answers being written."""
    max_queue: int = 1024
    """How many requests may wait for a slot."""
    when_full: WhenFull = 'wait'
    """What happens to a request that finds the queue full."""

    def check(self) -> None:
        """Raise `UserError` for numbers that mean nothing."""
        for name in ('max_batch_size', 'prefill_tokens'):
            value = getattr(self, name)
            if value < 1:
                raise UserError(f'{name} is {value!r}: give 1 or more')


class MLXEngine(WorkerEngine):
    """One model that mlx-lm has loaded."""

    def __init__(self, source: MLXSource, options: BatchingOptions) -> None:
        options.check()
        super().__init__(source.name, max_queue=options.max_queue, when_full=options.when_full)
        self._source = source
        self._options = options
        self._weights: Weights | None = None

    def load_model(self) -> Loaded:
        """Load the weights."""
        self._weights = load(self._source)
        return self._weights.loaded

    def unload_model(self) -> None:
        """Let go of the weights, and of the memory that MLX keeps for what comes next."""
        if self._weights is not None:
            self._weights = None
            import_mlx().clear_cache()

    def make_runner(self, loaded: Loaded) -> Runner:
        """What writes answers together."""
        weights, options = self._weights, self._options
        assert weights is not None, 'it was loaded before'
        return BatchRunner(weights.model, slots=options.max_batch_size, prefill_tokens=options.prefill_tokens)
