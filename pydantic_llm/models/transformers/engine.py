"""The engine: transformers in a thread of its own, with one of two runners (`batch`, `paged`)."""

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
"""`paged`: the library's continuous batching. `padded`: our own batch. `auto`: the faster one for this model here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchingOptions:
    """The options that decide how responses share forward passes."""

    batching: Batching = 'auto'
    max_batch_size: int = 32
    """Maximum number of responses generated at once."""
    prefill_tokens: int = 512
    """Maximum number of prompt tokens read between two steps of the responses that are being generated."""
    cache_tokens: int | None = None
    """Size of the pages of `paged`, in tokens. `None`: all free memory of an accelerator, or 32,768 tokens on a CPU."""
    max_queue: int = 1024
    """Maximum number of requests that wait for a slot."""
    when_full: WhenFull = 'wait'
    """Behaviour of a request if the queue is full: wait, or raise `OverloadedError`."""

    def check(self) -> None:
        """Raise `UserError` for an invalid value."""
        for name in ('max_batch_size', 'prefill_tokens', 'cache_tokens'):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f'{name} is {value!r}: give 1 or more')
        if self.batching not in ('auto', 'paged', 'padded'):
            raise UserError(f"batching is 'auto', 'paged' or 'padded', not {self.batching!r}")


class TransformersEngine(WorkerEngine):
    """Runs one model that transformers has loaded."""

    def __init__(self, source: TransformersSource, options: BatchingOptions) -> None:
        options.check()
        super().__init__(source.name, max_queue=options.max_queue, when_full=options.when_full)
        self._source = source
        self._options = options
        self._weights: Weights | None = None
        self.batching: Batching = options.batching
        """The runner in use once the model is loaded; before, the one requested."""

    def load_model(self) -> Loaded:
        self._weights = load(self._source)
        return self._weights.loaded

    def unload_model(self) -> None:
        self._weights = None

    def make_runner(self, loaded: Loaded) -> Runner:
        """Return the runner that `batching` names. Raises `UserError` if `paged` cannot run this model."""
        weights, options = self._weights, self._options
        assert weights is not None, 'it was loaded before'
        on_cpu = weights.model.device.type == 'cpu'
        self.batching = options.batching
        if options.batching == 'paged' or (options.batching == 'auto' and not on_cpu and not loaded.takes_images):
            from .paged import PagedRunner, reason_not_paged

            reason = reason_not_paged(weights.model)
            if reason is None:
                self.batching = 'paged'
                return PagedRunner(weights.model, options.max_batch_size, options.prefill_tokens, options.cache_tokens)
            if options.batching == 'paged':
                raise UserError(f"{self.model_name!r} cannot run with batching='paged': {reason}")
            logger.info('%s runs with padded batches: %s', self.model_name, reason)
        self.batching = 'padded'
        return BatchRunner(Forward(weights.model), slots=options.max_batch_size, prefill_tokens=options.prefill_tokens)

    def check(self, job: Job) -> None:
        """Raise `UserError` for a job with images if the runner is `paged`, which supports text only."""
        if job.prompt.inputs and self.batching == 'paged':
            raise UserError(f"{self.model_name!r} runs with batching='paged', which supports text only")
