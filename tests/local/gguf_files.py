"""GGUF files of the tiny models, written with the package `gguf`: weights, tokenizer and chat template of a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
import transformers

NAMES = {
    'model.embed_tokens': 'token_embd',
    'model.norm': 'output_norm',
    'lm_head': 'output',
    'input_layernorm': 'attn_norm',
    'post_attention_layernorm': 'ffn_norm',
    'self_attn.q_proj': 'attn_q',
    'self_attn.k_proj': 'attn_k',
    'self_attn.v_proj': 'attn_v',
    'self_attn.o_proj': 'attn_output',
    'mlp.gate_proj': 'ffn_gate',
    'mlp.up_proj': 'ffn_up',
    'mlp.down_proj': 'ffn_down',
}
"""The names of a Qwen 2 model's weights in Transformers -> in a GGUF file."""


def write_gguf(
    folder: Path,
    file: Path,
    *,
    changes: Mapping[str, Any] | None = None,
    change: Callable[[str, Any], Any] = lambda name, data: data,
    adds_bos: bool = False,
    has_template: bool = True,
) -> Path:
    """Write a folder of Transformers as a GGUF file.

    `changes` are keys of the metadata (text, or numbers), `change` gets the name and the data of each of the weights.
    """
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    file.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(file, 'qwen2')
    _add_shape(writer, model.config)
    _add_tokenizer(writer, tokenizer)
    writer.add_add_bos_token(adds_bos)
    if has_template:
        writer.add_chat_template(tokenizer.chat_template)
    for key, value in (changes or {}).items():
        {str: writer.add_string, int: writer.add_uint32, float: writer.add_float32, bool: writer.add_bool}[type(value)](
            key, value
        )
    for name, tensor in model.state_dict().items():
        if name != 'lm_head.weight' or not model.config.tie_word_embeddings:
            data = change(_rename(name), tensor.float().numpy())
            writer.add_tensor(_rename(name), np.ascontiguousarray(data))
    _close(writer)
    return file


def _add_shape(writer: Any, config: Any) -> None:
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters['rope_theta'])


def _add_tokenizer(writer: Any, tokenizer: Any) -> None:
    """Add a tokenizer of byte pairs, whose words are split as those of GPT-2."""
    merges = json.loads(tokenizer.backend_tokenizer.to_str())['model']['merges']
    kinds = {id: 3 if token.special else 4 for id, token in tokenizer.added_tokens_decoder.items()}
    writer.add_tokenizer_model('gpt2')
    writer.add_tokenizer_pre('gpt-2')
    writer.add_token_list(tokenizer.convert_ids_to_tokens(list(range(len(tokenizer)))))
    writer.add_token_types([kinds.get(id, 1) for id in range(len(tokenizer))])
    writer.add_token_merges([merge if isinstance(merge, str) else ' '.join(merge) for merge in merges])
    writer.add_eos_token_id(tokenizer.eos_token_id)


def _rename(name: str) -> str:
    stem, _, kind = name.rpartition('.')
    if stem in NAMES:
        return f'{NAMES[stem]}.{kind}'
    _, _, layer, part = stem.split('.', 3)
    return f'blk.{layer}.{NAMES[part]}.{kind}'


def _close(writer: Any) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
