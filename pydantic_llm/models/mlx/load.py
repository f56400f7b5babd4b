"""Load a model: a name or a path → the weights in memory, the tokenizer, and the facts about the model.

Runs in the engine's thread. Start at `load`.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, cast

from ...exceptions import UserError
from ...json_types import Json
from ..local import CONSTRAINT_KINDS, Grammars, Loaded, Prompt, Tokenizer
from ..local.generation import decode_generation
from ..local.load_errors import translate_errors
from ..local.loading import (
    Source,
    check_tokenizer,
    collect_token_ids,
    decode_generation_config,
    find_context_length,
)
from .library import import_mlx, import_mlx_lm

__all__ = ('MLXSource', 'load')

logger: logging.Logger = logging.getLogger('pydantic_llm.local')


MERGE_METHOD = 'merge'
"""The method that a cache needs for batching (`_merge_caches` in mlx_lm/generate.py, 0.32)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MLXSource(Source):
    """The model to load, and the options of mlx-lm for it."""

    load_kwargs: Mapping[str, Any] | None = None
    """More arguments of `mlx_lm.load`."""
    adapters: Mapping[str, str] = field(default_factory=dict[str, str])
    """The folder of each adapter that a request can name."""


def load(source: MLXSource) -> tuple[Any, Loaded]:
    """Load a model. Return the library's model, with its weights, and the facts about it.

    Raises `UserError` if it cannot be loaded, `ModelConnectionError` if the hub cannot be reached.
    """
    _check_process(source)
    mx, mlx_lm = import_mlx(), import_mlx_lm()
    begun = perf_counter()
    source.report(f'Loading {source.name}')
    with translate_errors(source, engine='mlx'):
        model, tokenizer, config = _load_lazily(mlx_lm, source, {})
        if changes := missing_rope_settings(config):
            logger.info('%s: passed to mlx-lm under the names that it reads: %s', source.name, changes)
            model, tokenizer, config = _load_lazily(mlx_lm, source, changes)
        mx.eval(model.parameters())
        _check_batchable(source, model)
    count = import_mlx_lm('utils').get_total_parameters(model)
    took = f'{perf_counter() - begun:.1f} s'
    source.report(f'Loaded {source.name}: {count:,} parameters, on {mx.default_device()}, in {took}')
    return model, _describe(tokenizer, config)


_process: int | None = None
"""The process that has loaded a model with MLX; a forked child inherits the number, and not the threads of MLX."""


def _check_process(source: MLXSource) -> None:
    """Raise `UserError` in the child of a fork whose parent has used MLX, where every computation would hang."""
    global _process
    if _process not in (None, os.getpid()):
        raise UserError(
            f'{source.name!r} cannot run in the child of a fork, as its parent has used MLX: load the model after the '
            'fork, or start the process by spawn'
        )
    _process = os.getpid()


def _load_lazily(mlx_lm: Any, source: MLXSource, changes: Json) -> tuple[Any, Any, Json]:
    """Return the model, its weights not yet in memory, its tokenizer, and its configuration with `changes`."""
    options = dict(source.load_kwargs or {})
    trust = {'trust_remote_code': source.trust_remote_code}
    parts: tuple[Any, Any, Json] = mlx_lm.load(
        source.name,
        **{
            **options,
            **trust,
            'lazy': True,
            'return_config': True,
            'tokenizer_config': {**trust, **(options.get('tokenizer_config') or {})},
            'model_config': {**changes, **(options.get('model_config') or {})},
        },
    )
    return parts


def missing_rope_settings(config: Mapping[str, Any]) -> Json:
    """Return the settings in `rope_parameters` under the names that mlx-lm reads, if the configuration lacks these.

    Transformers 5 writes `rope_parameters`. Most models of mlx-lm 0.32 read only `rope_theta` and `rope_scaling`, and
    take a default without a warning (`ModelArgs` in mlx_lm/models/llama.py; ml-explore/mlx-lm#953): the model would
    generate nonsense.
    """
    missing: Json = {}
    text = config.get('text_config')
    if isinstance(text, Mapping) and (inner := missing_rope_settings(cast('Mapping[str, Any]', text))):
        missing['text_config'] = {**cast('Mapping[str, Any]', text), **inner}
    parameters = config.get('rope_parameters')
    if isinstance(parameters, Mapping) and 'rope_theta' in parameters and 'rope_theta' not in config:
        scaling = dict(cast('Mapping[str, Any]', parameters))
        missing['rope_theta'] = scaling.pop('rope_theta')
        if scaling.get('rope_type', 'default') != 'default' and not config.get('rope_scaling'):
            missing['rope_scaling'] = scaling
    return missing


def _check_batchable(source: MLXSource, model: Any) -> None:
    """Raise `UserError` if mlx-lm cannot batch a cache of the model."""
    caches = import_mlx_lm('models.cache').make_prompt_cache(model)
    if kinds := sorted({type(cache).__name__ for cache in caches if not hasattr(cache, MERGE_METHOD)}):
        raise UserError(f'{source.name!r} cannot run here: mlx-lm does not batch its cache ({", ".join(kinds)})')


def _describe(wrapper: Any, config: Json) -> Loaded:
    """Return the facts about the model."""
    # llguidance needs the tokenizer of transformers inside mlx-lm's wrapper (`TokenizerWrapper` in
    # mlx_lm/tokenizer_utils.py, 0.32), which has no public name for it.
    tokenizer = getattr(wrapper, '_tokenizer', wrapper)
    text: Json = {**config, **(config.get('text_config') or {})}
    eos = collect_token_ids([*wrapper.eos_token_ids], text.get('eos_token_id'))
    check_tokenizer(tokenizer, tokenizer.name_or_path)
    text_tokenizer = Tokenizer(tokenizer)
    size = int(text.get('vocab_size') or len(tokenizer))
    generation = _read_generation_config(Path(tokenizer.name_or_path))
    return Loaded(
        tokenizer=text_tokenizer,
        encode=partial(_encode_prompt, text_tokenizer),
        vocabulary_size=size,
        context_length=find_context_length(text.get),
        sampling=decode_generation_config(generation),
        generation=decode_generation(generation),
        eos=eos,
        constraints=CONSTRAINT_KINDS,
        grammars=Grammars(tokenizer, vocabulary_size=size, eos=eos, extra='mlx'),
    )


def _read_generation_config(folder: Path) -> Json:
    """Return the content of `generation_config.json`, or `{}` if the folder has none that can be read."""
    file = folder / 'generation_config.json'
    try:
        config: object = json.loads(file.read_text(encoding='utf-8'))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        config = error
    if not isinstance(config, dict):
        logger.warning('%s is not used, as it is not a JSON object: %s', file, config)
        return {}
    return cast('Json', config)


def _encode_prompt(tokenizer: Tokenizer, text: str, images: Sequence[bytes]) -> Prompt:
    assert not images, '`encode_messages` raises for images if the model takes none'
    return Prompt(tokenizer.encode(text))
