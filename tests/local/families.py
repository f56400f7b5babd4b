"""The families of models that people run, each as a tiny random model of the real architecture."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers as library

from tests.local import tiny
from tests.local.tiny_configs import shrink

__all__ = ('FAMILIES', 'Family', 'build_model', 'save_family')

MAX_PARAMETERS = 20_000_000


@dataclass(frozen=True)
class Family:
    """A family of models with one architecture."""

    model_type: str
    """The name of the architecture in transformers."""
    models: str
    """Some of its models."""
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """More values of its configuration."""


LONGROPE = {
    'rope_type': 'longrope',
    'rope_theta': 10000.0,
    'short_factor': [1.0] * 4,
    'long_factor': [4.0] * 4,
    'original_max_position_embeddings': 24,
}

FAMILIES: dict[str, Family] = {
    'Llama': Family('llama', 'Llama 2 and 3, SmolLM, Yi, TinyLlama'),
    'Qwen2': Family('qwen2', 'Qwen 2 and 2.5, QwQ'),
    'Qwen3': Family('qwen3', 'Qwen 3'),
    'Qwen3-MoE': Family('qwen3_moe', 'Qwen 3 with experts'),
    'Qwen3.5': Family('qwen3_5_text', 'Qwen 3.5 and 3.6, for text'),
    'Gemma 2': Family('gemma2', 'Gemma 2'),
    'Gemma 3': Family('gemma3_text', 'Gemma 3, for text'),
    'Gemma 4': Family('gemma4_text', 'Gemma 4, for text'),
    'Mistral': Family('mistral', 'Mistral 7B, Nemo, Small'),
    'Mixtral': Family('mixtral', 'Mixtral'),
    'Phi-3 and Phi-4': Family(
        'phi3',
        'Phi-3, 3.5 and 4 (longrope)',
        {'rope_parameters': LONGROPE, 'original_max_position_embeddings': 24},
    ),
    'GPT-2': Family('gpt2', 'GPT-2, DistilGPT-2'),
    'GPT-NeoX': Family('gpt_neox', 'Pythia, GPT-NeoX'),
    'OPT': Family('opt', 'OPT'),
    'Falcon': Family('falcon', 'Falcon'),
    'Bloom': Family('bloom', 'Bloom, BloomZ'),
    'MPT': Family('mpt', 'MPT'),
    'StableLM': Family('stablelm', 'StableLM 2 and 3B'),
    'DeepSeek-V3': Family('deepseek_v3', 'DeepSeek V3 and R1'),
    'gpt-oss': Family('gpt_oss', 'gpt-oss'),
    'GLM-4': Family('glm4', 'GLM-4 0414'),
    'Exaone 4': Family('exaone4', 'EXAONE 4'),
    'Ernie 4.5': Family('ernie4_5', 'ERNIE 4.5'),
    'LFM2': Family('lfm2', 'LFM2'),
    'Granite hybrid': Family('granitemoehybrid', 'Granite 4'),
    'Mamba': Family('mamba', 'Mamba'),
    'Falcon-Mamba': Family('falcon_mamba', 'Falcon Mamba'),
    'Jamba': Family('jamba', 'Jamba'),
    'RWKV': Family('rwkv', 'RWKV 4'),
    'RecurrentGemma': Family('recurrent_gemma', 'RecurrentGemma'),
    'MiniMax': Family('minimax', 'MiniMax-Text-01, MiniMax-M1'),
    'BART': Family('bart', 'decoders of BART, Marian and mBART'),
    'ProphetNet': Family('prophetnet', 'decoders of ProphetNet'),
    'XLNet': Family('xlnet', 'XLNet'),
    'T5': Family('t5', 'T5, Flan-T5'),
    'Mllama': Family('mllama', 'Llama 3.2 Vision, text alone'),
    'Qwen-VL': Family('qwen2_5_vl', 'Qwen 2.5 VL, text alone'),
    'Gemma-VL': Family('gemma3', 'Gemma 3 with images, text alone'),
}
"""The families by their usual name."""


def build_model(model_type: str, vocabulary_size: int, values: Mapping[str, Any] | None = None) -> Any:
    """Return a tiny model with random weights. Raises `ValueError` if no configuration of `shrink` runs."""
    reason = 'no configuration'
    for config in shrink(library.CONFIG_MAPPING[model_type], vocabulary_size, values or {}):
        try:
            return _build(config)
        except Exception as error:  # noqa: BLE001 -- the next configuration
            reason = f'{type(error).__name__}: {error}'
    raise ValueError(f'no tiny {model_type} runs: {reason}')


def _build(config: Any) -> Any:
    auto_class: Any = next(
        each
        for each in (
            *([library.AutoModelForImageTextToText] if hasattr(config, 'vision_config') else []),
            library.AutoModelForCausalLM,
            library.AutoModelForSeq2SeqLM,
        )
        if type(config) in each._model_mapping
    )
    with torch.device('meta'):
        size = sum(weight.numel() for weight in auto_class.from_config(config).parameters())
    if size > MAX_PARAMETERS:
        raise ValueError(f'{size:,} parameters')
    torch.manual_seed(1)
    model = auto_class.from_config(config).float().eval()
    dice = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if weight.dim() >= 2 and weight.is_floating_point():
                is_embedding = 'embed' in key or 'lm_head' in key or 'wte' in key
                weight.normal_(0, 0.5 if is_embedding else 1.2 / weight.shape[-1] ** 0.5, generator=dice)
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    if not getattr(config, 'is_encoder_decoder', False):
        model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=3, do_sample=False, pad_token_id=0)
    return model


make_tokenizer = functools.cache(tiny.make_tokenizer)


def save_family(folder: Path, name: str) -> Path:
    """Save a tiny model of a family, with a tokenizer."""
    family, tokenizer = FAMILIES[name], make_tokenizer()
    model = build_model(family.model_type, len(tokenizer), family.values)
    model.generation_config = library.GenerationConfig(eos_token_id=2, pad_token_id=0)
    return tiny.save(folder, model, tokenizer)
