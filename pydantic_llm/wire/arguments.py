"""Makes the arguments of past tool calls valid JSON. Start at `fit_arguments`.

Models write text that is not JSON, and JSON that strict parsers refuse: vllm#43995, llama.cpp#25583, opencode#14630.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, cast

from pydantic_core import PydanticSerializationError, from_json, to_json

from ..json_types import Json, repair_text
from ..messages.response import INVALID

Arguments = str | dict[str, Any] | None


def fit_arguments(args: Arguments, *, accepts_text: bool) -> Arguments:
    """Return the arguments as strict JSON, the same object if they are that already.

    NaN and infinity become strings, lone halves of surrogate pairs U+FFFD, and of two equal keys the last one wins.
    Text that is not a JSON object becomes `{'invalid_json': text}`, unless `accepts_text`.
    """
    if not args:
        return args
    if isinstance(args, dict):
        return args if _is_strict(args) else _make_finite(repair_text(args))
    if accepts_text:
        return repair_text(args)  # type: ignore[no-any-return]  # for pyright
    if not args.strip() or args.strip() == 'null':
        return None
    return args if _is_strict_text(args) else _repair_text(args)


def _is_strict_text(text: str) -> bool:
    """Return whether the text is a JSON object without equal keys, that every parser accepts."""
    try:
        value = from_json(text, allow_inf_nan=False)
        if not isinstance(value, dict) or not _is_strict(cast('Json', value)):
            return False
        json.loads(text, object_pairs_hook=_make_dict)
    except (ValueError, RecursionError):
        return False
    return True


def _is_strict(args: Json) -> bool:
    """Return whether an object has no infinite numbers, and no lone surrogates."""
    try:
        encoded = to_json(args)
    except (PydanticSerializationError, ValueError):
        return False
    may_be_infinite = b'NaN' in encoded or b'Infinity' in encoded
    return not may_be_infinite or to_json(args, inf_nan_mode='strings') == encoded


def _make_dict(pairs: list[tuple[str, Any]]) -> Json:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError('two equal keys')
    return made


def _repair_text(text: str) -> Json:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        return {INVALID: repair_text(text)}
    return _make_finite(repair_text(cast('Json', value)))  # type: ignore[no-any-return]  # for pyright


def _make_finite(value: Any) -> Any:
    """Return the value with strings in place of numbers that JSON does not have."""
    if isinstance(value, dict):
        return {key: _make_finite(item) for key, item in cast('Json', value).items()}
    if isinstance(value, (list, tuple)):
        return [_make_finite(item) for item in cast('list[Any]', value)]
    if isinstance(value, float) and not isfinite(value):
        return {'nan': 'NaN', 'inf': 'Infinity', '-inf': '-Infinity'}[str(value)]
    return value
