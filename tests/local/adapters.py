"""Random adapters (LoRA) of the tiny models, and the text that peft itself gives with them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import transformers

from tests.local import tiny


def save_adapter(
    base: Path, folder: Path, *prompts: str, seed: int = 3, targets: Sequence[str] = ('q_proj', 'down_proj')
) -> list[str]:
    """Save a random adapter of a model; return what `generate` gives with it for each prompt."""
    peft = pytest.importorskip('peft')
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    lora = peft.LoraConfig(r=4, lora_alpha=64, target_modules=[*targets], init_lora_weights=False)
    with warnings.catch_warnings():  # peft calls what transformers has renamed
        warnings.simplefilter('ignore', FutureWarning)
        adapted = peft.get_peft_model(model, lora)
    adapted.save_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    return [tiny.generate(adapted.eval(), tokenizer, prompt, 12) for prompt in prompts]
