"""Load a model: a path or a name → the weights and the context in memory, the tokenizer, and the facts about the model.

Runs in the engine's thread. Start at `load`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

from ...exceptions import UserError
from ..local import CONSTRAINT_KINDS, BatchingOptions, Grammars, Loaded, Prompt, Sampling, Tokenizer
from ..local.load_errors import translate_errors
from .files import LlamaCppSource, find_file
from .handles import Context, NamedAdapters, Weights
from .library import import_llama_cpp
from .tokenizer import GgufTokenizer

__all__ = ('load',)

MAX_CONTEXT = 16_384
"""The size of the memory, in tokens, of a model with a longer context: for 8 billion parameters it takes 2 GB."""

CONTEXT_STEP = 256
"""The size of a memory is a multiple of this number of tokens (`llama_context` in src/llama-context.cpp)."""

OWN_OPTIONS = {
    'n_batch': 'prefill_tokens',
    'n_ctx': 'n_ctx',
    'n_gpu_layers': 'n_gpu_layers',
    'n_seq_max': 'max_batch_size',
    'n_threads': 'n_threads',
}
"""The fields of llama.cpp that are options of the model object -> the names of these options."""

SET_HERE = (
    *('attention_type', 'ctx_type', 'embeddings', 'n_outputs_max', 'n_outputs_max_per_seq', 'n_samplers', 'no_alloc'),
    *('pooling_type', 'samplers', 'vocab_only'),
)
"""The fields of llama.cpp that have the values that the engine needs. With others, the process aborts."""

RANGES = {
    'flash_attn_type': (-1, 1),
    'load_mode': (-1, 4),
    'n_threads_batch': (1, 512),
    'rope_scaling_type': (-1, 3),
    'split_mode': (0, 3),
}
"""The least and the greatest value of fields (llama.h, ggml.h): others abort the process, or have no meaning."""

MEMORY_TYPES = {
    'f32': 0,
    'f16': 1,
    'q4_0': 2,
    'q4_1': 3,
    'q5_0': 6,
    'q5_1': 7,
    'q8_0': 8,
    'iq4_nl': 20,
    'bf16': 30,
}
"""The types of keys and values (`kv_cache_types` in common/arg.cpp) -> their numbers. Others abort the process."""

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
        model_options = _check_fields('model_kwargs', source.model_kwargs or {})
        weights = Weights(path, {'n_gpu_layers': source.n_gpu_layers, **model_options})
        _check_model(source, weights)
        context = Context(weights, _make_context_options(source, batching, weights), _load_adapters(source, weights))
        if not context.memory:
            raise UserError(f'{source.name!r} cannot chat: it remembers no tokens, as a model for embeddings')
    count = library.llama_model_n_params(weights.pointer)
    took = f'{perf_counter() - begun:.1f} s'
    source.report(f'Loaded {source.name}: {count:,} parameters, a context of {context.tokens:,} tokens, in {took}')
    return context, _collect_facts(source, tokenizer, weights, context)


def _check_model(source: LlamaCppSource, weights: Weights) -> None:
    """Raise `UserError` for a model that does not generate text token by token."""
    library, pointer = import_llama_cpp(), weights.pointer
    is_decoder = library.llama_model_has_decoder(pointer) and not library.llama_model_has_encoder(pointer)
    if not is_decoder or library.llama_model_is_diffusion(pointer):
        kind = weights.read_value('general.architecture')
        raise UserError(f'{source.name!r} cannot chat: it is not a decoder-only language model, but {kind!r}')


def _load_adapters(source: LlamaCppSource, weights: Weights) -> NamedAdapters:
    """Load the adapters of the model object and of requests."""
    adapters: dict[str | None, Any] = {
        name: (weights.load_adapter(path, f'adapters[{name!r}]'), 1.0) for name, path in source.adapters.items()
    }
    if source.adapter is not None:
        adapters[None] = (weights.load_adapter(source.adapter, 'adapter'), source.adapter_scale)
    return adapters


def _make_context_options(source: LlamaCppSource, batching: BatchingOptions, weights: Weights) -> dict[str, Any]:
    """Return the fields of `llama_context_params`."""
    library = import_llama_cpp()
    threads = source.n_threads or _count_cores()
    # As many sequences again are kept for the prompts that begin with their tokens.
    sequences = min(2 * batching.max_batch_size, library.llama_max_parallel_sequences())
    return {
        'n_ctx': math.ceil(_find_context_length(source, weights) / CONTEXT_STEP) * CONTEXT_STEP,
        # At least one token of each sequence (`llama_context::output_reserve`).
        'n_batch': max(sequences, batching.prefill_tokens + batching.max_batch_size),
        'n_seq_max': sequences,
        'n_threads': threads,
        'n_threads_batch': threads,
        # One memory for all sequences: any of them may take all of it, and they can share tokens.
        'kv_unified': True,
        **_check_fields('context_kwargs', source.context_kwargs or {}),
    }


def _find_context_length(source: LlamaCppSource, weights: Weights) -> int:
    """Return the maximum length of prompt and response together, in tokens."""
    trained: int = import_llama_cpp().llama_model_n_ctx_train(weights.pointer)
    return source.n_ctx or min(trained, MAX_CONTEXT)


def _check_fields(where: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of llama.cpp with numbers for names of types. Raises `UserError` for those that it cannot have."""
    for name in options:
        if name in OWN_OPTIONS:
            raise UserError(f'{where} has {name!r}: give {OWN_OPTIONS[name]}= to the model')
        if name in SET_HERE:
            raise UserError(f'{where} has {name!r}, which the engine sets')
    types = {name: options[name] for name in ('type_k', 'type_v') if name in options}
    for name in RANGES.keys() & options.keys():
        least, most = RANGES[name]
        if options[name] not in range(least, most + 1):
            raise UserError(f'{where} has {options[name]!r} for {name!r}: give a whole number from {least} to {most}')
    for name, value in types.items():
        types[name] = MEMORY_TYPES.get(value, value) if isinstance(value, str) else value
        if types[name] not in MEMORY_TYPES.values():
            raise UserError(f'{where} has {value!r} for {name!r}: give one of {", ".join(MEMORY_TYPES)}')
    return {**options, **types}


def _count_cores() -> int:
    """Return the number of threads to compute with: the physical cores, as two threads of a core slow each other."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    return max(1, available // 2)


def _collect_facts(source: LlamaCppSource, tokenizer: GgufTokenizer, weights: Weights, context: Context) -> Loaded:
    """Return the facts about the model."""
    size = context.vocabulary_size
    return Loaded(
        tokenizer=Tokenizer(tokenizer),
        encode=partial(_encode_prompt, tokenizer),
        vocabulary_size=size,
        context_length=min(context.tokens, _find_context_length(source, weights)),
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
    assert not images, '`encode_messages` raises for images if the model takes none'
    return Prompt(tokenizer.encode_prompt(text))
