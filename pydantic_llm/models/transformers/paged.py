"""A runner with transformers' own continuous batching: its cache has pages, which equal prompt prefixes share.

`PagedRunner` runs the library's scheduler, cache and forward pass one step at a time in the engine's thread. The choice
of tokens is ours (`_Chooser`), because the library's per-request processors are temperature, top_k and top_p alone
(`CLASSIC_TO_CB_PROCESSORS_MAP` in generation/continuous_batching/cb_logits_processors.py, transformers 5.24), without
seeds, penalties or constraints. It has no public hook for that, nor for running without its own thread
(`ContinuousBatchingManager._run_generation_loop` in continuous_api.py), so `reason_not_paged` first checks that the
private parts exist.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import count
from typing import Any, ClassVar

from ...exceptions import ContextLengthError, ModelAPIError
from ..local import Job
from .choose import choose, fail_unusable
from .library import import_continuous_batching, import_torch, import_transformers
from .rope import RopeLengths
from .rows import Row

__all__ = ('PagedRunner', 'reason_not_paged')

Tensor = Any

PAGE_TOKENS = 32
"""The size of a page. Prompts share whole pages only; with pages of 16 tokens, a step takes longer."""

FLASH_PAGE_TOKENS = 256
"""The size of a page for flash attention, whose kernel takes multiples of 256 only.

"Paged KV cache block size must be divisible by 256" (`mha_fwd_kvcache` in csrc/flash_attn/flash_api.cpp)
"""

TOKENS_ON_CPU = 32_768
"""Size of the cache on a CPU, in tokens, if `cache_tokens` is not given.

The library would take 60% of the memory (`resolve_max_memory_percent` in initialization.py, transformers 5.24), which
took 11-13 seconds when measured.
"""

NEVER = -1
"""An end-of-sequence token id that the library ignores (`RequestState.__post_init__` in requests.py): ends are ours."""

PRIVATE_PARTS = (
    ('ContinuousBatchingManager', '_create_batch_processor'),
    ('ContinuousBatchProcessor', 'prepare_next_batch'),
    ('ContinuousBatchProcessor', '_generation_step'),
    ('ContinuousBatchProcessor', 'update_batch'),
)
"""The undocumented methods of the library that are called here, each with its class in `continuous_api`."""


def reason_not_paged(model: Any) -> str | None:
    """Return why the library's continuous batching cannot run a model, or `None` if it can."""
    continuous_api = import_continuous_batching('continuous_api')
    for owner, name in PRIVATE_PARTS:
        if not hasattr(getattr(continuous_api, owner, None), name):
            return f'this version of transformers has no {owner}.{name}'
    if not hasattr(model, 'init_continuous_batching'):
        return 'the library does not batch models of this kind continuously'
    config = model.config.get_text_config()
    layer_types = {*(getattr(config, 'layer_types', None) or ())}
    if bool(getattr(model, '_is_stateful', False)) or layer_types - {'full_attention', 'sliding_attention'}:
        return 'its layers keep more than keys and values'
    if RopeLengths(model).limit is not None:
        return 'its rotary frequencies depend on the longest response of a batch'
    return None


class PagedRunner:
    """Runs the library's continuous batching, one step at a time."""

    def __init__(
        self, model: Any, slots: int, prefill_tokens: int, cache_tokens: int | None, *, shares_prefixes: bool = True
    ) -> None:
        self.slots = slots
        self._torch = import_torch()
        self._model = model
        self._page_tokens = FLASH_PAGE_TOKENS if 'flash' in f'{model.config._attn_implementation}' else PAGE_TOKENS
        self._shares_prefixes = shares_prefixes
        self._counter = count()
        self._rows: dict[str, Row] = {}
        self._names: dict[Job, str] = {}
        self._changed: list[Job] = []
        with self._torch.inference_mode():
            self._manager = self._make_manager(slots, prefill_tokens, cache_tokens)
            self._processor: Any = self._manager._create_batch_processor()
        cache = self._processor.cache
        self._capacity = int(cache.num_blocks * self._page_tokens)
        self._cached_tokens: dict[str, int] = {}
        self._record_cached_tokens(cache)

    def _make_manager(self, slots: int, prefill_tokens: int, cache_tokens: int | None) -> Any:
        transformers = import_transformers()
        if cache_tokens is None and self._model.device.type == 'cpu':
            cache_tokens = TOKENS_ON_CPU
        config = transformers.ContinuousBatchingConfig(
            page_size=self._page_tokens,
            allow_block_sharing=self._shares_prefixes,
            num_blocks=None if cache_tokens is None else max(2, -(-cache_tokens // self._page_tokens)),
            max_batch_tokens=max(prefill_tokens, slots),
            max_requests_per_batch=slots,
            use_cuda_graph=False,  # a graph cannot hold `_Chooser`, which is Python
            use_async_batching=False,  # constraints need each token before the next is chosen
        )
        generation = transformers.GenerationConfig(do_sample=False, eos_token_id=NEVER, pad_token_id=0)
        manager: Any = self._model.init_continuous_batching(
            generation_config=generation, continuous_batching_config=config
        )
        library = import_continuous_batching('cb_logits_processors')
        chooser: Any = type('Chooser', (_Chooser, library.ContinuousBatchingLogitsProcessor), {})
        processors = library.ContinuousBatchingLogitsProcessorList(transformers.LogitsProcessorList())
        processors.logits_processor.append(chooser(self._rows))
        processors.tensors_required, processors.do_processing = 1, True
        manager.logit_processor = processors
        manager.output_router = _Router(self)
        return manager

    def _record_cached_tokens(self, cache: Any) -> None:
        """Wrap the cache's search for shared pages, to record how many tokens of each prompt it found.

        The library logs this number, but no output has it (`PagedAttentionCache.search_prefix_match` in cache.py).
        """
        search = cache.search_prefix_match

        def search_and_record(request_id: str, tokens: Sequence[int]) -> int:
            found: int = search(request_id, tokens)
            self._cached_tokens[request_id] = found
            return found

        cache.search_prefix_match = search_and_record

    def add(self, job: Job) -> None:
        """Add a job. Raises `ContextLengthError` if the pages cannot hold its prompt."""
        row = Row(job)
        prompt = list(row.prompt.tokens)
        room = self._capacity - len(prompt)
        if room < 1:
            message = f'The conversation has {len(prompt)} tokens, and the pages hold {self._capacity} (cache_tokens=)'
            raise ContextLengthError(
                400, 'transformers', message=message, provider_name='transformers', retryable=False
            )
        name = f'{next(self._counter)}'
        self._rows[name] = row
        self._names[job] = name
        self._manager.add_request(
            prompt,
            request_id=name,
            max_new_tokens=min(job.max_tokens - len(job.tokens), room),
            streaming=True,
            eos_token_id=NEVER,
        )

    def remove(self, job: Job) -> None:
        if (name := self._names.pop(job, None)) is not None:
            self._rows.pop(name, None)
            self._cached_tokens.pop(name, None)
            self._manager.cancel_request(name)

    def step(self) -> Collection[Job]:
        self._changed = []
        with self._torch.inference_mode():
            if self._processor.prepare_next_batch():
                self._processor._generation_step(self._model)
                self._processor.update_batch()
        return self._changed

    def receive(self, output: Any) -> None:
        """Add the new tokens of one request (a `GenerationOutput`) to its job, or the error that ended it."""
        row = self._rows.get(output.request_id)
        if row is None:
            return
        job = row.job
        self._changed.append(job)
        job.cached_tokens = self._cached_tokens.get(output.request_id, 0)
        if output.error is not None:
            job.fail(ModelAPIError('transformers', output.error, provider_name='transformers', retryable=True))
        for token in output.generated_tokens[len(row.tokens) - row.resumed_tokens :]:
            if job.done or not row.add_token(token):
                break
        if output.is_finished() and not job.done:
            job.finish('length')
        if job.done:
            self.remove(job)


class _Router:
    """Takes the place of the library's `OutputRouter`, which puts outputs into a queue or another thread's loop."""

    def __init__(self, runner: PagedRunner) -> None:
        self._runner = runner

    def deliver(self, output: Any) -> None:
        self._runner.receive(output)

    def deliver_batch(self, outputs: Sequence[Any]) -> None:
        for output in outputs:
            self._runner.receive(output)

    def fail_and_deliver(self, state: Any, error: Exception) -> None:
        state.error = f'{error}'
        self._runner.receive(state.to_generation_output())


class _Chooser:
    """A logits processor of the library that chooses the tokens: only the logit of the chosen token stays finite.

    The library then takes the likeliest token, which is this one. Rows without settings are left to it as they are.
    """

    supported_kwargs: ClassVar[dict[str, type]] = {}
    ignored_kwargs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, rows: dict[str, Row]) -> None:
        self._rows = rows
        self._batch: list[Row | None] = []
        self._torch = import_torch()

    def fill_defaults(self, int32_tensor: Tensor) -> None:
        int32_tensor.fill_(0)

    def prepare_tensor_args(self, requests_with_new_token: Sequence[Any]) -> Tensor:
        self._batch = [self._rows.get(request.state.request_id) for request in requests_with_new_token]
        return self._torch.zeros(len(self._batch), dtype=self._torch.int32)

    def __call__(self, scores: Tensor, tensor_arg: Tensor) -> Tensor:
        choosing = [(number, row) for number, row in enumerate(self._batch) if row is not None and not row.is_plain]
        plain = [row if row is not None and row.is_plain else None for row in self._batch]
        fail_unusable(scores[: len(plain)].amax(dim=-1), plain)  # there is a row too if no request gets a token
        if not choosing:
            return scores
        index = self._torch.tensor([number for number, _ in choosing], device=scores.device)
        tokens = choose(scores[index].clone(), [row for _, row in choosing])
        scores[index] = float('-inf')
        scores[index, self._torch.tensor(tokens, device=scores.device)] = 0.0
        return scores
