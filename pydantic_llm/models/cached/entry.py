"""The value that a cache stores, `Entry`: a response as JSON with its age. `is_storable` decides which are stored.

A store is shared with other processes, other versions of this package and other programs: a value that is not an entry
is a miss. Values are JSON, which runs no code when it is read.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import isfinite
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ...messages import ModelResponse

logger: logging.Logger = logging.getLogger('pydantic_llm.cache')

FORMAT: Literal[1] = 1
"""The version of the stored form. A change that older versions would misread gets the next number."""

FINISH_REASONS = ('stop', 'tool_call', None)
"""The finish reasons of responses that are stored: not of those that were truncated, filtered or broken off."""

Fragments = Sequence[Sequence[int] | None]
"""For each part the lengths of the fragments in which its text arrived; `None` if it is not a text in fragments."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A response and the time at which it was stored."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        ser_json_bytes='base64', val_json_bytes='base64', ser_json_inf_nan='strings'
    )
    format: Literal[1]
    stored_at: float
    """Seconds since 1970, by the clock of the process that stored it."""
    response: ModelResponse
    fragments: Fragments = ()
    """Empty if the response was not streamed."""

    @property
    def age(self) -> float:
        """Seconds since the response was stored, at least 0: clocks of several machines differ."""
        return max(time.time() - self.stored_at, 0.0)


def is_storable(response: ModelResponse) -> bool:
    """Return whether a response is stored: it is complete, has content, and was not filtered."""
    is_complete = response.state == 'complete' and response.finish_reason in FINISH_REASONS
    return is_complete and any(part.has_content() for part in response.parts)


def encode_entry(response: ModelResponse, fragments: Fragments = ()) -> bytes | None:
    """Return the entry of a response; `None` if it is not stored."""
    if not is_storable(response):
        return None
    stored_at, usage, mark = time.time(), response.usage, response.from_cache
    if mark is not None:  # of another cache, inside this one
        stored_at, usage = stored_at - mark.age_seconds, mark.usage
    response = replace(response, usage=usage, from_cache=None, run_id=None, conversation_id=None, metadata=None)
    try:
        return _get_adapter().dump_json(Entry(FORMAT, stored_at, response, fragments))
    except Exception as error:  # noqa: BLE001 -- a response is not lost because it cannot be stored
        logger.warning('A response of %s cannot be stored: %s', response.model_name, error)
        return None


def decode_entry(value: object, max_age: float | None) -> Entry | None:
    """Return the entry of a stored value; `None` if it is invalid, or older than `max_age` seconds."""
    if not isinstance(value, (bytes, bytearray, str)):
        return None
    try:
        entry = _get_adapter().validate_json(value)
    except (ValidationError, ValueError, RecursionError):
        logger.warning('The cache holds a value that is not a response of this version of pydantic_llm')
        return None
    is_fresh = isfinite(entry.stored_at) and (max_age is None or entry.age <= max_age)
    return entry if is_fresh and is_storable(entry.response) else None


@cache
def _get_adapter() -> TypeAdapter[Entry]:
    return TypeAdapter(Entry)
