"""Random adapters (LoRA) of the tiny models, and the text that peft itself gives with them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from tests.local import tiny
from tests.local.engines import run_mlx


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


def save_mlx_adapter(base: Path, folder: Path, *prompts: str, seed: int, keys: Sequence[str]) -> list[str]:
    """Save a random adapter in the format of mlx-lm; return what mlx-lm generates with it for each prompt."""
    import mlx.core as mx
    import mlx_lm
    from mlx.utils import tree_flatten
    from mlx_lm.tuner.utils import linear_to_lora_layers

    lora = {'rank': 4, 'scale': 8.0, 'dropout': 0.1, 'keys': [*keys]}
    model, _ = mlx_lm.load(str(base))
    linear_to_lora_layers(model, 2, lora)
    mx.random.seed(seed)
    weights = {
        name: mx.random.normal(value.shape) * 0.1
        for name, value in tree_flatten(model.parameters())
        if name.endswith(('lora_a', 'lora_b'))
    }
    folder.mkdir(parents=True)
    mx.save_safetensors(str(folder / 'adapters.safetensors'), weights)
    config = {'num_layers': 2, 'lora_parameters': lora}
    (folder / 'adapter_config.json').write_text(json.dumps(config), encoding='utf-8')
    adapted: Any = mlx_lm.load(str(base), adapter_path=str(folder), model_config={'rope_theta': 10000.0})
    return [run_mlx(*adapted, prompt, 12) for prompt in prompts]
