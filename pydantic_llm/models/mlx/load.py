"""Loading: a name or a path → the model, its tokenizer, and what is known of it. Runs in the engine's thread."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, cast

from ...exceptions import UserError
from ...json_types import Json
from ..local import CONSTRAINT_KINDS, Grammars, Loaded, Prompt, Tokenizer
from ..local.loading import Source, collect_token_ids, decode_generation_config, find_context_length, translate_errors
from .library import import_mlx, import_mlx_lm

__all__ = ('MLXSource', 'Weights', 'load')

logger = logging.getLogger('pydantic_llm.local')


MERGES = 'merge'
"""The method of those caches that mlx-lm can batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MLXSource(Source):
    """What to load, and how."""

    load_kwargs: Mapping[str, Any] | None = None
    """What else goes to `mlx_lm.load`."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A loaded model."""

    model: Any
    """mlx-lm's own model."""
    loaded: Loaded
    """What is known of it."""


def load(source: MLXSource) -> Weights:
    """Load a model. Raises `UserError` for what cannot be loaded, `ModelConnectionError` where the hub is away."""
    mx, mlx_lm = import_mlx(), import_mlx_lm()
    begun = perf_counter()
    source.report(f'Loading {source.name}')
    with translate_errors(source, engine='mlx'):
        model, tokenizer, config = _read(mlx_lm, source, {})
        if missed := rope_settings(config):
            logger.info('%s: told to mlx-lm, which reads another name for it: %s', source.name, missed)
            model, tokenizer, config = _read(mlx_lm, source, missed)
        mx.eval(model.parameters())
        _check_batchable(source, model)
    count = import_mlx_lm('utils').get_total_parameters(model)
    took = f'{perf_counter() - begun:.1f} s'
    source.report(f'Loaded {source.name}: {count:,} parameters, on {mx.default_device()}, in {took}')
    return Weights(model, _loaded(tokenizer, config))


def _read(mlx_lm: Any, source: MLXSource, changes: Json) -> tuple[Any, Any, Json]:
    """The model, not yet in memory, its tokenizer and its configuration."""
    options = dict(source.load_kwargs or {})
    trust = {'trust_remote_code': source.trust_remote_code}
    found: tuple[Any, Any, Json] = mlx_lm.load(
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
    return found


def rope_settings(config: Mapping[str, Any]) -> Json:
    """What Transformers writes as `rope_parameters`, as mlx-lm's models read it; empty where they find it anyway.

    mlx-lm takes a default where `rope_theta` is missing, and says nothing: the model would write nonsense.
    """
    found: Json = {}
    text = config.get('text_config')
    if isinstance(text, Mapping) and (inner := rope_settings(cast('Mapping[str, Any]', text))):
        found['text_config'] = {**cast('Mapping[str, Any]', text), **inner}
    parameters = config.get('rope_parameters')
    if isinstance(parameters, Mapping) and 'rope_theta' in parameters and 'rope_theta' not in config:
        scaling = dict(cast('Mapping[str, Any]', parameters))
        found['rope_theta'] = scaling.pop('rope_theta')
        if scaling.get('rope_type', 'default') != 'default' and not config.get('rope_scaling'):
            found['rope_scaling'] = scaling
    return found


def _check_batchable(source: MLXSource, model: Any) -> None:
    caches = import_mlx_lm('models.cache').make_prompt_cache(model)
    if kinds := sorted({type(cache).__name__ for cache in caches if not hasattr(cache, MERGES)}):
        raise UserError(f'{source.name!r} cannot run here: mlx-lm does not batch its cache ({", ".join(kinds)})')


# ---------------------------------------------------------------------- what is known


def _loaded(wrapper: Any, config: Json) -> Loaded:
    tokenizer = getattr(wrapper, '_tokenizer', wrapper)  # grammars need Hugging Face's own
    text: Json = {**config, **(config.get('text_config') or {})}
    eos = collect_token_ids([*wrapper.eos_token_ids], text.get('eos_token_id'))
    ours = Tokenizer(tokenizer)
    size = int(text.get('vocab_size') or len(tokenizer))
    return Loaded(
        tokenizer=ours,
        encode=partial(_encode, ours),
        vocabulary_size=size,
        context_length=find_context_length(text.get),
        sampling=decode_generation_config(_generation_config(Path(tokenizer.name_or_path))),
        eos=eos,
        constraints=CONSTRAINT_KINDS,
        grammars=Grammars(tokenizer, vocabulary_size=size, eos=eos, extra='mlx'),
    )


def _generation_config(folder: Path) -> Json:
    """How the model's makers want its tokens chosen; empty where they do not say."""
    try:
        found: Json = json.loads((folder / 'generation_config.json').read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
    return found


def _encode(tokenizer: Tokenizer, text: str, images: Sequence[bytes]) -> Prompt:
    assert not images, 'the dialog takes none for a model that reads text alone'
    return Prompt(tokenizer.encode(text))
