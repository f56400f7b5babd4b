"""What mlx-lm writes by itself, for the tests of its engine. Where it is not installed, they are skipped."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pydantic_llm.messages import ModelRequest

WITHOUT_MLX = "MLX's engine needs mlx-lm, and on Linux mlx[cpu]: `make test-local` installs both where there are wheels"

mlx_lm = pytest.importorskip('mlx_lm', reason=WITHOUT_MLX, exc_type=ImportError)

ROPE = {'rope_theta': 10000.0}
"""What Transformers writes elsewhere in the configuration, and mlx-lm must be told."""


def ask(text: str = 'hi') -> list[ModelRequest]:
    return [ModelRequest.user_text_prompt(text)]


@functools.cache
def library(path: Path) -> tuple[Any, Any]:
    """The library's own model and tokenizer."""
    loaded: tuple[Any, Any] = mlx_lm.load(str(path), model_config=ROPE)
    return loaded


@functools.cache
def written(path: Path, prompt: str, tokens: int) -> str:
    """What the library itself writes: the likeliest tokens."""
    model, tokenizer = library(path)
    ids = tokenizer.apply_chat_template([{'role': 'user', 'content': prompt}], add_generation_prompt=True)
    produced = [r.token for r in mlx_lm.stream_generate(model, tokenizer, ids, max_tokens=tokens)]
    decoded: str = tokenizer.decode(produced, skip_special_tokens=True)
    return decoded


def bare(path: Path, prompts: Sequence[str], tokens: int) -> list[str]:
    return [written(path, prompt, tokens) for prompt in prompts]
