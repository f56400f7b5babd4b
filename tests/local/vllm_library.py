"""Tiny models that vLLM takes on a CPU, and what Transformers writes with them. Without vLLM, its tests are skipped."""

from __future__ import annotations

import asyncio
import functools
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from pydantic_llm.messages import ModelRequest
from tests.local import tiny

WITHOUT_VLLM = 'the engine needs vLLM, which is not installed here: `make test-vllm` makes an environment with it'

pytest.importorskip('vllm', reason=WITHOUT_VLLM, exc_type=ImportError)

os.environ.setdefault('VLLM_CPU_KVCACHE_SPACE', '1')
os.environ.setdefault('VLLM_LOGGING_LEVEL', 'ERROR')

HEADS = 128
"""The size of the models: heads of 32 numbers are the smallest that vLLM takes on a CPU."""

KWARGS = {
    'distributed_executor_backend': 'uni',
    'dtype': 'float32',
    'enforce_eager': True,
    'gpu_memory_utilization': 0.2,
    'max_model_len': tiny.CONTEXT,
    'max_num_seqs': 16,
}
"""How vLLM runs a tiny model on a CPU."""


def make_random(folder: Path) -> Path:
    """A model that writes nonsense."""
    return tiny.make_random(folder, hidden=HEADS)


def make_taught(folder: Path) -> Path:
    """A model that was taught a few answers and calls."""
    tokenizer = tiny.make_tokenizer()
    model = tiny.model_of(tokenizer, hidden=HEADS, layers=2, random_weights=False)
    tiny.teach(model, tokenizer, random.Random(1), 100)
    return tiny.save(folder, model, tokenizer)


def ask(text: str = 'hi') -> list[ModelRequest]:
    return [ModelRequest.user_text_prompt(text)]


@functools.cache
def library(path: Path) -> tuple[Any, Any]:
    """Transformers' own model and tokenizer."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    return transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32), tokenizer


@functools.cache
def written(path: Path, prompt: str, tokens: int) -> str:
    """What Transformers writes: the likeliest tokens."""
    model, tokenizer = library(path)
    text = tokenizer.apply_chat_template(
        [{'role': 'user', 'content': prompt}], add_generation_prompt=True, tokenize=False
    )
    ids = torch.tensor([tokenizer(text)['input_ids']])
    output = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False)
    decoded: str = tokenizer.decode(output[0][ids.shape[1] :], skip_special_tokens=True)
    return decoded


def bare(path: Path, prompts: Sequence[str], tokens: int) -> list[str]:
    return [written(path, prompt, tokens) for prompt in prompts]


async def until(happened: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for what another thread or process does."""
    for _ in range(int(seconds / 0.005)):
        if happened():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f'it did not happen in {seconds} s')
