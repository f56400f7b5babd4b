"""The engine: Transformers in a thread of its own, with one of two ways to batch."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

from ...exceptions import UserError
from ..local import Job, Loaded, Runner, WhenFull, WorkerEngine
from .batch import BatchRunner
from .forward import Forward
from .load import TransformersSource, Weights, load

__all__ = ('Batching', 'BatchingOptions', 'TransformersEngine')

logger = logging.getLogger('pydantic_llm.local')

Batching = Literal['auto', 'paged', 'padded']
"""`paged`: the library's continuous batching. `padded`: a batch of ours. `auto`: what is faster where it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchingOptions:
    """How answers share forward passes."""

    batching: Batching = 'auto'
    """Which way."""
    max_batch_size: int = 32
    """How many answers are written at once."""
    prefill_tokens: int = 512
    """How many tokens of prompts are read between two steps of the answers being written."""
    cache_tokens: int | None = None
    """How many tokens the pages of `paged` hold; `None` takes what memory there is, or 32,768 on a CPU."""
    max_queue: int = 1024
    """How many requests may wait for a slot."""
    when_full: WhenFull = 'wait'
    """What happens to a request that finds the queue full."""

    def check(self) -> None:
        """Raise `UserError` for numbers that mean nothing."""
        for name in ('max_batch_size', 'prefill_tokens', 'cache_tokens'):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f'{name} is {value!r}: give 1 or more')
        if self.batching not in ('auto', 'paged', 'padded'):
            raise UserError(f"batching is 'auto', 'paged' or 'padded', not {self.batching!r}")


class TransformersEngine(WorkerEngine):
    """One model that Transformers has loaded."""

    def __init__(self, source: TransformersSource, options: BatchingOptions) -> None:
        options.check()
        super().__init__(source.name, max_queue=options.max_queue, when_full=options.when_full)
        self._source = source
        self._options = options
        self._weights: Weights | None = None
        self.batching: Batching = options.batching
        """Which way of batching runs, once the model is loaded."""

    def load_model(self) -> Loaded:
        """Load the weights."""
        self._weights = load(self._source)
        return self._weights.loaded

    def unload_model(self) -> None:
        """Let go of the weights."""
        self._weights = None

    def make_runner(self, loaded: Loaded) -> Runner:
        """The way of batching that was asked for, or that is the faster one here."""
        weights, options = self._weights, self._options
        assert weights is not None, 'it was loaded before'
        on_cpu = weights.model.device.type == 'cpu'
        self.batching = options.batching
        if options.batching == 'paged' or (options.batching == 'auto' and not on_cpu and not loaded.takes_images):
            from .paged import PagedRunner, why_not_paged

            reason = why_not_paged(weights.model)
            if reason is None:
                self.batching = 'paged'
                return PagedRunner(weights.model, options.max_batch_size, options.prefill_tokens, options.cache_tokens)
            if options.batching == 'paged':
                raise UserError(f"{self.model_name!r} cannot run with batching='paged': {reason}")
            logger.info('%s runs with padded batches: %s', self.model_name, reason)
        self.batching = 'padded'
        return BatchRunner(Forward(weights.model), slots=options.max_batch_size, prefill_tokens=options.prefill_tokens)

    def check(self, job: Job) -> None:
        """Raise for images where pages are read, which hold text alone."""
        if job.prompt.inputs and self.batching == 'paged':
            raise UserError(f"{self.model_name!r} runs with batching='paged', which reads text alone")
