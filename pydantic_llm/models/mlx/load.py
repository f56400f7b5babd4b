"""Loading: a name or a path → the model, its tokenizer, and what is known of it. Runs in the engine's thread."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, cast

from ...exceptions import LLMError, ModelAPIError, ModelConnectionError, UserError
from ..local import CONSTRAINT_KINDS, Grammars, Loaded, Prompt, Sampling, Tokenizer
from .library import import_mlx, import_mlx_lm

__all__ = ('Source', 'Weights', 'load')

logger = logging.getLogger('pydantic_llm.local')

Json = dict[str, Any]

OFFLINE = ("couldn't connect", 'offline', 'Connection error', 'Max retries', 'snapshot folder')
"""What Hugging Face's client says where it cannot reach its hub."""

NEEDS_TRUST = 'trust_remote_code'

MERGES = 'merge'
"""The method of those caches that mlx-lm can batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What to load, and how."""

    name: str
    """A name on Hugging Face's hub, or a path."""
    trust_remote_code: bool = False
    """Whether code that comes with the model may run."""
    load_kwargs: Mapping[str, Any] | None = None
    """What else goes to `mlx_lm.load`."""
    progress: Callable[[str], None] | None = None
    """Told what is going on, a sentence each."""

    def tell(self, sentence: str) -> None:
        """Tell what is going on."""
        logger.info(sentence)
        if self.progress is not None:
            self.progress(sentence)


@dataclass(frozen=True, slots=True)
class Weights:
    """A loaded model."""

    model: Any
    """mlx-lm's own model."""
    loaded: Loaded
    """What is known of it."""


def load(source: Source) -> Weights:
    """Load a model. Raises `UserError` for what cannot be loaded, `ModelConnectionError` where the hub is away."""
    mx, mlx_lm = import_mlx(), import_mlx_lm()
    begun = perf_counter()
    source.tell(f'Loading {source.name}')
    with _explained(source):
        model, tokenizer, config = _read(mlx_lm, source, {})
        if missed := rope_settings(config):
            logger.info('%s: told to mlx-lm, which reads another name for it: %s', source.name, missed)
            model, tokenizer, config = _read(mlx_lm, source, missed)
        mx.eval(model.parameters())
        _check_batchable(source, model)
    count = import_mlx_lm('utils').get_total_parameters(model)
    took = f'{perf_counter() - begun:.1f} s'
    source.tell(f'Loaded {source.name}: {count:,} parameters, on {mx.default_device()}, in {took}')
    return Weights(model, _loaded(tokenizer, config))


def _read(mlx_lm: Any, source: Source, changes: Json) -> tuple[Any, Any, Json]:
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


def _check_batchable(source: Source, model: Any) -> None:
    caches = import_mlx_lm('models.cache').make_prompt_cache(model)
    if kinds := sorted({type(cache).__name__ for cache in caches if not hasattr(cache, MERGES)}):
        raise UserError(f'{source.name!r} cannot run here: mlx-lm does not batch its cache ({", ".join(kinds)})')


# ---------------------------------------------------------------------- what is known


def _loaded(wrapper: Any, config: Json) -> Loaded:
    tokenizer = getattr(wrapper, '_tokenizer', wrapper)  # grammars need Hugging Face's own
    text: Json = {**config, **(config.get('text_config') or {})}
    eos = frozenset(cast('set[int]', wrapper.eos_token_ids)) | _ids(text.get('eos_token_id'))
    ours = Tokenizer(tokenizer)
    size = int(text.get('vocab_size') or len(tokenizer))
    return Loaded(
        tokenizer=ours,
        encode=partial(_encode, ours),
        vocabulary=size,
        context_length=_context_length(text),
        sampling=sampling_of(Path(tokenizer.name_or_path)),
        eos=eos,
        constraints=CONSTRAINT_KINDS,
        grammars=Grammars(tokenizer, vocabulary_size=size, eos=eos, extra='mlx'),
    )


def _ids(found: Any) -> frozenset[int]:
    if found is None:
        return frozenset()
    return frozenset(cast('list[int]', found)) if isinstance(found, (list, tuple)) else frozenset([found])


def _context_length(config: Mapping[str, Any]) -> int | None:
    names = ('max_position_embeddings', 'n_positions', 'max_sequence_length', 'seq_length')
    return next((int(value) for name in names if (value := config.get(name))), None)


def sampling_of(folder: Path) -> Sampling:
    """How the model's makers want its tokens chosen: the likeliest, where they do not say."""
    try:
        said = json.loads((folder / 'generation_config.json').read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return Sampling()
    penalty = said.get('repetition_penalty')
    if not said.get('do_sample'):
        return Sampling(repetition_penalty=penalty)
    temperature = said.get('temperature')
    return Sampling(
        temperature=1.0 if temperature is None else temperature,
        top_k=said.get('top_k'),
        top_p=said.get('top_p'),
        min_p=said.get('min_p'),
        repetition_penalty=penalty,
    )


def _encode(tokenizer: Tokenizer, text: str, images: Sequence[bytes]) -> Prompt:
    assert not images, 'the dialog takes none for a model that reads text alone'
    return Prompt(tokenizer.encode(text))


# ---------------------------------------------------------------------- errors


@contextmanager
def _explained(source: Source) -> Generator[None]:
    """What mlx-lm raises while it loads, in our words."""
    try:
        yield
    except LLMError:
        raise
    except (MemoryError, RuntimeError) as error:
        said = f'{source.name!r} cannot be loaded: {error}'
        raise ModelAPIError(source.name, said, provider_name='mlx') from error
    except (OSError, ValueError, ImportError, KeyError, TypeError, AttributeError) as error:
        raise _explain(source, f'{error}') from error


def _explain(source: Source, said: str) -> LLMError:
    if NEEDS_TRUST in said and not source.trust_remote_code:
        return UserError(
            f'{source.name!r} comes with code of its own, which runs only with trust_remote_code=True: read it first'
        )
    if any(word in said for word in OFFLINE):
        message = f'{source.name!r} is not on this machine, and the hub cannot be reached: {said}'
        return ModelConnectionError(source.name, message, provider_name='mlx')
    return UserError(f'{source.name!r} cannot be loaded: give a name on the hub or the path of a folder. {said}')
