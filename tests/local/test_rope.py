"""Models whose rotary frequencies depend on the longest row of a pass: each row gets its own, in any company."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as library

from tests.local import tiny
from tests.local.engines import Engine, ask, on

LIMIT = 64
"""The longest row with the frequencies of short rows, in tokens."""

TOKENS = 24

LONGROPE = {
    'rope_type': 'longrope',
    'rope_theta': 10000.0,
    'short_factor': [1.0] * 4,
    'long_factor': [4.0] * 4,
    'original_max_position_embeddings': LIMIT,
}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    'phi3': (
        'Phi3Config',
        {'original_max_position_embeddings': LIMIT, 'max_position_embeddings': 512, 'rope_parameters': LONGROPE},
    ),
    'longrope': ('LlamaConfig', {'max_position_embeddings': 512, 'rope_parameters': LONGROPE}),
    'dynamic': (
        'LlamaConfig',
        {
            'max_position_embeddings': LIMIT,
            'rope_parameters': {'rope_type': 'dynamic', 'rope_theta': 10000.0, 'factor': 4.0},
        },
    ),
}
"""The name of the library's configuration, and its values for lengths."""

SHORT = ('tea', 'where is it', 'a question of some words')
"""Prompts whose responses end below the limit."""


def make_prompt(characters: int) -> str:
    return ''.join(random.Random(characters).choices('abcdefgh ', k=characters))


LONG = (make_prompt(230), make_prompt(170))
CROSSING = (make_prompt(50), make_prompt(40))
"""Prompts whose responses begin below the limit, and end above it."""


def make_model(folder: Path, name: str) -> Path:
    class_name, values = MODELS[name]
    tokenizer = tiny.make_tokenizer()
    torch.manual_seed(1)
    config = getattr(library, class_name)(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.4,
        bos_token_id=None,
        eos_token_id=2,
        pad_token_id=0,
        **values,
    )
    model: Any = library.AutoModelForCausalLM.from_config(config)
    model.generation_config = library.GenerationConfig(suppress_tokens=[0, 1, 2], pad_token_id=0)
    return tiny.save(folder, model.eval(), tokenizer)


def generate_alone(path: Path, prompt: str) -> str:
    """Return the text of bare `generate`, with a model that has read nothing before: the library keeps frequencies."""
    model = library.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    return tiny.generate(model, library.AutoTokenizer.from_pretrained(path), prompt, TOKENS)


@on('padded', 'paged')
@pytest.mark.parametrize('name', MODELS)
async def test_a_row_above_the_limit_of_short_frequencies_changes_no_other_row(
    make: Callable[..., Any], engine: Engine, tmp_path: Path, name: str
) -> None:
    path = make_model(tmp_path, name)
    model = make(path, max_new_tokens=TOKENS, prefill_tokens=32)
    lengths = [(await model.count_tokens(ask(prompt))).input_tokens for prompt in (*SHORT, *CROSSING, *LONG)]
    assert max(lengths[:3]) + TOKENS < LIMIT
    assert all(LIMIT - TOKENS + 4 < length < LIMIT for length in lengths[3:5])
    assert min(lengths[5:]) > LIMIT
    prompts = (*SHORT, *LONG, *CROSSING)
    responses = await asyncio.gather(*(model.request(ask(prompt)) for prompt in prompts))
    assert [response.text for response in responses] == [generate_alone(path, prompt) for prompt in prompts]


@on('padded')
async def test_a_response_that_crosses_the_limit_draws_what_it_would_alone(
    make: Callable[..., Any], tmp_path: Path
) -> None:
    model = make(make_model(tmp_path, 'phi3'), max_new_tokens=TOKENS)
    settings: Any = {'temperature': 1.0, 'seed': 5, 'transformers_repetition_penalty': 1.2}
    alone = [(await model.request(ask(prompt), settings)).text for prompt in CROSSING]
    together = await asyncio.gather(*(model.request(ask(prompt), settings) for prompt in (*CROSSING, *LONG, *SHORT)))
    assert [response.text for response in together[:2]] == alone
