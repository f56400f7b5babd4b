"""Models that a batch cannot run as it is: they fall back to another runner, and generate what they generate alone."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as library

from pydantic_llm.models.transformers.forward import Forward
from pydantic_llm.models.transformers.trial import continues_alone, shares_passes
from tests.local import tiny
from tests.local.engines import Engine, ask, on

SIZES: dict[str, Any] = {
    'hidden_size': 32,
    'num_hidden_layers': 2,
    'num_attention_heads': 4,
    'max_position_embeddings': tiny.CONTEXT,
    'bos_token_id': None,
    'eos_token_id': 2,
    'pad_token_id': 0,
}
DECODER: dict[str, Any] = {**SIZES, 'intermediate_size': 48, 'num_key_value_heads': 2}

CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    'llama': ('LlamaConfig', DECODER),
    'opt': ('OPTConfig', {**SIZES, 'ffn_dim': 48, 'word_embed_proj_dim': 32}),
    'gpt_neox': ('GPTNeoXConfig', {**SIZES, 'intermediate_size': 48}),
    'stablelm': ('StableLmConfig', DECODER),
    'falcon': ('FalconConfig', {**SIZES, 'new_decoder_architecture': True, 'num_kv_heads': 2}),
    'deepseek_v3': (
        'DeepseekV3Config',
        {
            **DECODER,
            'num_key_value_heads': 4,
            'kv_lora_rank': 16,
            'q_lora_rank': 16,
            'qk_rope_head_dim': 8,
            'qk_nope_head_dim': 8,
            'v_head_dim': 12,
            'n_routed_experts': 4,
            'num_experts_per_tok': 2,
            'n_group': 2,
            'topk_group': 1,
            'moe_intermediate_size': 32,
            'first_k_dense_replace': 1,
        },
    ),
    'mamba': (
        'MambaConfig',
        {'hidden_size': 32, 'state_size': 8, 'num_hidden_layers': 2, 'bos_token_id': None, 'eos_token_id': 2},
    ),
    'jamba': (
        'JambaConfig',
        {
            **DECODER,
            'num_hidden_layers': 4,
            'attn_layer_period': 2,
            'attn_layer_offset': 1,
            'expert_layer_period': 2,
            'expert_layer_offset': 1,
            'num_experts': 2,
            'num_experts_per_tok': 1,
            'mamba_d_state': 8,
            'mamba_dt_rank': 4,
            'use_mamba_kernels': False,
        },
    ),
    'rwkv': (
        'RwkvConfig',
        {
            'hidden_size': 32,
            'num_hidden_layers': 2,
            'attention_hidden_size': 32,
            'bos_token_id': None,
            'eos_token_id': 2,
        },
    ),
    'recurrent_gemma': (
        'RecurrentGemmaConfig',
        {**DECODER, 'num_hidden_layers': 3, 'attention_window_size': 8, 'lru_width': 32, 'head_dim': 8},
    ),
    'gpt2': ('GPT2Config', {'n_embd': 32, 'n_layer': 2, 'n_head': 4, 'bos_token_id': None, 'eos_token_id': 2}),
    'phi3': ('Phi3Config', DECODER),
    'gemma3': ('Gemma3TextConfig', {**DECODER, 'head_dim': 8, 'sliding_window': 64, 'query_pre_attn_scalar': 8}),
    'mpt': ('MptConfig', {'d_model': 32, 'n_layers': 2, 'n_heads': 4, 'max_seq_len': tiny.CONTEXT}),
    'gemma2': ('Gemma2Config', {**DECODER, 'head_dim': 8, 'sliding_window': 64, 'query_pre_attn_scalar': 8}),
}
"""Tiny configurations: the name of the library's class, and its values."""

NOT_PAGED = ('opt', 'gpt_neox', 'stablelm', 'falcon', 'deepseek_v3')
STATES = ('mamba', 'jamba', 'rwkv', 'recurrent_gemma')
"""Models that keep a state."""

PROMPTS = ('one', 'a question with more words than the others have', 'two words', 'three words here', 'x')


def make_family(folder: Path, name: str) -> Path:
    """Save a model with random weights of a real architecture."""
    class_name, values = CONFIGS[name]
    tokenizer = tiny.make_tokenizer()
    torch.manual_seed(1)
    model: Any = library.AutoModelForCausalLM.from_config(
        getattr(library, class_name)(vocab_size=len(tokenizer), **values)
    )
    dice = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if weight.dim() >= 2:
                scale = 0.5 if 'embed' in key or 'lm_head' in key else 1.2 / weight.shape[-1] ** 0.5
                weight.normal_(0, scale, generator=dice)
    model.generation_config = library.GenerationConfig(eos_token_id=2, pad_token_id=0)
    return tiny.save(folder, model.float().eval(), tokenizer)


async def generate_alone_and_together(model: Any) -> tuple[list[str], list[str]]:
    """Return the greedy text of each prompt alone, and of all at once."""
    settings: Any = {'max_tokens': 8}
    alone = [(await model.request(ask(prompt), settings)).text for prompt in PROMPTS]
    together = await asyncio.gather(*(model.request(ask(prompt), settings) for prompt in PROMPTS))
    return alone, [response.text for response in together]


@on('paged')
@pytest.mark.parametrize('name', NOT_PAGED)
async def test_a_model_that_pages_cannot_run_gets_padded_batches(
    make: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    model = make(make_family(tmp_path, name))
    alone, together = await generate_alone_and_together(model)
    assert together == alone
    assert model.engine.batching == 'padded'
    assert "and not 'paged'" in caplog.text


@on('paged')
async def test_a_model_that_pages_can_run_gets_them(make: Callable[..., Any], tmp_path: Path) -> None:
    model = make(make_family(tmp_path, 'llama'))
    alone, together = await generate_alone_and_together(model)
    assert together == alone
    assert model.engine.batching == 'paged'


@on('mlx')
@pytest.mark.parametrize(('name', 'turns'), [('llama', False), ('gemma2', True)])
async def test_a_model_that_mlx_cannot_batch_takes_turns(
    make: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, *, turns: bool
) -> None:
    model = make(make_family(tmp_path, name))
    alone, together = await generate_alone_and_together(model)
    assert together == alone
    assert ('take turns' in caplog.text) == turns


@on('padded')
@pytest.mark.parametrize('name', STATES)
async def test_a_model_with_a_state_generates_the_same_text_alone_together_and_in_pieces(
    make: Callable[..., Any], engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level('INFO', 'pydantic_llm.local')
    path = make_family(tmp_path, name)
    model = make(path, prefill_tokens=8)
    alone, together = await generate_alone_and_together(model)
    assert alone == engine.expected(path, PROMPTS, 8)
    assert together == alone
    assert ('one response at a time' in caplog.text) == (name == 'recurrent_gemma')
    assert ('each prompt in one pass' in caplog.text) == (name != 'rwkv')


def test_the_measure_of_a_model_is_what_generate_gives(tmp_path: Path) -> None:
    """The library lets a model change its inputs for `generate`, and in no other place."""
    model: Any = library.AutoModelForCausalLM.from_pretrained(make_family(tmp_path, 'llama'))
    size, forward = int(model.config.vocab_size), Forward(model)
    assert continues_alone(forward, size)
    assert shares_passes(forward, size)
    prepare = model.prepare_inputs_for_generation

    @functools.wraps(prepare)
    def prepare_others(tokens: Any, **options: Any) -> Any:
        return prepare((tokens + 1) % size, **options)

    model.prepare_inputs_for_generation = prepare_others
    assert not continues_alone(forward, size)
    assert not shares_passes(forward, size)
