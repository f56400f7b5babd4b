"""Load a model: a path or a name → the weights and the context in memory, the tokenizer, and the facts about the model.

Runs in the engine's thread. Start at `load`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

from ...exceptions import UserError
from ..local import CONSTRAINT_KINDS, BatchingOptions, Grammars, Loaded, Prompt, Sampling, Tokenizer
from ..local.loading import translate_errors
from .files import LlamaCppSource, find_file
from .handles import Context, Weights
from .library import import_llama_cpp
from .tokenizer import GgufTokenizer

__all__ = ('load',)

MAX_CONTEXT = 16_384
"""The size of the memory, in tokens, of a model with a longer context: for 8 billion parameters it takes 2 GB."""

SAMPLING_KEYS = {
    'temperature': 'temp',
    'top_k': 'top_k',
    'top_p': 'top_p',
    'min_p': 'min_p',
    'repetition_penalty': 'penalty_repeat',
}
"""The fields of `Sampling` -> the keys `general.sampling.*` of the metadata (src/llama-arch.cpp)."""


def load(source: LlamaCppSource, batching: BatchingOptions) -> tuple[Context, Loaded]:
    """Load a model. Return its context, which has the weights, and the facts about it.

    Raises `UserError` if it cannot be loaded, `ModelConnectionError` if the hub cannot be reached.
    """
    library = import_llama_cpp()
    begun = perf_counter()
    source.report(f'Loading {source.name}')
    with translate_errors(source, engine='llamacpp-local'):
        path = find_file(source)
        tokenizer = GgufTokenizer(path)
        weights = Weights(path, {'n_gpu_layers': source.n_gpu_layers, **source.model_kwargs})
        _check_model(source, weights)
        adapters = [(weights.load_adapter(source.adapter), source.adapter_scale)] if source.adapter else []
        context = Context(weights, _make_context_options(source, batching, weights), adapters)
    count = library.llama_model_n_params(weights.pointer)
    took = f'{perf_counter() - begun:.1f} s'
    source.report(f'Loaded {source.name}: {count:,} parameters, a context of {context.tokens:,} tokens, in {took}')
    return context, _collect_facts(tokenizer, weights, context)


def _check_model(source: LlamaCppSource, weights: Weights) -> None:
    """Raise `UserError` for a model that does not generate text token by token."""
    library, pointer = import_llama_cpp(), weights.pointer
    is_decoder = library.llama_model_has_decoder(pointer) and not library.llama_model_has_encoder(pointer)
    if not is_decoder or library.llama_model_is_diffusion(pointer):
        kind = weights.read_value('general.architecture')
        raise UserError(f'{source.name!r} cannot chat: it is not a decoder-only language model, but {kind!r}')


def _make_context_options(source: LlamaCppSource, batching: BatchingOptions, weights: Weights) -> dict[str, Any]:
    """Return the fields of `llama_context_params`."""
    library = import_llama_cpp()
    threads = source.n_threads or _count_cores()
    trained: int = library.llama_model_n_ctx_train(weights.pointer)
    # As many sequences again are kept for the prompts that begin with their tokens.
    sequences = min(2 * batching.max_batch_size, library.llama_max_parallel_sequences())
    return {
        'n_ctx': source.n_ctx or min(trained, MAX_CONTEXT),
        'n_batch': batching.prefill_tokens + batching.max_batch_size,
        'n_ubatch': min(512, batching.prefill_tokens + batching.max_batch_size),
        'n_seq_max': sequences,
        'n_threads': threads,
        'n_threads_batch': threads,
        # One memory for all sequences: any of them may take all of it, and they can share tokens.
        'kv_unified': True,
        **source.context_kwargs,
    }


def _count_cores() -> int:
    """Return the number of threads to compute with: the physical cores, as two threads of a core slow each other."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    return max(1, available // 2)


def _collect_facts(tokenizer: GgufTokenizer, weights: Weights, context: Context) -> Loaded:
    """Return the facts about the model."""
    size = context.vocabulary_size
    return Loaded(
        tokenizer=Tokenizer(tokenizer),
        encode=partial(_encode_prompt, tokenizer),
        vocabulary_size=size,
        context_length=context.tokens,
        sampling=_read_sampling(weights),
        eos=tokenizer.end_ids,
        constraints=CONSTRAINT_KINDS,
        grammars=Grammars(tokenizer, vocabulary_size=size, eos=tokenizer.end_ids, extra='llamacpp'),
    )


def _read_sampling(weights: Weights) -> Sampling:
    """Return the sampling parameters in the metadata. Without a temperature, the most likely token is chosen."""
    values: dict[str, Any] = {}
    for name, key in SAMPLING_KEYS.items():
        text = weights.read_value(f'general.sampling.{key}')
        if text is not None:
            values[name] = int(float(text)) if name == 'top_k' else float(text)
    return replace(Sampling(), **values)


def _encode_prompt(tokenizer: GgufTokenizer, text: str, images: Sequence[bytes]) -> Prompt:
    assert not images, 'the dialog rejects images for a model that supports text only'
    return Prompt(tokenizer.encode_prompt(text))
