"""Transformers' own continuous batching: a cache in pages, which prompts that begin alike share.

The library's scheduler, cache and forward pass run as they are, a step at a time in the engine's thread; its choice of
tokens is replaced by ours, which knows seeds, penalties and constraints for each request. It offers no public hook for
that, nor for running without a thread of its own, so `why_not_paged` looks at the parts that are used before they are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import count
from typing import Any, ClassVar

from ...exceptions import ContextLengthError, ModelAPIError
from ..local import Job
from .choose import choose
from .library import continuous_batching, import_torch, import_transformers
from .rows import Row

__all__ = ('PagedRunner', 'why_not_paged')

Tensor = Any

PAGE = 256
"""Tokens in a page."""

TOKENS_ON_CPU = 32_768
"""How many tokens the pages hold on a CPU where nobody says; the library would take half of the memory, and 12 s."""

NEEDED = (
    ('ContinuousBatchingManager', '_create_batch_processor'),
    ('ContinuousBatchProcessor', 'prepare_next_batch'),
    ('ContinuousBatchProcessor', '_generation_step'),
    ('ContinuousBatchProcessor', 'update_batch'),
)
"""The parts of the library that are used though they are not public."""


def why_not_paged(model: Any) -> str | None:
    """Why the library's continuous batching cannot run a model; `None` where it can."""
    continuous_api = continuous_batching('continuous_api')
    for owner, name in NEEDED:
        if not hasattr(getattr(continuous_api, owner, None), name):
            return f'this version of transformers has no {owner}.{name}'
    if not hasattr(model, 'init_continuous_batching'):
        return 'the library does not batch models of this kind continuously'
    config = model.config.get_text_config()
    kinds = {*(getattr(config, 'layer_types', None) or ())}
    if bool(getattr(model, '_is_stateful', False)) or kinds - {'full_attention', 'sliding_attention'}:
        return 'its layers keep more than keys and values'
    return None


class PagedRunner:
    """Drives the library's continuous batching a step at a time."""

    def __init__(self, model: Any, slots: int, prefill_tokens: int, cache_tokens: int | None) -> None:
        self.slots = slots
        """How many answers it can write at once."""
        self._torch = import_torch()
        self._model = model
        self._numbers = count()
        self._rows: dict[str, Row] = {}
        self._names: dict[Job, str] = {}
        self._touched: list[Job] = []
        with self._torch.inference_mode():
            self._manager = self._make_manager(slots, prefill_tokens, cache_tokens)
            self._processor: Any = self._manager._create_batch_processor()
        cache = self._processor.cache
        self._capacity = int(cache.num_blocks * PAGE)
        self._hits: dict[str, int] = {}
        self._count_hits(cache)

    def _make_manager(self, slots: int, prefill_tokens: int, cache_tokens: int | None) -> Any:
        transformers = import_transformers()
        if cache_tokens is None and self._model.device.type == 'cpu':
            cache_tokens = TOKENS_ON_CPU
        config = transformers.ContinuousBatchingConfig(
            page_size=PAGE,
            num_blocks=None if cache_tokens is None else max(2, -(-cache_tokens // PAGE)),
            max_batch_tokens=max(prefill_tokens, slots),
            max_requests_per_batch=slots,
            use_cuda_graph=False,  # the choice of tokens is Python
            use_async_batching=False,  # a constraint must see a token before the next is chosen
        )
        generation = transformers.GenerationConfig(do_sample=False, eos_token_id=-1, pad_token_id=0)
        manager: Any = self._model.init_continuous_batching(
            generation_config=generation, continuous_batching_config=config
        )
        library = continuous_batching('cb_logits_processors')
        chooser: Any = type('Chooser', (_Chooser, library.ContinuousBatchingLogitsProcessor), {})
        processors = library.ContinuousBatchingLogitsProcessorList(transformers.LogitsProcessorList())
        processors.logits_processor.append(chooser(self._rows))
        processors.tensors_required, processors.do_processing = 1, True
        manager.logit_processor = processors
        manager.output_router = _Router(self)
        return manager

    def _count_hits(self, cache: Any) -> None:
        """Remember how much of each prompt the cache had already."""
        search = cache.search_prefix_match

        def counted(request_id: str, tokens: Sequence[int]) -> int:
            found: int = search(request_id, tokens)
            self._hits[request_id] = found
            return found

        cache.search_prefix_match = counted

    def add(self, job: Job) -> None:
        """Give a job a slot."""
        prompt = list(job.prompt.tokens)
        room = self._capacity - len(prompt)
        if room < 1:
            said = f'The conversation has {len(prompt)} tokens, and the pages hold {self._capacity} (cache_tokens=)'
            raise ContextLengthError(400, 'transformers', message=said, provider_name='transformers', retryable=False)
        name = f'{next(self._numbers)}'
        self._rows[name] = Row(job)
        self._names[job] = name
        self._manager.add_request(
            prompt, request_id=name, max_new_tokens=min(job.max_tokens, room), streaming=True, eos_token_id=-1
        )

    def remove(self, job: Job) -> None:
        """Free the slot of a job that is not done."""
        if (name := self._names.pop(job, None)) is not None:
            self._rows.pop(name, None)
            self._hits.pop(name, None)
            self._manager.cancel_request(name)

    def step(self) -> Collection[Job]:
        """A step of the library's own: schedule, compute, choose, tell."""
        self._touched = []
        with self._torch.inference_mode():
            if self._processor.prepare_next_batch():
                self._processor._generation_step(self._model)
                self._processor.update_batch()
        return self._touched

    def tell(self, output: Any) -> None:
        """Something has happened to a request."""
        row = self._rows.get(output.request_id)
        if row is None:
            return
        job = row.job
        self._touched.append(job)
        job.cached_tokens = self._hits.get(output.request_id, 0)
        if output.error is not None:
            job.fail(ModelAPIError('transformers', output.error, provider_name='transformers', retryable=True))
        for token in output.generated_tokens[len(row.tokens) :]:
            if job.done or not row.take(token):
                break
        if output.is_finished() and not job.done:
            job.finish('length')
        if job.done:
            self.remove(job)


class _Router:
    """Where the library puts what has happened."""

    def __init__(self, runner: PagedRunner) -> None:
        self._runner = runner

    def deliver(self, output: Any) -> None:
        self._runner.tell(output)

    def deliver_batch(self, outputs: Sequence[Any]) -> None:
        for output in outputs:
            self._runner.tell(output)

    def fail_and_deliver(self, state: Any, error: Exception) -> None:
        state.error = f'{error}'
        self._runner.tell(state.to_generation_output())


class _Chooser:
    """What the library takes for a processor of logits: it leaves of each line only the token that was chosen."""

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
        choosing = [(line, row) for line, row in enumerate(self._batch) if row is not None and not row.is_plain]
        if not choosing:
            return scores
        index = self._torch.tensor([line for line, _ in choosing], device=scores.device)
        tokens = choose(scores[index].clone(), [row for _, row in choosing])
        scores[index] = float('-inf')
        scores[index, self._torch.tensor(tokens, device=scores.device)] = 0.0
        return scores
