"""Encode a constraint as fields of vLLM's `StructuredOutputsParams`. Pure.

https://docs.vllm.ai/en/latest/features/structured_outputs
"""

from __future__ import annotations

from typing import Any, assert_never

from ...constraints import Choice, Constraint, Grammar, JsonSchema, Regex
from ...exceptions import UserError
from ..local.grammars import dump_schema, encode_choices, with_json_style

__all__ = ('BACKEND', 'encode_constraint')

BACKEND = 'guidance'
"""vLLM's backend for constraints, unless the caller names another: llguidance, which our other engines use.

Another backend, xgrammar, has let raw control characters into strings (invalid JSON): mlc-ai/xgrammar#286, #636.
"""


def encode_constraint(constraint: Constraint) -> dict[str, Any]:
    """Encode a constraint. Raises `UserError` for an empty choice, or a schema that is not JSON."""
    match constraint:
        case JsonSchema(json_schema=schema):
            return {'json': dump_schema(with_json_style(schema))}
        case Regex(pattern=pattern):
            return {'regex': pattern}
        case Choice(choices=()):
            raise UserError('A choice has no choices')
        case Choice(choices=choices):
            # its grammar of choices has one alternative for each, of which llguidance follows 2,000 at most
            return {'regex': encode_choices(choices)}
        case Grammar(grammar=text):
            return {'grammar': text}
        case _:
            assert_never(constraint)
