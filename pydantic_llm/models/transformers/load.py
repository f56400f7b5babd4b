"""Loading: a name or a path → the model, its tokenizer, and what is known of it. Runs in the engine's thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

from ...exceptions import UserError
from ..local import CONSTRAINT_KINDS, Grammars, Loaded, Prompt, Tokenizer
from ..local.loading import (
    Source,
    collect_token_ids,
    decode_generation_config,
    find_context_length,
    open_image,
    translate_errors,
)
from .library import import_torch, import_transformers

__all__ = ('TransformersSource', 'Weights', 'load')


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformersSource(Source):
    """What to load, and how."""

    device_map: Any = None
    """Where the weights go; `None` takes the first accelerator, or the CPU."""
    torch_dtype: Any = 'auto'
    """The numbers that the weights are made of."""
    model_kwargs: Mapping[str, Any] | None = None
    """What else goes to `from_pretrained`."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A loaded model."""

    model: Any
    """Transformers' own model."""
    loaded: Loaded
    """What is known of it."""


def load(source: TransformersSource) -> Weights:
    """Load a model. Raises `UserError` for what cannot be loaded, `ModelConnectionError` where the hub is away."""
    import_torch()
    transformers = import_transformers()
    begun = perf_counter()
    source.report(f'Loading {source.name}')
    with translate_errors(source, engine='transformers'):
        config = transformers.AutoConfig.from_pretrained(source.name, **_trust(source), **_where(source))
        sees = _sees(config)
        if getattr(config, 'is_encoder_decoder', False):
            raise UserError(f'{source.name!r} is a model with an encoder, which does not chat: take one that goes on')
        processor = _processor(transformers, source) if sees else None
        tokenizer = getattr(processor, 'tokenizer', None) or transformers.AutoTokenizer.from_pretrained(
            source.name, **_trust(source), **_where(source)
        )
        model = _model(transformers, source, sees=sees)
    count = sum(parameter.numel() for parameter in model.parameters())
    took = f'{perf_counter() - begun:.1f} s'
    source.report(f'Loaded {source.name}: {count:,} parameters, {model.dtype} on {model.device}, in {took}')
    return Weights(model, _loaded(model, tokenizer, processor))


def _trust(source: TransformersSource) -> dict[str, Any]:
    return {'trust_remote_code': source.trust_remote_code}


def _where(source: TransformersSource) -> dict[str, Any]:
    """The options that also say where the tokenizer is."""
    options = source.model_kwargs or {}
    return {name: options[name] for name in ('revision', 'cache_dir', 'token', 'local_files_only') if name in options}


def _sees(config: Any) -> bool:
    return getattr(config, 'vision_config', None) is not None


def _processor(transformers: Any, source: TransformersSource) -> Any:
    return transformers.AutoProcessor.from_pretrained(source.name, **_trust(source), **_where(source))


def _model(transformers: Any, source: TransformersSource, *, sees: bool) -> Any:
    """The weights, where they shall be, ready to be used."""
    kind = transformers.AutoModelForImageTextToText if sees else transformers.AutoModelForCausalLM
    device = source.device_map
    spread = device is not None and not (isinstance(device, str) and _is_device(device))
    options = {'dtype': source.torch_dtype, **_trust(source), **(source.model_kwargs or {})}
    if spread:
        options['device_map'] = device
    model = kind.from_pretrained(source.name, **options)
    if not spread and not getattr(model, 'is_quantized', False):
        model = model.to(device or _best_device())
    return model.eval()


def _is_device(name: str) -> bool:
    return name.partition(':')[0] in ('cpu', 'cuda', 'mps', 'xpu', 'npu', 'hpu')


def _best_device() -> str:
    torch = import_torch()
    if torch.cuda.is_available():
        return 'cuda'
    return 'mps' if torch.backends.mps.is_available() else 'cpu'


# ---------------------------------------------------------------------- what is known


def _loaded(model: Any, tokenizer: Any, processor: Any) -> Loaded:
    config = model.config.get_text_config()
    generation = model.generation_config
    eos = collect_token_ids(generation.eos_token_id, tokenizer.eos_token_id, getattr(config, 'eos_token_id', None))
    ours = Tokenizer(tokenizer, processor=processor)
    size = int(config.vocab_size)
    return Loaded(
        tokenizer=ours,
        encode=partial(_encode, ours),
        takes_images=processor is not None,
        vocabulary_size=size,
        context_length=find_context_length(lambda name: getattr(config, name, None)),
        sampling=decode_generation_config(generation.to_dict()),
        eos=eos,
        constraints=CONSTRAINT_KINDS,
        grammars=Grammars(tokenizer, vocabulary_size=size, eos=eos, extra='transformers'),
    )


def _encode(tokenizer: Tokenizer, text: str, images: Sequence[bytes]) -> Prompt:
    if not images:
        return Prompt(tokenizer.encode(text))
    pictures = [open_image(image, extra='transformers') for image in images]
    try:
        found = tokenizer.processor(text=[text], images=pictures, return_tensors='pt', add_special_tokens=False)
    except (ValueError, TypeError, IndexError) as error:
        raise UserError(f'The images cannot be put to the model: {error}') from error
    inputs = {name: value for name, value in found.items() if name not in ('input_ids', 'attention_mask')}
    return Prompt(found['input_ids'][0].tolist(), inputs)
