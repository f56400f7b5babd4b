"""Constraints in vLLM's words: the fields of `StructuredOutputsParams`. Pure.

https://docs.vllm.ai/en/latest/features/structured_outputs
"""

from __future__ import annotations

from typing import Any, assert_never

from ...constraints import Choice, Constraint, Grammar, JsonSchema, Regex
from ...exceptions import UserError
from ..local.grammars import dump_schema, with_json_style

__all__ = ('BACKEND', 'structured_fields')

BACKEND = 'guidance'
"""The library that vLLM shall hold answers with, where the caller does not say: the one that our other engines use.

What another of them writes need not be JSON: `xgrammar` lets control characters into strings."""


def structured_fields(constraint: Constraint) -> dict[str, Any]:
    """What holds an answer to a constraint. Raises `UserError` for one that cannot be said."""
    match constraint:
        case JsonSchema(json_schema=schema):
            return {'json': dump_schema(with_json_style(schema))}
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
