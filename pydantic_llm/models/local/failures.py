"""Errors in an engine: `attempt` catches one without the memory that it holds; the other functions type it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import TypeVar

from ...exceptions import LLMError, ModelAPIError

__all__ = ('attempt', 'is_out_of_memory', 'make_engine_error', 'make_request_error')

logger: logging.Logger = logging.getLogger('pydantic_llm.local')

T = TypeVar('T')

OUT_OF_MEMORY = ('out of memory', "can't allocate memory", 'Unable to allocate', 'Insufficient Memory')
"""Texts of the errors of missing memory.

CUDA's `torch.OutOfMemoryError`, PyTorch's CPU allocator (c10/core/impl/alloc_cpu.cpp), and MLX's two errors on Metal
(mlx/backend/metal/allocator.cpp and device.cpp), which are `RuntimeError`s.
"""


def attempt(call: Callable[[], T]) -> tuple[T | None, Exception | None]:
    """Return the result of a call, or its error without its frames, which would keep the tensors of the call alive."""
    try:
        return call(), None
    except Exception as error:  # noqa: BLE001 -- the caller decides which requests it belongs to
        _forget_frames(error)
        return None, error


def _forget_frames(error: BaseException) -> None:
    """Log the traceback of an error that is not ours, then drop it from the error and from its causes."""
    if not isinstance(error, LLMError) and error.__traceback__ is not None:
        logger.error('An engine raised an error:\n%s', ''.join(traceback.format_exception(error)).rstrip())
    pending, seen = [error], set[int]()
    while pending:
        one = pending.pop()
        seen.add(id(one))
        one.__traceback__ = None
        pending += [next for next in (one.__cause__, one.__context__) if next is not None and id(next) not in seen]


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that an allocation failed, on the device or in the host's memory."""
    return isinstance(error, MemoryError) or any(text in f'{error}' for text in OUT_OF_MEMORY)


def make_request_error(model_name: str, error: Exception) -> Exception:
    """Return an error of ours as it is, and any other one as the cause of a `ModelAPIError` that is not retryable."""
    if isinstance(error, LLMError):
        return error
    if is_out_of_memory(error):
        what = f'{model_name} has not enough memory for this request: shorten the conversation or lower max_tokens'
    else:
        what = f'{model_name} fails on this request'
    failure = ModelAPIError(model_name, f'{what} ({type(error).__name__}: {error})', provider_name='local')
    failure.__cause__ = error
    return failure


def make_engine_error(model_name: str, error: Exception) -> Exception:
    """Return the error of all requests of an engine that broke: retryable, unless it is one of ours.

    It does not keep the tensors of the failed step alive, for as long as a caller holds it.
    """
    _forget_frames(error)
    if isinstance(error, LLMError):
        return error
    message = f'The engine of {model_name} broke: {type(error).__name__}: {error}'
    failure = ModelAPIError(model_name, message, retryable=True)
    failure.__cause__ = error
    return failure
