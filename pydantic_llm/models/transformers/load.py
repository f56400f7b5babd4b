"""Loading: a name or a path → the model, its tokenizer, and what is known of it. Runs in the engine's thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from time import perf_counter
from typing import Any, cast

from ..._extras import import_extra
from ...exceptions import LLMError, ModelAPIError, ModelConnectionError, UserError
from ..local import CONSTRAINT_KINDS, Grammars, Loaded, Prompt, Sampling, Tokenizer
from .library import import_torch, import_transformers

__all__ = ('Source', 'Weights', 'load')

logger = logging.getLogger('pydantic_llm.local')

OFFLINE = ("couldn't connect", 'offline', 'Connection error', 'Max retries')
"""What Hugging Face's client says where it cannot reach its hub."""

NEEDS_TRUST = 'trust_remote_code'


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What to load, and how."""

    name: str
    """A name on Hugging Face's hub, or a path."""
    device_map: Any = None
    """Where the weights go; `None` takes the first accelerator, or the CPU."""
    torch_dtype: Any = 'auto'
    """The numbers that the weights are made of."""
    trust_remote_code: bool = False
    """Whether code that comes with the model may run."""
    model_kwargs: Mapping[str, Any] | None = None
    """What else goes to `from_pretrained`."""
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
    """Transformers' own model."""
    loaded: Loaded
    """What is known of it."""


def load(source: Source) -> Weights:
    """Load a model. Raises `UserError` for what cannot be loaded, `ModelConnectionError` where the hub is away."""
    import_torch()
    transformers = import_transformers()
    begun = perf_counter()
    source.tell(f'Loading {source.name}')
    with _explained(source):
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
    source.tell(f'Loaded {source.name}: {count:,} parameters, {model.dtype} on {model.device}, in {took}')
    return Weights(model, _loaded(model, tokenizer, processor))


def _trust(source: Source) -> dict[str, Any]:
    return {'trust_remote_code': source.trust_remote_code}


def _where(source: Source) -> dict[str, Any]:
    """The options that also say where the tokenizer is."""
    options = source.model_kwargs or {}
    return {name: options[name] for name in ('revision', 'cache_dir', 'token', 'local_files_only') if name in options}


def _sees(config: Any) -> bool:
    return getattr(config, 'vision_config', None) is not None


def _processor(transformers: Any, source: Source) -> Any:
    return transformers.AutoProcessor.from_pretrained(source.name, **_trust(source), **_where(source))


def _model(transformers: Any, source: Source, *, sees: bool) -> Any:
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
    eos = _ids(generation.eos_token_id) | _ids(tokenizer.eos_token_id) | _ids(getattr(config, 'eos_token_id', None))
    ours = Tokenizer(tokenizer, processor=processor)
    size = int(config.vocab_size)
    return Loaded(
        tokenizer=ours,
        encode=partial(_encode, ours),
        takes_images=processor is not None,
        vocabulary=size,
        context_length=_context_length(config),
        sampling=_sampling(generation),
        eos=eos,
        constraints=CONSTRAINT_KINDS,
        grammars=Grammars(tokenizer, vocabulary_size=size, eos=eos, extra='transformers'),
    )


def _ids(found: Any) -> frozenset[int]:
    if found is None:
        return frozenset()
    return frozenset(cast('list[int]', found)) if isinstance(found, (list, tuple)) else frozenset([found])


def _context_length(config: Any) -> int | None:
    names = ('max_position_embeddings', 'n_positions', 'max_sequence_length', 'seq_length')
    return next((int(value) for name in names if (value := getattr(config, name, None))), None)


def _sampling(generation: Any) -> Sampling:
    """How the model's makers want its tokens chosen: the likeliest, where they do not say."""
    penalty = generation.repetition_penalty
    if not generation.do_sample:
        return Sampling(repetition_penalty=penalty)
    return Sampling(
        temperature=1.0 if generation.temperature is None else generation.temperature,
        top_k=generation.top_k,
        top_p=generation.top_p,
        min_p=getattr(generation, 'min_p', None),
        repetition_penalty=penalty,
    )


def _encode(tokenizer: Tokenizer, text: str, images: Sequence[bytes]) -> Prompt:
    if not images:
        return Prompt(tokenizer.encode(text))
    pictures = [_picture(image) for image in images]
    try:
        found = tokenizer.processor(text=[text], images=pictures, return_tensors='pt', add_special_tokens=False)
    except (ValueError, TypeError, IndexError) as error:
        raise UserError(f'The images cannot be put to the model: {error}') from error
    inputs = {name: value for name, value in found.items() if name not in ('input_ids', 'attention_mask')}
    return Prompt(found['input_ids'][0].tolist(), inputs)


def _picture(data: bytes) -> Any:
    image = import_extra('PIL.Image', extra='transformers', what='An image')
    try:
        return image.open(BytesIO(data)).convert('RGB')
    except (OSError, ValueError) as error:
        raise UserError(f'The image of {len(data)} bytes cannot be read: {error}') from error


# ---------------------------------------------------------------------- errors


@contextmanager
def _explained(source: Source) -> Generator[None]:
    """What Transformers raises while it loads, in our words."""
    try:
        yield
    except LLMError:
        raise
    except (MemoryError, RuntimeError) as error:
        said = f'{source.name!r} cannot be loaded: {error}'
        raise ModelAPIError(source.name, said, provider_name='transformers') from error
    except (OSError, ValueError, ImportError, KeyError, TypeError, AttributeError) as error:
        raise _explain(source, f'{error}') from error


def _explain(source: Source, said: str) -> LLMError:
    if NEEDS_TRUST in said and not source.trust_remote_code:
        return UserError(
            f'{source.name!r} comes with code of its own, which runs only with trust_remote_code=True: read it first'
        )
    if any(word in said for word in OFFLINE):
        message = f'{source.name!r} is not on this machine, and the hub cannot be reached: {said}'
        return ModelConnectionError(source.name, message, provider_name='transformers')
    return UserError(f'{source.name!r} cannot be loaded: give a name on the hub or the path of a folder. {said}')
