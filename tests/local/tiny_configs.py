"""Tiny configurations of any architecture: `shrink` makes the default configuration of a class small."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ('shrink',)

SIZES: Mapping[str, Any] = {
    'hidden_size': 32,
    'd_model': 32,
    'n_embd': 32,
    'dim': 32,
    'emb_dim': 32,
    'embedding_size': 32,
    'word_embed_proj_dim': 32,
    'attention_hidden_size': 32,
    'lru_width': 32,
    'intermediate_size': 48,
    'ffn_dim': 48,
    'n_inner': 48,
    'd_ff': 48,
    'ffn_hidden_size': 48,
    'num_hidden_layers': 2,
    'num_layers': 2,
    'n_layer': 2,
    'n_layers': 2,
    'decoder_layers': 2,
    'encoder_layers': 2,
    'num_attention_heads': 4,
    'num_heads': 4,
    'n_head': 4,
    'n_heads': 4,
    'decoder_attention_heads': 4,
    'encoder_attention_heads': 4,
    'decoder_ffn_dim': 48,
    'encoder_ffn_dim': 48,
    'num_key_value_heads': 2,
    'num_kv_heads': 2,
    'head_dim': 8,
    'attention_head_dim': 8,
    'global_head_dim': 16,
    'rotary_dim': 4,
    'num_global_key_value_heads': 2,
    'swa_num_attention_heads': 4,
    'swa_num_key_value_heads': 2,
    'swa_head_dim': 8,
    'v_head_dim': 8,
    'swa_v_head_dim': 8,
    'qk_rope_head_dim': 8,
    'qk_nope_head_dim': 8,
    'qk_head_dim': 16,
    'kv_lora_rank': 16,
    'q_lora_rank': 16,
    'num_experts': 4,
    'n_routed_experts': 4,
    'num_local_experts': 4,
    'moe_num_experts': 4,
    'num_experts_per_tok': 2,
    'num_experts_per_token': 2,
    'moe_topk': 2,
    'moe_k': 2,
    'top_k_experts': 2,
    'n_group': 1,
    'topk_group': 1,
    'moe_intermediate_size': 32,
    'shared_expert_intermediate_size': 32,
    'moe_shared_expert_intermediate_size': 32,
    'shared_intermediate_size': 32,
    'expert_ffn_hidden_size': 32,
    'zero_expert_num': 1,
    'first_k_dense_replace': 1,
    'state_size': 8,
    'mamba_d_state': 8,
    'mamba_d_head': 8,
    'mamba_n_heads': 8,
    'mamba_expand': 2,
    'mamba_dt_rank': 4,
    'mamba_d_ssm': 64,
    'mamba_head_dim': 8,
    'mamba_num_heads': 8,
    'mamba_headdim': 8,
    'mamba_ngroups': 1,
    'n_mamba_heads': 2,
    'chunk_size': 8,
    'mamba_chunk_size': 8,
    'time_step_rank': 4,
    'use_mamba_kernels': False,
    'linear_key_head_dim': 8,
    'linear_value_head_dim': 8,
    'linear_num_key_heads': 2,
    'linear_num_value_heads': 4,
    'linear_conv_kernel_dim': 4,
    'index_n_heads': 4,
    'index_head_dim': 16,
    'index_topk': 4096,
    'hidden_size_per_layer_input': 8,
    'vocab_size_per_layer_input': None,
    'laurel_rank': 8,
    'altup_num_inputs': 2,
    'num_kv_shared_layers': 0,
    'attention_window_size': 8,
    'sliding_window': 8,
    'max_position_embeddings': 1024,
    'n_positions': 1024,
    'n_ctx': 1024,
    'context_length': 1024,
    'max_seq_len': 1024,
    'adapter_rank': 8,
    'conv_dim': 32,
    'rescale_every': 0,
    'query_pre_attn_scalar': 8,
    'bos_token_id': 1,
    'eos_token_id': 2,
    'pad_token_id': 0,
    'is_decoder': True,
    'add_cross_attention': False,
}
"""Values by name of a field; `None` where the size of the vocabulary goes, for the names of `VOCABULARY`."""

VOCABULARY = ('vocab_size', 'vocab_size_per_layer_input', 'n_vocab')

ATTEMPTS: tuple[Mapping[str, Any], ...] = (
    {},
    {'num_key_value_heads': 4, 'num_kv_heads': 4},
    {'num_hidden_layers': 4, 'n_layer': 4, 'num_layers': 4, 'attn_layer_period': 2, 'attn_layer_offset': 1},
    {'num_hidden_layers': 6},
    {'hidden_size': 64, 'head_dim': 16, 'num_hidden_layers': 3},
    {'num_hidden_layers': 8, 'num_key_value_heads': 4},
)
"""Changes to try, one after another, until a model can be built and runs."""

MROPE = {'rope_type': 'default', 'rope_theta': 10000.0, 'mrope_section': [1, 1, 2]}

OVERRIDES: Mapping[str, Mapping[str, Any]] = {
    'mamba2': {'num_heads': 8, 'head_dim': 8},
    'gpt_neo': {'attention_types': [[['global', 'local'], 1]], 'window_size': 8},
    'zaya': {'num_experts_per_tok': 1},
    'bamba': {'attn_layer_indices': [1]},
    'granitemoehybrid': {'layer_types': ['mamba', 'attention']},
    'lfm2': {'layer_types': ['conv', 'full_attention']},
    'lfm2_moe': {'layer_types': ['conv', 'full_attention'], 'num_dense_layers': 1},
    'dots3_note_text': {'num_key_value_heads': 4},
    'zamba2': {'layer_types': ['mamba', 'hybrid'], 'num_hidden_layers': 2},
    'deepseek_v2': {'num_experts_per_tok': 2},
    'mllama_text_model': {'cross_attention_layers': [1]},
    'qwen2_5_vl_text': {'rope_parameters': MROPE},
    'qwen2_vl_text': {'rope_parameters': MROPE},
    'siglip_vision_model': {'image_size': 16, 'patch_size': 8},
    'gemma3': {'mm_tokens_per_image': 4},
}
"""More values of one architecture, by its `model_type`."""

DERIVED = ('layer_types', 'layers_block_type', 'mlp_layer_types', 'block_types', 'hybrid_override_pattern')


def shrink(config_class: type[Any], vocabulary_size: int, values: Mapping[str, Any]) -> Iterator[Any]:
    """Yield tiny configurations of a class, the likeliest first. Raises nothing; some cannot be built."""
    for changes in ATTEMPTS:
        for is_strict in (False, True):
            try:
                yield _build(config_class, {**SIZES, **changes}, vocabulary_size, is_strict=is_strict, values=values)
            except Exception:  # noqa: BLE001 -- the next attempt
                continue


def _build(
    config_class: type[Any],
    sizes: Mapping[str, Any],
    vocabulary_size: int,
    *,
    is_strict: bool,
    values: Mapping[str, Any],
) -> Any:
    """Return a configuration in which all fields of `SIZES` that the class has are set."""
    default = config_class()
    fields = {*inspect.signature(config_class.__init__).parameters, *default.to_dict()}
    names = {name for name in sizes if name in fields or name in getattr(config_class, 'attribute_map', {})}
    chosen = {name: sizes[name] for name in names}
    chosen |= {name: vocabulary_size for name in VOCABULARY if name in fields}
    for name, sub_class in (getattr(config_class, 'sub_configs', None) or {}).items():
        if getattr(default, name, None) is not None:
            sub_class = type(getattr(default, name))  # some classes name `AutoConfig` here
        if name in fields and hasattr(sub_class, 'model_type'):
            chosen[name] = _build(sub_class, sizes, vocabulary_size, is_strict=is_strict, values={})
    if is_strict:
        lists = {name for name, value in default.to_dict().items() if _is_per_layer(name, value)}
        chosen |= dict.fromkeys(lists - chosen.keys())
    return config_class(**{**chosen, **OVERRIDES.get(config_class.model_type, {}), **values})


def _is_per_layer(name: str, value: object) -> bool:
    """Return whether a field has a value for each layer of the default model, which is not that of a tiny one."""
    return isinstance(value, list) and len(value) > 2 and ('layer' in name or 'block' in name)
