"""Compile constraints with llguidance: a constraint → for each step, the tokens that may come next.

`Grammars` compiles and caches, `Matcher` follows one response. Compiling takes from under a millisecond to seconds;
copying a constraint from the cache takes microseconds. https://github.com/guidance-ai/llguidance
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from ..._extras import import_extra
from ...constraints import Choice, Constraint, Grammar, JsonSchema, Regex
from ...exceptions import UserError
from ...json_types import Json
from .vocabulary import make_vocabulary

__all__ = ('CONSTRAINT_KINDS', 'Grammars', 'Matcher', 'dump_schema', 'encode_choices', 'with_json_style')

CONSTRAINT_KINDS = ('json-schema', 'regex', 'choice', 'grammar')
"""The `kind` of each constraint that llguidance supports."""

JSON_STYLE: Mapping[str, Any] = {
    'whitespace_flexible': False,
    'item_separator': ', ?',
    'key_separator': ': ?',
    'lenient': True,
}
"""llguidance's options for JSON. If whitespace is not limited, small models generate it without end.

What it cannot enforce (`uniqueItems`, `propertyNames`, unknown formats) is left out: outputs and arguments of tools are
validated anyway."""

CACHE_SIZE = 256
"""Maximum number of compiled constraints to keep; the least recently used one is dropped first."""


class Grammars:
    """Compiles constraints for one tokenizer. Safe to use from any thread."""

    def __init__(self, tokenizer: Any, *, vocabulary_size: int, eos: frozenset[int], extra: str) -> None:
        self._tokenizer = tokenizer
        self._size = vocabulary_size
        self._eos = eos
        self._extra = extra
        self._lock = threading.Lock()
        self._compiled: OrderedDict[str, Any] = OrderedDict()
        self._llguidance: Any = None
        self._vocabulary: Any = None
        self.compilations: int = 0
        """Number of constraints compiled so far; cache hits are not counted."""

    def is_compiled(self, constraint: Constraint) -> bool:
        """Return whether the constraint is in the cache, so that `matcher` is fast."""
        return _make_cache_key(constraint) in self._compiled

    def matcher(self, constraint: Constraint, *, strict: bool = True) -> Matcher:
        """Return a new matcher for one response.

        Raises `UserError` if the constraint cannot be compiled; with `strict`, also if a part of it cannot be enforced.
        """
        key = _make_cache_key(constraint)
        with self._lock:
            compiled = self._compiled.get(key)
            if compiled is None:
                compiled = self._compiled[key] = self._compile(constraint)
            self._compiled.move_to_end(key)
            while len(self._compiled) > CACHE_SIZE:
                self._compiled.popitem(last=False)
        warnings: Sequence[str] = compiled.get_grammar_warnings()
        if strict and warnings:
            raise UserError(f'The {constraint.kind} constraint cannot be enforced: {"; ".join(warnings)}')
        return Matcher(compiled.deep_copy(), self._size, warnings)

    def _compile(self, constraint: Constraint) -> Any:
        self._import_llguidance()
        self.compilations += 1
        library = self._llguidance
        try:
            matcher = library.LLMatcher(self._vocabulary, self._encode_grammar(constraint), log_level=0)
            failure: str = matcher.get_error() if matcher.is_error() else ''
        except UserError:
            raise
        except Exception as error:
            raise UserError(f'The {constraint.kind} constraint cannot be compiled: {error}') from error
        if not failure:  # a grammar that only refers to itself fails at its first token
            first = matcher.deep_copy()
            first.compute_bitmask()
            failure = 'it allows no text, as a rule or reference that only names itself' if first.is_error() else ''
        if failure:
            reason = _shorten_error(failure)
            raise UserError(f'The {constraint.kind} constraint cannot be compiled: {reason}')
        return matcher

    def _import_llguidance(self) -> None:
        """Import llguidance and build its view of the tokenizer, before the first constraint is compiled."""
        if self._vocabulary is None:
            what = 'A constraint'
            self._llguidance = import_extra('llguidance', extra=self._extra, what=what)
            try:
                self._vocabulary = make_vocabulary(self._tokenizer, self._size, self._eos, extra=self._extra)
            except (ValueError, TypeError) as error:
                raise UserError(f'The tokenizer takes no constraints: {error}') from error

    def _encode_grammar(self, constraint: Constraint) -> str:
        """Encode a constraint as llguidance's grammar text."""
        matcher = self._llguidance.LLMatcher
        grammar: str
        match constraint:
            case JsonSchema(json_schema=schema):
                grammar = matcher.grammar_from_json_schema(dump_schema(schema), overrides=dict(JSON_STYLE))
            case Regex(pattern=pattern):
                grammar = matcher.grammar_from_regex(pattern)
            case Choice(choices=()):
                raise UserError('A choice has no choices')
            case Choice(choices=choices):
                grammar = matcher.grammar_from_regex(encode_choices(choices))
            case Grammar(grammar=text, syntax='lark'):
                grammar = matcher.grammar_from_lark(text)
            case Grammar(grammar=text):
                grammar = matcher.grammar_from_lark(self._llguidance.gbnf_to_lark.any_to_lark(text))
            case _:
                assert_never(constraint)
        return grammar


class Matcher:
    """The state of one response in a compiled constraint. Use it in the engine's thread only."""

    __slots__ = ('_matcher', '_size', 'warnings')

    def __init__(self, matcher: Any, size: int, warnings: Sequence[str] = ()) -> None:
        self._matcher = matcher
        self._size = size
        self.warnings: Sequence[str] = warnings
        """What the constraint cannot enforce, in llguidance's words."""

    def compute_mask(self) -> Any:
        """Return which tokens may come next: a boolean numpy array with one entry per token of the vocabulary."""
        np = import_extra('numpy', extra='transformers', what='A constraint')
        mask: bytes = self._matcher.compute_bitmask()
        if self._matcher.is_error():
            raise RuntimeError(f'The constraint broke: {_shorten_error(self._matcher.get_error())}')
        bits = np.unpackbits(np.frombuffer(mask, dtype=np.uint8), bitorder='little')
        allowed = np.zeros(self._size, dtype=bool)
        length = min(self._size, bits.size)
        allowed[:length] = bits[:length]
        return allowed

    def restart(self, tokens: Sequence[int]) -> None:
        """Return to the state after these tokens. Raises `RuntimeError` if the constraint has broken before."""
        self._matcher.reset()
        for token in tokens:
            self.consume(token)

    def consume(self, token: int) -> bool:
        """Advance by one token; return False if no token may follow. Raises `RuntimeError` if it is not allowed."""
        if not self._matcher.consume_token(token):
            reason = _shorten_error(self._matcher.get_error())
            raise RuntimeError(f'The constraint does not allow the token {token}: {reason}')
        return not self._matcher.is_stopped()


def encode_choices(choices: Sequence[str]) -> str:
    """Encode texts as a regular expression that matches each of them.

    llguidance follows 2,000 alternatives of a grammar rule at most, and any number of those of an expression.
    """
    return '|'.join(map(re.escape, choices))


def dump_schema(schema: Mapping[str, Any]) -> str:
    """Encode a JSON schema as text. Raises `UserError` if it holds values that JSON does not have."""
    try:
        return json.dumps(schema)
    except (TypeError, ValueError) as error:
        raise UserError(f'The schema cannot be written as JSON: {error}') from error


def with_json_style(schema: Mapping[str, Any]) -> Json:
    """Return the schema with `JSON_STYLE` in it, under the key that llguidance reads."""
    return {**schema, 'x-guidance': dict(JSON_STYLE)}


def _make_cache_key(constraint: Constraint) -> str:
    match constraint:
        case JsonSchema(json_schema=schema):
            return f'json-schema {dump_schema(schema)}'
        case _:
            return repr(constraint)


def _shorten_error(error: str) -> str:
    """Return llguidance's error without the parser state that it appends."""
    return error.partition('<state>')[0].strip()
