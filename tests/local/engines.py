"""The engines under test: the model class of each, and the text that its library generates by itself.

`on('padded', 'mlx')` runs a test once per engine. A test is skipped on an engine whose library is not installed.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from pydantic_llm.messages import ModelRequest
from tests.local import tiny

os.environ.setdefault('VLLM_CPU_KVCACHE_SPACE', '1')
os.environ.setdefault('VLLM_LOGGING_LEVEL', 'ERROR')

VLLM_KWARGS = {
    'distributed_executor_backend': 'uni',
    'dtype': 'float32',
    'enforce_eager': True,
    'gpu_memory_utilization': 0.2,
    'max_model_len': tiny.CONTEXT,
    'max_num_seqs': 16,
}
"""The options of vLLM for a tiny model on a CPU."""

LLAMACPP_KWARGS = {'type_k': 'f32', 'type_v': 'f32', 'flash_attn_type': 0}
"""Options of llama.cpp: numbers of 32 bits for keys, values and attention, as in Transformers."""


@dataclass(frozen=True)
class Engine:
    """One engine, with the options that all its models get."""

    system: str
    library: str
    """The module that must be installed."""
    missing: str = ''
    """The reason for skipping a test if it is not."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    is_fast: bool = False
    """True if a tiny model has generated a whole response before the event loop reads its first token."""

    def make(self, path: Path | str, **options: Any) -> Any:
        """Return a new model."""
        return self.model_class(self.prepare(path), **{**self.options, **options})

    def prepare(self, path: Path | str) -> Path | str:
        """Return the path of a model in the engine's format."""
        if self.system != 'llamacpp-local' or not (Path(path) / 'config.json').is_file():
            return path
        from tests.local import gguf_files

        file = Path(path) / 'model.gguf'
        return file if file.is_file() else gguf_files.write_gguf(Path(path), file)

    @property
    def prefix(self) -> str:
        """The beginning of the names of the engine's own settings."""
        prefix: str = self.model_class.settings_prefix
        return prefix

    @property
    def model_class(self) -> type[Any]:
        """The model class, imported only when its engine is tested."""
        match self.system:
            case 'transformers':
                from pydantic_llm.models.transformers import TransformersModel

                return TransformersModel
            case 'mlx':
                from pydantic_llm.models.mlx import MLXModel

                return MLXModel
            case 'llamacpp-local':
                from pydantic_llm.models.llamacpp import LlamaCppModel

                return LlamaCppModel
            case _:
                from pydantic_llm.models.vllm import VLLMModel

                return VLLMModel

    def expected(self, path: Path, prompts: Sequence[str], tokens: int) -> list[str]:
        """Return the text that the library generates for each prompt alone, always with the likeliest token."""
        generate = generate_with_mlx if self.system == 'mlx' else generate_with_transformers
        return [generate(path, prompt, tokens) for prompt in prompts]


ENGINES = {
    'transformers': Engine('transformers', 'transformers'),
    'padded': Engine('transformers', 'transformers', options={'batching': 'padded'}),
    'paged': Engine('transformers', 'transformers', options={'batching': 'paged'}),
    'mlx': Engine(
        'mlx', 'mlx_lm', "MLX's engine needs mlx-lm, and on Linux mlx[cpu]: `make test-local` installs both if it can"
    ),
    'llamacpp': Engine(
        'llamacpp-local',
        'llama_cpp',
        "llama.cpp's engine needs llama-cpp-python, which is not installed here: `make test-llamacpp` builds it",
        {'n_threads': 1, 'context_kwargs': LLAMACPP_KWARGS},
        is_fast=True,
    ),
    'vllm': Engine(
        'vllm',
        'vllm',
        "vLLM's engine needs vLLM, which is not installed here: `make test-vllm` makes an environment with it",
        {'model_kwargs': VLLM_KWARGS},
    ),
}

# vLLM and the packages that it imports emit warnings.
MARKS: Mapping[str, Sequence[Any]] = {
    'llamacpp': (pytest.mark.llamacpp,),
    'vllm': (pytest.mark.vllm, pytest.mark.filterwarnings('ignore')),
}


def on(*names: str) -> pytest.MarkDecorator:
    """Run a test on each of these engines."""
    return pytest.mark.parametrize(
        'engine', [pytest.param(name, marks=MARKS.get(name, ())) for name in names], indirect=True
    )


def skip_if_missing(engine: Engine) -> None:
    """Skip the test, or the module, if the engine's library is not installed."""
    pytest.importorskip(engine.library, reason=engine.missing, exc_type=ImportError)


def ask(text: str = 'hi') -> list[ModelRequest]:
    return [ModelRequest.user_text_prompt(text)]


@functools.cache
def load_with_transformers(path: Path) -> tuple[Any, Any]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    return transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32), tokenizer


@functools.cache
def generate_with_transformers(path: Path, prompt: str, tokens: int) -> str:
    return tiny.generate(*load_with_transformers(path), prompt, tokens)


@functools.cache
def load_with_mlx(path: Path) -> tuple[Any, Any]:
    import mlx_lm

    # Transformers writes this elsewhere in the configuration, where mlx-lm does not look.
    loaded: tuple[Any, Any] = mlx_lm.load(str(path), model_config={'rope_theta': 10000.0})
    return loaded


@functools.cache
def generate_with_mlx(path: Path, prompt: str, tokens: int) -> str:
    return run_mlx(*load_with_mlx(path), prompt, tokens)


def run_mlx(model: Any, tokenizer: Any, prompt: str, tokens: int) -> str:
    """Return the text that mlx-lm generates for a prompt, always with the likeliest token."""
    import mlx_lm

    ids = tokenizer.apply_chat_template([{'role': 'user', 'content': prompt}], add_generation_prompt=True)
    generated = [output.token for output in mlx_lm.stream_generate(model, tokenizer, ids, max_tokens=tokens)]
    text: str = tokenizer.decode(generated, skip_special_tokens=True)
    return tiny.leave_out_thinking(text)
