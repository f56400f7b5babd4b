"""Load a model: a name or a path → the weights on their device, the tokenizer, and the facts about the model.

Runs in the engine's thread. Start at `load`; `parts` finds all but the weights.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from functools import partial
from time import perf_counter
from typing import Any

from ..._suggestions import suggest
from ...exceptions import UserError
from ..local import CONSTRAINT_KINDS, Grammars, Loaded, Prompt, Tokenizer
from ..local.generation import decode_generation
from ..local.load_errors import translate_errors
from ..local.loading import (
    check_tokenizer,
    collect_token_ids,
    decode_generation_config,
    find_context_length,
    one_at_a_time,
    open_image,
)
from .adapters import load_adapter, make_peft_names
from .library import import_torch, import_transformers
from .parts import Parts, TransformersSource, find_parts
from .processors import TransformersSampling, list_supported
from .rope import find_context_factor

__all__ = ('load',)


def load(source: TransformersSource) -> tuple[Any, Loaded]:
    """Load a model. Return the library's model, with its weights, and the facts about it.

    Raises `UserError` if it cannot be loaded, `ModelConnectionError` if the hub cannot be reached.
    """
    import_torch()
    transformers = import_transformers()
    begun = perf_counter()
    source.report(f'Loading {source.name}')
    with one_at_a_time(), translate_errors(source, engine='transformers'):
        parts = find_parts(source)
        model = _load_weights(transformers, source, parts)
    count = sum(parameter.numel() for parameter in model.parameters())
    took = f'{perf_counter() - begun:.1f} s'
    source.report(f'Loaded {source.name}: {count:,} parameters, {model.dtype} on {model.device}, in {took}')
    return model, _describe(model, parts)


def _load_weights(transformers: Any, source: TransformersSource, parts: Parts) -> Any:
    """Load the weights, and the adapter, and move them to their device, ready to run."""
    is_text_model = type(parts.config) in transformers.MODEL_FOR_CAUSAL_LM_MAPPING
    takes_images = getattr(parts.config, 'vision_config', None) is not None
    # Some models that take images have no class for text alone, and run without images too.
    for_images = takes_images and (parts.processor is not None or not is_text_model)
    auto_class = transformers.AutoModelForImageTextToText if for_images else transformers.AutoModelForCausalLM
    device = source.device_map
    is_spread = device is not None and not (isinstance(device, str) and _is_device(device))
    options = {'dtype': _find_dtype(source.torch_dtype), **parts.base.options}
    if is_spread:
        options['device_map'] = device
    model, info = auto_class.from_pretrained(parts.base.name, output_loading_info=True, **options)
    _check_complete(source, model, info['missing_keys'])
    if parts.adapter is not None:
        load_adapter(model, parts.adapter)
    for place, name in zip(parts.adapters.values(), make_peft_names(parts.adapters).values(), strict=True):
        load_adapter(model, place, name)
    # Quantized weights are on their device already (`update_device_map` in transformers/quantizers, 5.24).
    if not is_spread and not getattr(model, 'is_quantized', False):
        model = model.to(device or _best_device())
    return model.eval()


def _check_complete(source: TransformersSource, model: Any, missing: Collection[str]) -> None:
    """Raise `UserError` if weights are missing: the library makes random ones of them, and only logs it."""
    parameters = {name for name, _ in model.named_parameters()}
    if absent := sorted(name for name in missing if name in parameters):
        raise UserError(
            f'{source.name!r} cannot be loaded: its files have no weights for {len(absent)} parameters of '
            f'{type(model).__name__}, such as {absent[0]}'
        )


def _find_dtype(name: Any) -> Any:
    """Return the type of the weights. Raises `UserError` for a text that does not name one."""
    torch = import_torch()
    if not isinstance(name, str) or name == 'auto' or isinstance(getattr(torch, name, None), torch.dtype):
        return name
    known = [each for each in dir(torch) if isinstance(getattr(torch, each), torch.dtype)]
    hint = suggest(name, known)
    raise UserError(f"torch_dtype is {name!r}: give 'auto' or the name of a type of torch, such as 'bfloat16'{hint}")


def _is_device(name: str) -> bool:
    return name.partition(':')[0] in ('cpu', 'cuda', 'mps', 'xpu', 'npu', 'hpu')


def _best_device() -> str:
    torch = import_torch()
    if torch.cuda.is_available():
        return 'cuda'
    return 'mps' if torch.backends.mps.is_available() else 'cpu'


def _describe(model: Any, parts: Parts) -> Loaded:
    """Return the facts about the model."""
    tokenizer, processor = parts.tokenizer, parts.processor
    config = model.config.get_text_config()
    generation: dict[str, Any] = model.generation_config.to_dict()
    eos = collect_token_ids(
        generation.get('eos_token_id'), tokenizer.eos_token_id, getattr(config, 'eos_token_id', None)
    )
    check_tokenizer(tokenizer, parts.base.name)
    text_tokenizer = Tokenizer(tokenizer, processor=processor, text_only_reason=parts.text_only_reason)
    size = int(config.vocab_size)
    defaults = decode_generation(generation, held=list_supported(generation, eos, size))
    return Loaded(
        tokenizer=text_tokenizer,
        encode=partial(_encode_prompt, text_tokenizer),
        takes_images=processor is not None,
        vocabulary_size=size,
        context_length=_find_context_length(config),
        sampling=TransformersSampling(
            **asdict(decode_generation_config(generation)), generation=defaults.held, eos=eos
        ),
        generation=defaults,
        eos=eos,
        constraints=CONSTRAINT_KINDS,
        grammars=Grammars(tokenizer, vocabulary_size=size, eos=eos, extra='transformers'),
    )


def _find_context_length(config: Any) -> int | None:
    length = find_context_length(lambda name: getattr(config, name, None))
    return None if length is None else int(length * find_context_factor(config))


def _encode_prompt(tokenizer: Tokenizer, text: str, images: Sequence[bytes]) -> Prompt:
    if not images:
        return Prompt(tokenizer.encode(text))
    opened = [open_image(image, extra='transformers') for image in images]
    try:
        encoded = tokenizer.processor(text=[text], images=opened, return_tensors='pt', add_special_tokens=False)
    except (ValueError, TypeError, IndexError) as error:
        raise UserError(f'The images cannot be encoded for the model: {error}') from error
    inputs = {name: value for name, value in encoded.items() if name not in ('input_ids', 'attention_mask')}
    return Prompt(encoded['input_ids'][0].tolist(), inputs)
