"""The engine: transformers in a thread of its own, with one of two runners (`batch`, `paged`)."""

from __future__ import annotations

import gc
import logging
from dataclasses import dataclass
from typing import Any, Literal

from ...exceptions import UserError
from ..local import BatchingOptions, Job, Loaded, Runner, WorkerEngine
from .batch import BatchRunner
from .forward import Forward
from .library import import_torch
from .load import load
from .parts import TransformersSource

__all__ = ('Batching', 'TransformersBatching', 'TransformersEngine')

logger = logging.getLogger('pydantic_llm.local')

Batching = Literal['auto', 'paged', 'padded']
"""`paged`: the library's continuous batching. `padded`: our own batch. `auto`: the faster one for this model here."""


@dataclass(frozen=True, kw_only=True)
class TransformersBatching(BatchingOptions):
    """The options that decide which runner is used, and how responses share forward passes."""

    batching: Batching = 'auto'
    cache_tokens: int | None = None
    """Size of the pages of `paged`, in tokens. `None`: all free memory of an accelerator, or 32,768 tokens on a CPU."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cache_tokens is not None and self.cache_tokens < 1:
            raise UserError(f'cache_tokens is {self.cache_tokens!r}: give 1 or more')
        if self.batching not in ('auto', 'paged', 'padded'):
            raise UserError(f"batching is 'auto', 'paged' or 'padded', not {self.batching!r}")


class TransformersEngine(WorkerEngine):
    """Runs one model that transformers has loaded."""

    def __init__(self, source: TransformersSource, options: TransformersBatching) -> None:
        super().__init__(source.name, max_queue=options.max_queue, when_full=options.when_full)
        self._source = source
        self._options = options
        self._model: Any = None
        self.batching: Batching = options.batching
        """The runner in use once the model is loaded; before, the one requested."""

    def load_model(self) -> Loaded:
        self._model, loaded = load(self._source)
        return loaded

    def unload_model(self) -> None:
        self._model = None

    def free_memory(self) -> None:
        gc.collect()
        if (torch := import_torch()).cuda.is_available():
            torch.cuda.empty_cache()

    def make_runner(self, loaded: Loaded) -> Runner:
        """Return the runner that `batching` names. Raises `UserError` if `paged` cannot run this model."""
        model, options = self._model, self._options
        on_cpu = model.device.type == 'cpu'
        self.batching = options.batching
        if options.batching == 'paged' or (options.batching == 'auto' and not on_cpu and not loaded.takes_images):
            from .paged import PagedRunner, reason_not_paged

            reason = reason_not_paged(model)
            if reason is None:
                self.batching = 'paged'
                return PagedRunner(model, options.max_batch_size, options.prefill_tokens, options.cache_tokens)
            if options.batching == 'paged':
                raise UserError(f"{self.model_name!r} cannot run with batching='paged': {reason}")
            logger.info('%s runs with padded batches: %s', self.model_name, reason)
        self.batching = 'padded'
        return BatchRunner(Forward(model), slots=options.max_batch_size, prefill_tokens=options.prefill_tokens)

    def check(self, job: Job) -> None:
        """Raise `UserError` for a job with images if the runner is `paged`, which supports text only."""
        if job.prompt.inputs and self.batching == 'paged':
            raise UserError(f"{self.model_name!r} runs with batching='paged', which supports text only")
