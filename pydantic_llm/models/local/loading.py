"""The parts of loading that all engines share: what to load, the model's configuration, and errors."""

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
    'check_tokenizer',
    'collect_token_ids',
    'decode_generation_config',
    'find_context_length',
    'open_image',
    'translate_errors',
)

logger: logging.Logger = logging.getLogger('pydantic_llm.local')

OFFLINE = ("couldn't connect", 'offline', 'Connection error', 'Max retries', 'snapshot folder')
"""Parts of the errors that the library of the Hugging Face Hub raises if it cannot reach the hub."""

NEEDS_TRUST = 'trust_remote_code'
"""The part of the error for a model whose repository contains code."""

MISMATCH = 'ignore_mismatched_sizes'
"""The part of the error for weights that the configuration does not fit; the library logs which ones."""

LENGTHS = ('max_position_embeddings', 'n_positions', 'max_sequence_length', 'seq_length')
"""The keys of the context length, which differ from one model family to another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The model to load. Engines add their own options."""

    name: str
    """A name on the Hugging Face Hub, or the path of a folder."""
    trust_remote_code: bool = False
    progress: Callable[[str], None] | None = None
    """Called with a sentence for each stage of loading."""

    def report(self, sentence: str) -> None:
        """Log a sentence about the stage of loading, and pass it to `progress`."""
        logger.info(sentence)
        if self.progress is not None:
            self.progress(sentence)


def collect_token_ids(*values: int | Sequence[int] | None) -> frozenset[int]:
    """Return the ids in values of configurations, each of which is one id, several ids or `None`."""
    ids: set[int] = set()
    for value in values:
        if isinstance(value, int):
            ids.add(value)
        elif value is not None:
            ids.update(value)
    return frozenset(ids)


def find_context_length(config: Callable[[str], Any]) -> int | None:
    """Return the context length in tokens, if it is known. `config` returns the value of a key, or `None`."""
    return next((int(value) for name in LENGTHS if (value := config(name))), None)


def decode_generation_config(generation: Mapping[str, Any]) -> Sampling:
    """Decode a `generation_config.json`. Without `do_sample`, the most likely token is chosen."""
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
    """Decode an image with Pillow. Raises `UserError` if the data is not an image."""
    image = import_extra('PIL.Image', extra=extra, what='An image')
    try:
        return image.open(BytesIO(data)).convert('RGB')
    except (OSError, ValueError) as error:
        raise UserError(f'The image of {len(data)} bytes cannot be read: {error}') from error


BROKEN: tuple[type[Exception], ...] = (MemoryError, RuntimeError)
"""Errors of a library that are not caused by the options: no memory, or a defect of the machine or the library."""


@contextmanager
def translate_errors(source: Source, *, engine: str, hint: str = '') -> Generator[None]:
    """Translate the errors that a library raises while it loads a model; `hint` is added to those of `BROKEN`."""
    try:
        yield
    except LLMError:
        raise
    except BROKEN as error:
        if MISMATCH in f'{error}':
            raise UserError(
                f'{source.name!r} cannot be loaded: its weights have other sizes than its config.json'
            ) from error
        message = f'{source.name!r} cannot be loaded: {error}{hint}'
        raise ModelAPIError(source.name, message, provider_name=engine) from error
    except Exception as error:
        raise _translate_error(source, engine, error) from error


def check_tokenizer(tokenizer: Any, name: str) -> None:
    """Raise `UserError` if a tokenizer has no vocabulary: the library makes such a one if its files are missing."""
    if not tokenizer.encode('hello', add_special_tokens=False):
        raise UserError(
            f'{name!r} has no files of a tokenizer, such as tokenizer.json: save the tokenizer with the model'
        )


def _translate_error(source: Source, engine: str, error: Exception) -> LLMError:
    text = f'{error}'.strip()
    if isinstance(error, ImportError):
        return UserError(f'{source.name!r} cannot be loaded, because a package is missing: {text}')
    if NEEDS_TRUST in text and not source.trust_remote_code:
        return UserError(
            f'{source.name!r} comes with code of its own, which runs only with trust_remote_code=True: read it first'
        )
    if any(part in text for part in OFFLINE):
        message = f'{source.name!r} is not on this machine, and the hub cannot be reached: {text}'
        return ModelConnectionError(source.name, message, provider_name=engine)
    return UserError(f'{source.name!r} cannot be loaded: give a name on the hub or the path of a folder. {text}')
