"""The engine: transformers in a thread of its own, with one of two runners (`batch`, `paged`)."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ...exceptions import UserError
from ..local import BatchingOptions, Job, Loaded, Runner, WorkerEngine
from ..local.failures import attempt
from ..local.prefix_cache import PrefixCache
from ..local.probes import find_problem, generate_probes
from .adapters import ActiveAdapter
from .batch import BatchRunner
from .forward import Forward
from .library import import_torch
from .load import load
from .parts import TransformersSource
from .prefixes import find_cache_bytes
from .trial import (
    PREFIX_TEST_TOKENS,
    continues_after_another,
    continues_alone,
    read_test_prompt,
    reads_pieces,
    shares_passes,
    shares_prefixes,
)

__all__ = ('Batching', 'TransformersBatching', 'TransformersEngine')

logger: logging.Logger = logging.getLogger('pydantic_llm.local')

Batching = Literal['auto', 'paged', 'padded']
"""`paged`: the library's continuous batching. `padded`: our own batch. `auto`: the faster one for this model here."""


class Limits(NamedTuple):
    """What the padded runner may do with a model."""

    slots: int
    """The maximum number of responses at once."""
    prefill_tokens: int
    """The maximum number of prompt tokens in one pass."""
    can_merge: bool = True
    """True if responses can share a pass."""
    rereads: bool = False
    """True if each pass must read all tokens of a response."""


WHOLE = sys.maxsize
"""A limit of prompt tokens that no prompt exceeds."""

TEST_CACHE_TOKENS = 2048
"""Size of the pages for the test at load time, in tokens."""


@dataclass(frozen=True, kw_only=True)
class TransformersBatching(BatchingOptions):
    """The options that decide which runner is used, and how responses share forward passes."""

    batching: Batching = 'auto'
    cache_tokens: int | None = None
    """Size of the pages of `paged`, in tokens. `None`: all free memory of an accelerator, or 32,768 tokens on a CPU."""


class TransformersEngine(WorkerEngine):
    """Runs one model that transformers has loaded."""

    def __init__(self, source: TransformersSource, options: TransformersBatching) -> None:
        super().__init__(source.name, max_queue=options.max_queue, when_full=options.when_full)
        self._source = source
        self._options = options
        self._model: Any = None
        self._adapters: ActiveAdapter | None = None
        """The adapters that requests can name; `None` for a model without them."""
        self._has_pages: bool | None = None
        """Whether the library's pages run the model; `None` if that is unknown."""
        self._limits: Limits | None = None
        """The limits of the padded runner, tested at load time; `None` before."""
        self._prefix_cache: PrefixCache | None = None
        """The blocks of the padded runner; `None` until the model is loaded, and if it cannot share them."""
        self._tested_prefixes = False
        self.batching: Batching = options.batching
        """The runner in use once the model is loaded; before, the one requested."""

    def load_model(self) -> Loaded:
        self._model, loaded = load(self._source)
        self._adapters = ActiveAdapter(self._model, self._source.adapters) if self._source.adapters else None
        self._has_pages = self._limits = self._prefix_cache = None
        self._tested_prefixes = False
        return loaded

    def unload_model(self) -> None:
        self._model = self._adapters = self._prefix_cache = None

    def free_memory(self) -> None:
        gc.collect()
        if (torch := import_torch()).cuda.is_available():
            torch.cuda.empty_cache()

    def make_runner(self, loaded: Loaded) -> Runner:
        """Return the runner that `batching` names, or the padded one if the library's pages cannot run the model."""
        wants_pages = self._options.batching == 'paged' or (
            self._options.batching == 'auto' and self._model.device.type != 'cpu' and not loaded.takes_images
        )
        self.batching = 'paged' if wants_pages and self._can_page(loaded) else 'padded'
        if self.batching == 'paged':
            return self._make_paged_runner()
        if self._limits is None:
            self._limits = self._test_limits(loaded)
        return self._make_padded_runner(self._limits, self._open_prefix_cache(loaded))

    def _make_padded_runner(self, limits: Limits | None = None, prefix_cache: PrefixCache | None = None) -> Runner:
        limits = limits or self._option_limits
        forward = self._make_forward(limits)
        return BatchRunner(forward, slots=limits.slots, prefill_tokens=limits.prefill_tokens, prefix_cache=prefix_cache)

    @property
    def _option_limits(self) -> Limits:
        return Limits(self._options.max_batch_size, self._options.prefill_tokens)

    def _make_forward(self, limits: Limits | None = None) -> Forward:
        limits = limits or self._option_limits
        return Forward(self._model, self._adapters, can_merge=limits.can_merge, rereads=limits.rereads)

    def _open_prefix_cache(self, loaded: Loaded) -> PrefixCache | None:
        """Return the prefix cache, empty, as its blocks may be at fault if a runner failed."""
        if not self._tested_prefixes:
            self._tested_prefixes = True
            size = self._options.prefix_cache_bytes
            if size != 0 and self._can_share_prefixes(loaded):
                self._prefix_cache = PrefixCache(find_cache_bytes(self._model) if size is None else size)
        if self._prefix_cache is not None:
            self._prefix_cache.clear()
        return self._prefix_cache

    def _can_share_prefixes(self, loaded: Loaded) -> bool:
        """Return whether prompts can begin with blocks of others. This is tested once, and logged if they cannot."""
        if (loaded.context_length or PREFIX_TEST_TOKENS) < PREFIX_TEST_TOKENS:
            return False
        forward = self._make_forward(self._limits)
        is_right, _ = attempt(lambda: shares_prefixes(forward, loaded.vocabulary_size or 1))
        if not is_right:
            logger.info('%s reads each prompt whole: its cache cannot be shared by tokens', self.model_name)
        return bool(is_right)

    def drop_cache(self) -> bool:
        return self._prefix_cache is not None and self._prefix_cache.shrink()

    def _test_limits(self, loaded: Loaded) -> Limits:
        """Return what is right for the model: its logits in each way are compared with those of `generate`.

        Raises `UserError` if the model cannot run at all.
        """
        forward, size = self._make_forward(), loaded.vocabulary_size or 1
        rereads = _is_right(continues_alone, self._make_forward(self._option_limits._replace(rereads=True)), size)
        if forward.can_merge and rereads and _is_right(shares_passes, forward, size):
            return self._option_limits
        _, error = attempt(lambda: read_test_prompt(forward, size))
        if error is not None:
            raise UserError(f'{self.model_name!r} cannot run: it fails on a short prompt ({error})')
        if forward.can_merge:
            logger.info('%s gives each response passes of its own: in a batch, it gives other logits', self.model_name)
        limits = self._option_limits._replace(can_merge=False)
        if _is_right(continues_alone, self._make_forward(limits), size):
            return self._test_turns(limits, size, rereads=rereads)
        if not rereads:
            raise UserError(f'{self.model_name!r} cannot run: here it gives other logits than with `generate`')
        logger.warning('%s reads all tokens again for each new one: its cache gives other logits', self.model_name)
        return limits._replace(prefill_tokens=WHOLE, rereads=True)

    def _test_turns(self, limits: Limits, size: int, *, rereads: bool) -> Limits:
        """Return the limits for a model whose responses take turns. `rereads` is true if one can be read again.

        Mamba and Jamba do not continue from the state that a piece of a prompt leaves, and RecurrentGemma keeps its
        state in buffers of the model, which the next response overwrites (transformers 5.24). ProphetNet reads the
        tokens of a response in another way than those of a prompt: after a failure, no other response could continue.
        """
        forward = self._make_forward(limits)
        if not _is_right(reads_pieces, forward, size):
            logger.info('%s reads each prompt in one pass: in pieces, it gives other logits', self.model_name)
            limits = limits._replace(prefill_tokens=WHOLE)
        if not rereads or not _is_right(continues_after_another, forward, size):
            logger.warning('%s generates one response at a time: others change its logits', self.model_name)
            limits = limits._replace(slots=1)
        return limits

    def _make_paged_runner(self, cache_tokens: int | None = None) -> Runner:
        from .paged import PagedRunner

        options = self._options
        cache_tokens = cache_tokens or options.cache_tokens
        limits = (options.max_batch_size, options.prefill_tokens, cache_tokens)
        return PagedRunner(self._model, *limits, shares_prefixes=options.prefix_cache_bytes != 0)

    def _can_page(self, loaded: Loaded) -> bool:
        """Return whether the library's pages run the model. This is found out once, and logged if they do not."""
        if self._has_pages is None:
            from .paged import reason_not_paged

            named = 'requests can name adapters, of which the pages run one' if self._adapters else None
            reason = named or reason_not_paged(self._model) or self._test_pages(loaded)
            self._has_pages = reason is None
            if reason is not None:
                logger.warning("%s runs with batching='padded', and not 'paged': %s", self.model_name, reason)
        return self._has_pages

    def _test_pages(self, loaded: Loaded) -> str | None:
        """Return why the pages do not generate what padded batches do, and undo what the library changed."""
        model, size = self._model, loaded.vocabulary_size or 1
        attention = model.config._attn_implementation  # the library replaces it, and has no public name for it
        expected, error = attempt(lambda: generate_probes(self._make_padded_runner, size))
        if expected is None:
            return f'a test with padded batches failed too ({error})'
        reason = find_problem(lambda: self._make_paged_runner(TEST_CACHE_TOKENS), size, expected)
        self.free_memory()
        if reason is not None and model.config._attn_implementation != attention:
            model.set_attn_implementation(attention)
        return reason

    def check(self, job: Job) -> None:
        """Raise `UserError` for a job with images if the runner is `paged`, which supports text only."""
        if job.prompt.inputs and self.batching == 'paged':
            raise UserError(f"{self.model_name!r} runs with batching='paged', which supports text only")


def _is_right(test: Callable[[Forward, int], bool], forward: Forward, vocabulary_size: int) -> bool:
    """Return whether a model passes a test. It may fail in the library's code."""
    return attempt(lambda: test(forward, vocabulary_size))[0] is True
