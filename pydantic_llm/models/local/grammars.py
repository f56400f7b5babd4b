"""Constraints, compiled once: what an answer may look like → which tokens may come next. By llguidance.

Compiling takes from under a millisecond to seconds; a constraint that was compiled before is copied in microseconds.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, assert_never

from ..._extras import import_extra
from ...constraints import Choice, Constraint, Grammar, JsonSchema, Regex
from ...exceptions import UserError

__all__ = ('CONSTRAINT_KINDS', 'Grammars', 'Matcher')

CONSTRAINT_KINDS = ('json-schema', 'regex', 'choice', 'grammar')
"""What llguidance can hold an answer to."""

JSON_STYLE: Mapping[str, Any] = {'whitespace_flexible': False, 'item_separator': ', ?', 'key_separator': ': ?'}
"""How JSON is written: whitespace without limits is where small models get lost."""

KEPT = 256
"""So many compiled constraints are kept, the latest used."""


class Grammars:
    """Compiles constraints for one tokenizer. May be used from any thread."""

    def __init__(self, tokenizer: Any, *, vocabulary_size: int, eos: frozenset[int], extra: str) -> None:
        self._tokenizer = tokenizer
        self._size = vocabulary_size
        self._eos = eos
        self._extra = extra
        self._lock = threading.Lock()
        self._compiled: OrderedDict[str, Any] = OrderedDict()
        self._llguidance: Any = None
        self._vocabulary: Any = None
        self.compilations = 0
        """How often something had to be compiled."""

    def is_compiled(self, constraint: Constraint) -> bool:
        """Whether `matcher` gives it at once."""
        return _key(constraint) in self._compiled

    def matcher(self, constraint: Constraint) -> Matcher:
        """What holds one answer to a constraint. Raises `UserError` for one that cannot be compiled."""
        key = _key(constraint)
        with self._lock:
            found = self._compiled.get(key)
            if found is None:
                found = self._compiled[key] = self._compile(constraint)
            self._compiled.move_to_end(key)
            while len(self._compiled) > KEPT:
                self._compiled.popitem(last=False)
            return Matcher(found.deep_copy(), self._size)

    def _compile(self, constraint: Constraint) -> Any:
        self._load()
        self.compilations += 1
        library = self._llguidance
        try:
            matcher = library.LLMatcher(self._vocabulary, self._grammar(constraint), log_level=0)
            wrong: str = matcher.get_error() if matcher.is_error() else ''
        except UserError:
            raise
        except Exception as error:
            raise UserError(f'The {constraint.kind} constraint cannot be compiled: {error}') from error
        if wrong:
            said = wrong.partition('<state>')[0].strip()
            raise UserError(f'The {constraint.kind} constraint cannot be compiled: {said}')
        return matcher

    def _load(self) -> None:
        if self._vocabulary is None:
            what = 'Holding an answer to a constraint'
            self._llguidance = import_extra('llguidance', extra=self._extra, what=what)
            hf = import_extra('llguidance.hf', extra=self._extra, what=what)
            self._vocabulary = hf.from_tokenizer(self._tokenizer, n_vocab=self._size, eos_token=sorted(self._eos))

    def _grammar(self, constraint: Constraint) -> str:
        """A constraint in llguidance's words."""
        matcher = self._llguidance.LLMatcher
        grammar: str
        match constraint:
            case JsonSchema(json_schema=schema):
                grammar = matcher.grammar_from_json_schema(_json(schema), overrides=dict(JSON_STYLE))
            case Regex(pattern=pattern):
                grammar = matcher.grammar_from_regex(pattern)
            case Choice(choices=()):
                raise UserError('A choice has no choices')
            case Choice(choices=choices):
                texts = ' | '.join(json.dumps(choice, ensure_ascii=False) for choice in choices)
                grammar = matcher.grammar_from_lark(f'start: {texts}')
            case Grammar(grammar=text, syntax='lark'):
                grammar = matcher.grammar_from_lark(text)
            case Grammar(grammar=text):
                grammar = matcher.grammar_from_lark(self._llguidance.gbnf_to_lark.any_to_lark(text))
            case _:
                assert_never(constraint)
        return grammar


class Matcher:
    """One answer's way through a grammar. Belongs to the engine's thread."""

    __slots__ = ('_matcher', '_size')

    def __init__(self, matcher: Any, size: int) -> None:
        self._matcher = matcher
        self._size = size

    def allowed(self) -> Any:
        """Which tokens may come next: a numpy array of booleans over the vocabulary."""
        np = import_extra('numpy', extra='transformers', what='Holding an answer to a constraint')
        mask: bytes = self._matcher.compute_bitmask()
        if self._matcher.is_error():
            raise RuntimeError(f'The constraint broke: {self._matcher.get_error()}')
        bits = np.unpackbits(np.frombuffer(mask, dtype=np.uint8), bitorder='little')
        allowed = np.zeros(self._size, dtype=bool)
        length = min(self._size, bits.size)
        allowed[:length] = bits[:length]
        return allowed

    def take(self, token: int) -> bool:
        """Go on with a token. Whether anything may follow."""
        if not self._matcher.consume_token(token):
            said = self._matcher.get_error().partition('<state>')[0].strip()
            raise RuntimeError(f'The constraint does not allow the token {token}: {said}')
        return not self._matcher.is_stopped()


def _key(constraint: Constraint) -> str:
    match constraint:
        case JsonSchema(json_schema=schema):
            return f'json-schema {_json(schema)}'
        case _:
            return repr(constraint)


def _json(schema: Mapping[str, Any]) -> str:
    try:
        return json.dumps(schema)
    except (TypeError, ValueError) as error:
        raise UserError(f'The schema cannot be written as JSON: {error}') from error
