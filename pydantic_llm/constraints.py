"""What an answer must look like, for engines that can be held to it while they write.

One vocabulary for all of them: a JSON schema, a regular expression, a choice between texts, a grammar.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ('Choice', 'Constraint', 'Grammar', 'JsonSchema', 'Regex')


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """The answer is one JSON value that satisfies the schema."""

    json_schema: Mapping[str, Any]
    """The schema, as a JSON object."""

    kind: Literal['json-schema'] = 'json-schema'
    """The kind of constraint, for telling constraints apart."""


@dataclass(frozen=True, slots=True)
class Regex:
    """The answer as a whole matches a regular expression."""

    pattern: str
    """The expression, in the syntax that Python and Rust share."""

    kind: Literal['regex'] = 'regex'
    """The kind of constraint, for telling constraints apart."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The answer is one of some texts."""

    choices: tuple[str, ...]
    """The texts; at least one."""

    kind: Literal['choice'] = 'choice'
    """The kind of constraint, for telling constraints apart."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """The answer can be derived from a context-free grammar."""

    grammar: str
    """The grammar's text."""

    syntax: Literal['lark', 'gbnf', 'ebnf'] = 'lark'
    """What the text is written in."""

    kind: Literal['grammar'] = 'grammar'
    """The kind of constraint, for telling constraints apart."""


Constraint = JsonSchema | Regex | Choice | Grammar
"""What an answer must look like."""
