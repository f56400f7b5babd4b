"""Loading, as far as it is the same for every engine: what to load, what its makers say of it, errors in our words."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from ..._extras import import_extra
from ...exceptions import LLMError, ModelAPIError, ModelConnectionError, UserError
from .engine import Sampling

__all__ = (
    'Source',
    'collect_token_ids',
    'decode_generation_config',
    'find_context_length',
    'open_image',
    'translate_errors',
)

logger = logging.getLogger('pydantic_llm.local')

OFFLINE = ("couldn't connect", 'offline', 'Connection error', 'Max retries', 'snapshot folder')
"""What Hugging Face's client says where it cannot reach its hub."""

NEEDS_TRUST = 'trust_remote_code'

LENGTHS = ('max_position_embeddings', 'n_positions', 'max_sequence_length', 'seq_length')
"""What configurations call the length of the context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What to load. Engines add how."""

    name: str
    """A name on Hugging Face's hub, or a path."""
    trust_remote_code: bool = False
    """Whether code that comes with the model may run."""
    progress: Callable[[str], None] | None = None
    """Told what is going on, a sentence each."""

    def report(self, sentence: str) -> None:
        """Tell what is going on."""
        logger.info(sentence)
        if self.progress is not None:
            self.progress(sentence)


# ---------------------------------------------------------------------- what a model's makers say


def collect_token_ids(*found: int | Sequence[int] | None) -> frozenset[int]:
    """The ids in what configurations hold: one, several or none."""
    ids: set[int] = set()
    for one in found:
        if isinstance(one, int):
            ids.add(one)
        elif one is not None:
            ids.update(one)
    return frozenset(ids)


def find_context_length(config: Callable[[str], Any]) -> int | None:
    """How many tokens a model reads, by its configuration, which gives what has a name, or `None`."""
    return next((int(value) for name in LENGTHS if (value := config(name))), None)


def decode_generation_config(generation: Mapping[str, Any]) -> Sampling:
    """How tokens are chosen, by a generation config: the likeliest, where it does not say."""
    penalty = generation.get('repetition_penalty')
    if not generation.get('do_sample'):
        return Sampling(repetition_penalty=penalty)
    temperature = generation.get('temperature')
    return Sampling(
        temperature=1.0 if temperature is None else temperature,
        top_k=generation.get('top_k'),
        top_p=generation.get('top_p'),
        min_p=generation.get('min_p'),
        repetition_penalty=penalty,
    )


def open_image(data: bytes, *, extra: str) -> Any:
    """An image of Pillow's. Raises `UserError` for what is none."""
    image = import_extra('PIL.Image', extra=extra, what='An image')
    try:
        return image.open(BytesIO(data)).convert('RGB')
    except (OSError, ValueError) as error:
        raise UserError(f'The image of {len(data)} bytes cannot be read: {error}') from error


# ---------------------------------------------------------------------- errors

BROKEN: tuple[type[Exception], ...] = (MemoryError, RuntimeError)
"""What a library raises where the machine, or the library itself, is at fault."""


@contextmanager
def translate_errors(source: Source, *, engine: str, hint: str = '') -> Generator[None]:
    """What a library raises while it loads, in our words; `hint` is added where the machine may be at fault."""
    try:
        yield
    except LLMError:
        raise
    except BROKEN as error:
        said = f'{source.name!r} cannot be loaded: {error}{hint}'
        raise ModelAPIError(source.name, said, provider_name=engine) from error
    except Exception as error:
        raise _explain(source, engine, f'{error}') from error


def _explain(source: Source, engine: str, said: str) -> LLMError:
    if NEEDS_TRUST in said and not source.trust_remote_code:
        return UserError(
            f'{source.name!r} comes with code of its own, which runs only with trust_remote_code=True: read it first'
        )
    if any(word in said for word in OFFLINE):
        message = f'{source.name!r} is not on this machine, and the hub cannot be reached: {said}'
        return ModelConnectionError(source.name, message, provider_name=engine)
    return UserError(f'{source.name!r} cannot be loaded: give a name on the hub or the path of a folder. {said}')
