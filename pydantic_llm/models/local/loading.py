"""The parts of loading that all engines share: what to load, and the model's configuration."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any, cast

from ..._extras import import_extra
from ...exceptions import UserError
from .engine import Sampling
from .options import Checked
from .ranges import is_in_range

__all__ = (
    'Source',
    'check_tokenizer',
    'collect_token_ids',
    'decode_generation_config',
    'find_context_length',
    'one_at_a_time',
    'open_image',
)

logger: logging.Logger = logging.getLogger('pydantic_llm.local')

LENGTHS = ('max_position_embeddings', 'n_positions', 'max_sequence_length', 'seq_length')
"""The keys of the context length, which differ from one model family to another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Checked):
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


_lock = threading.Lock()


@contextmanager
def one_at_a_time() -> Generator[None]:
    """Let one thread at a time load a model with torch.

    transformers sets the default type of torch's tensors for the time of loading, and replaces functions of torch: two
    models at once would leave the type of one of them behind (`local_torch_dtype` in modeling_utils.py, 5.24).
    """
    with _lock:
        yield


def _replace_lock() -> None:
    """Replace the lock in a forked child, as a thread of the parent may have held it."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_replace_lock)


def collect_token_ids(*values: int | Sequence[int] | None) -> frozenset[int]:
    """Return the ids in values of configurations, each of which is one id, several ids or `None`."""
    ids: set[int] = set()
    for value in values:
        ids.update([value] if isinstance(value, int) else value or ())
    return frozenset(id for id in ids if isinstance(cast('object', id), int))


def find_context_length(config: Callable[[str], Any]) -> int | None:
    """Return the context length in tokens, if it is known. `config` returns the value of a key, or `None`."""
    # XLNet, which has no limit, writes -1.
    return next((int(value) for name in LENGTHS if (value := config(name)) and int(value) > 0), None)


def decode_generation_config(generation: Mapping[str, Any]) -> Sampling:
    """Decode a `generation_config.json`. Without `do_sample`, the most likely token is chosen.

    The other values hold then too, for a request that sets a temperature. Invalid values are left out.
    """
    names = ('temperature', 'top_k', 'top_p', 'min_p', 'repetition_penalty')
    numbers: dict[str, Any] = {name: generation[name] for name in names if is_in_range(name, generation.get(name))}
    temperature = numbers.pop('temperature', 1.0)
    return Sampling(temperature=temperature if generation.get('do_sample') else 0.0, **numbers)


def open_image(data: bytes, *, extra: str) -> Any:
    """Decode an image with Pillow. Raises `UserError` if the data is not an image."""
    image = import_extra('PIL.Image', extra=extra, what='An image')
    try:
        return image.open(BytesIO(data)).convert('RGB')
    except (OSError, ValueError) as error:
        raise UserError(f'The image of {len(data)} bytes cannot be read: {error}') from error


def check_tokenizer(tokenizer: Any, name: str) -> None:
    """Raise `UserError` if a tokenizer has no vocabulary: the library makes such a one if its files are missing."""
    if not tokenizer.encode('hello', add_special_tokens=False):
        raise UserError(
            f'{name!r} has no files of a tokenizer, such as tokenizer.json: save the tokenizer with the model'
        )
