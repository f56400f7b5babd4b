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

from tests.local import tiny

QWEN = {
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

MAMBA = {
    'backbone.embeddings': 'token_embd',
    'backbone.norm_f': 'output_norm',
    'norm': 'attn_norm',
    'mixer.in_proj': 'ssm_in',
    'mixer.conv1d': 'ssm_conv1d',
    'mixer.x_proj': 'ssm_x',
    'mixer.dt_proj': 'ssm_dt',
    'mixer.out_proj': 'ssm_out',
    'mixer': 'ssm',
}
"""The names of a Mamba model's weights in Transformers -> in a GGUF file."""

Change = Callable[[str, Any], Any]
"""Takes the name and the data of a tensor; returns its data."""

SPACE = '▁'
WORDS = [SPACE, 'a', 'b', 'n', 'o', f'{SPACE}a', 'ab', f'{SPACE}ab', 'no', f'{SPACE}no', '你']


def write_gguf(
    folder: Path,
    file: Path,
    *,
    changes: Mapping[str, Any] | None = None,
    change: Change = lambda name, data: data,
    add_tokenizer: Callable[[Any, Any], None] | None = None,
) -> Path:
    """Write a folder of Transformers (Qwen 2, Mamba) as a GGUF file.

    `changes` are keys of the metadata, with text, numbers, or `None` for a key to leave out.
    """
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    kind = model.config.model_type
    names = {'qwen2': QWEN, 'mamba': MAMBA}[kind]
    tensors = {
        _rename(name, names): _as_stored(name, tensor.float())
        for name, tensor in model.state_dict().items()
        if name != 'lm_head.weight' or not model.config.tie_word_embeddings
    }
    writer = _Writer(file, kind, changes or {})
    (_add_shape if kind == 'qwen2' else _add_state_shape)(writer, model.config)
    (add_tokenizer or add_byte_pairs)(writer, tokenizer)
    writer.write({name: change(name, data) for name, data in tensors.items()})
    return file


class _Writer(gguf.GGUFWriter):  # type: ignore[misc] -- untyped where the package is missing
    """A writer whose last metadata are `changes`."""

    def __init__(self, file: Path, architecture: str, changes: Mapping[str, Any]) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(file, architecture)
        self._changes = changes

    def add_chat_template(self, value: Any) -> None:
        if 'tokenizer.chat_template' not in self._changes:
            super().add_chat_template(value)

    def write(self, tensors: Mapping[str, Any]) -> None:
        add = {str: self.add_string, int: self.add_uint32, float: self.add_float32, bool: self.add_bool}
        for key, value in self._changes.items():
            if value is not None:
                add[type(value)](key, value)
        for name, data in tensors.items():
            self.add_tensor(name, np.ascontiguousarray(data))
        self.write_header_to_file()
        self.write_kv_data_to_file()
        self.write_tensors_to_file()
        self.close()


def _add_shape(writer: Any, config: Any) -> None:
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters['rope_theta'])


def _add_state_shape(writer: Any, config: Any) -> None:
    writer.add_context_length(tiny.CONTEXT)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_layer_norm_rms_eps(config.layer_norm_epsilon)
    writer.add_ssm_conv_kernel(config.conv_kernel)
    writer.add_ssm_inner_size(config.intermediate_size)
    writer.add_ssm_state_size(config.state_size)
    writer.add_ssm_time_step_rank(config.time_step_rank)


def add_byte_pairs(writer: Any, tokenizer: Any) -> None:
    """Add a tokenizer of byte pairs, whose words are split as those of GPT-2."""
    merges = json.loads(tokenizer.backend_tokenizer.to_str())['model']['merges']
    kinds = {id: 3 if token.special else 4 for id, token in tokenizer.added_tokens_decoder.items()}
    writer.add_tokenizer_model('gpt2')
    writer.add_tokenizer_pre('gpt-2')
    writer.add_token_list(tokenizer.convert_ids_to_tokens(list(range(len(tokenizer)))))
    writer.add_token_types([kinds.get(id, 1) for id in range(len(tokenizer))])
    writer.add_token_merges([merge if isinstance(merge, str) else ' '.join(merge) for merge in merges])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_chat_template(tokenizer.chat_template)


def add_sentence_pieces(writer: Any, tokenizer: Any) -> None:
    """Add a tokenizer with marks for spaces and tokens of one byte, like that of Llama 2, of the same size."""
    pieces = ['<unk>', '<s>', '</s>', *(f'<0x{byte:02X}>' for byte in range(256)), *WORDS]
    unused = [f'[PAD{number}]' for number in range(len(tokenizer) - len(pieces))]
    writer.add_tokenizer_model('llama')
    writer.add_token_list([*pieces, *unused])
    writer.add_token_scores([0.0] * 259 + [float(len(word)) for word in WORDS] + [-1000.0] * len(unused))
    writer.add_token_types([2, 3, 3, *[6] * 256, *[1] * len(WORDS), *[5] * len(unused)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template('{{ bos_token }}{{ messages[0].content }}')


def write_encoder(file: Path, size: int = 32) -> Path:
    """Write a model for embeddings (BERT), whose weights are zeros."""
    writer = _Writer(file, 'bert', {})
    writer.add_context_length(64)
    writer.add_embedding_length(size)
    writer.add_block_count(1)
    writer.add_feed_forward_length(size)
    writer.add_head_count(2)
    writer.add_layer_norm_eps(1e-5)
    writer.add_token_type_count(2)
    writer.add_causal_attention(False)  # noqa: FBT003 -- the package's signature
    tokenizer = tiny.make_tokenizer()
    add_byte_pairs(writer, tokenizer)
    shapes: dict[str, tuple[int, ...]] = {
        'token_embd.weight': (len(tokenizer), size),
        'position_embd.weight': (64, size),
        'token_types.weight': (2, size),
    }
    for name in ('attn_q', 'attn_k', 'attn_v', 'attn_output', 'ffn_up', 'ffn_down'):
        shapes |= {f'blk.0.{name}.weight': (size, size), f'blk.0.{name}.bias': (size,)}
    for name in ('token_embd_norm', 'blk.0.attn_output_norm', 'blk.0.layer_output_norm'):
        shapes |= {f'{name}.weight': (size,), f'{name}.bias': (size,)}
    writer.write({name: np.zeros(shape, dtype=np.float32) for name, shape in shapes.items()})
    return file


def _rename(name: str, names: Mapping[str, str]) -> str:
    stem, _, kind = name.rpartition('.')
    if stem in names and not name.startswith('norm'):
        return f'{names[stem]}.{kind}'
    _, _, layer, part = stem.split('.', 3)
    if kind in ('A_log', 'D'):
        return f'blk.{layer}.ssm_{kind[0].lower()}'
    return f'blk.{layer}.{names[part]}.{kind}'


def _as_stored(name: str, tensor: Any) -> Any:
    """Return the data of a weight as the format has it."""
    if name.endswith('A_log'):
        tensor = -tensor.exp()
    return (tensor.squeeze(1) if name.endswith('conv1d.weight') else tensor).numpy()
