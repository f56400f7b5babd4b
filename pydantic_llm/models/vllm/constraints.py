"""Constraints in vLLM's words: the fields of `StructuredOutputsParams`. Pure.

https://docs.vllm.ai/en/latest/features/structured_outputs
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, assert_never

from ...constraints import Choice, Constraint, Grammar, JsonSchema, Regex
from ...exceptions import UserError

__all__ = ('BACKEND', 'structured_fields')

BACKEND = 'guidance'
"""The library that vLLM shall hold answers with, where the caller does not say: the one that our other engines use.

What another of them writes need not be JSON: `xgrammar` lets control characters into strings."""

JSON_STYLE: Mapping[str, Any] = {'whitespace_flexible': False, 'item_separator': ', ?', 'key_separator': ': ?'}
"""How JSON is written: whitespace without limits is where small models get lost."""


def structured_fields(constraint: Constraint) -> dict[str, Any]:
    """What holds an answer to a constraint. Raises `UserError` for one that cannot be said."""
    match constraint:
        case JsonSchema(json_schema=schema):
            return {'json': _json({**schema, 'x-guidance': dict(JSON_STYLE)})}
        case Regex(pattern=pattern):
            return {'regex': pattern}
        case Choice(choices=()):
            raise UserError('A choice has no choices')
        case Choice(choices=choices):
            return {'choice': list(choices)}
        case Grammar(grammar=text):
            return {'grammar': text}
        case _:
            assert_never(constraint)


def _json(schema: Mapping[str, Any]) -> str:
    try:
        return json.dumps(schema)
    except (TypeError, ValueError) as error:
        raise UserError(f'The schema cannot be written as JSON: {error}') from error
