"""Constraints on the text of a response, for models that enforce them while they generate.

The same types for every model: a JSON schema, a regular expression, a choice between texts, a grammar.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ('Choice', 'Constraint', 'Grammar', 'JsonSchema', 'Regex')


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """The response is one JSON value that is valid under the schema."""

    json_schema: Mapping[str, Any]
    """The schema, as a JSON object."""

    kind: Literal['json-schema'] = 'json-schema'
    """The discriminator of the constraint types."""


@dataclass(frozen=True, slots=True)
class Regex:
    """The whole response matches a regular expression."""

    pattern: str
    """The expression, in the syntax that Python and Rust share."""

    kind: Literal['regex'] = 'regex'
    """The discriminator of the constraint types."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The response is one of several texts."""

    choices: tuple[str, ...]
    """The allowed texts; at least one."""

    kind: Literal['choice'] = 'choice'
    """The discriminator of the constraint types."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """The response is a text of a context-free grammar."""

    grammar: str

    syntax: Literal['lark', 'gbnf', 'ebnf'] = 'lark'
    """The syntax of `grammar`."""

    kind: Literal['grammar'] = 'grammar'
    """The discriminator of the constraint types."""


Constraint = JsonSchema | Regex | Choice | Grammar
"""One constraint on the text of a response."""
