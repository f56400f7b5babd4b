"""Checks the values of settings: one sentence that names the setting, before anything is sent.

`check_settings` takes the checks of `make_shared_checks` (settings of every model) or `own_checks` (those of one API).
Both are made once, from the annotations of a `TypedDict`; a request then costs one call for each of its settings.
`check_options` checks the options of an object by the annotations of a dataclass or `TypedDict`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, reduce
from math import inf
from os import PathLike
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, NamedTuple, Union, cast, get_args, get_origin, get_type_hints

from ._caller import warn_caller
from ._suggestions import suggest
from .exceptions import UnknownSettingWarning, UserError
from .settings import CACHE_SECONDS, THINKING_LEVELS, ModelSettings

__all__ = ('check_options', 'check_settings', 'make_shared_checks', 'own_checks', 'warn_of_unknown_settings')

ANY = 'any value'
"""The words for values without a check."""

MAX_CHARACTERS = 80
"""The maximum length of an invalid value in a message."""

SECRET = frozenset({'extra_headers', 'extra_body'})
"""The settings whose values may contain a key, so that no message repeats them."""


class Check(NamedTuple):
    """The check of one setting."""

    accepts: Callable[[Any], bool]
    wanted: str
    """The values that it accepts, to follow "give"."""
    words: tuple[str, ...] = ()
    """The texts among these values, to suggest the most similar one."""


MOST = sys.float_info.max
"""The largest finite number."""

TINY = sys.float_info.min
"""The smallest number above 0."""

SECONDS = 'a number of seconds above 0, or leave it out to wait without a limit'

RANGES: dict[str, tuple[float, float, str]] = {
    'max_tokens': (1, MOST, 'a whole number, 1 or more'),
    'temperature': (0, MOST, 'a number, 0 or more'),
    'top_p': (0, 1, 'a number from 0 to 1'),
    'top_k': (0, MOST, 'a whole number, 0 or more'),
    'top_logprobs': (0, MOST, 'a whole number, 0 or more'),
    'timeout': (TINY, inf, SECONDS),
    'first_token_timeout': (TINY, inf, SECONDS),
    'idle_timeout': (TINY, inf, SECONDS),
}
"""The least and the greatest value of each number that has limits, and the words for them."""

WANTED = {
    'cache': "True, False, '5m', '1h', '24h' or a number of seconds above 0",
    'thinking': f'True, False, a number of tokens (0 or more) or one of {", ".join(map(repr, THINKING_LEVELS))}',
    'service_tier': "'auto', 'default', 'flex' or 'priority'",
    'tool_choice': "'auto', 'none', 'required' or a list of tool names",
    'constraint': 'a JsonSchema (a dict), Regex (a text), Choice (at least one text) or Grammar (a text, and syntax: '
    'lark, gbnf or ebnf) of pydantic_llm.constraints',
}
"""The words for values whose annotation alone says too little."""


def check_settings(settings: Mapping[str, Any], checks: Mapping[str, Check]) -> None:
    """Raise `UserError` for the first setting with an invalid value. Settings without a check pass."""
    for name, value in settings.items():
        if value is not None and (check := checks.get(name)) is not None and not check.accepts(value):
            hint = suggest(value, check.words) if isinstance(value, str) else ''
            raise UserError(f'{name} is {_show(name, value)}: give {check.wanted}{hint}')


def check_options(kind: type, options: Mapping[str, Any], *, limits: Mapping[str, tuple[float, float]]) -> None:
    """Raise `UserError` for the first option that does not fit its annotation in `kind`, or its limits.

    `None` is valid only if the annotation includes it. `limits` are the least and the greatest value of numbers.
    """
    for name, value in options.items():
        check, is_optional = _make_option_checks(kind).get(name, ANYTHING)
        if value is None and is_optional:
            continue
        if not check.accepts(value):
            hint = suggest(value, check.words) if isinstance(value, str) else ''
            raise UserError(f'{name} is {_show(name, value)}: give {check.wanted}{hint}')
        least, most = limits.get(name, (-inf, inf))
        if value is not None and name in limits and not least <= value <= most:
            raise UserError(f'{name} is {_show(name, value)}: give {check.wanted} from {least} to {most}')


def warn_of_unknown_settings(names: Iterable[str], settings: Mapping[str, Any]) -> None:
    """Issue an `UnknownSettingWarning` for each of these names that no API declares, unless settings are dropped."""
    from .wire.foreign_settings import suggest_unknown

    if settings.get('unsupported_settings') == 'drop':
        return
    for name in names:
        if (meant := suggest_unknown(name)) is not None:
            warn_caller(f'There is no setting {name!r}, so it is not sent{meant}', UnknownSettingWarning)


@cache
def make_shared_checks() -> Mapping[str, Check]:
    """Return the checks of `ModelSettings`."""
    from .retries.policy import RetryPolicy

    hints = _resolve_hints(ModelSettings)
    checks = {name: _make_check(hint) for name, hint in hints.items()}
    for name, (least, most, wanted) in RANGES.items():
        checks[name] = _check_range(hints[name], least, most, wanted)
    checks['constraint'] = Check(_is_constraint, '')
    checks['logit_bias'] = Check(_is_bias, 'a dict from token ids to numbers')
    checks['retries'] = _check_any((_check_range(int, 0, MOST, 'a number from 0 on,'), _make_check(RetryPolicy)))
    checks['thinking'] = Check(_is_thinking, '', THINKING_LEVELS)
    checks['cache'] = Check(_is_cache_ttl, '', tuple(CACHE_SECONDS))
    checks['service_tier'] = PLAIN[str]  # a room without this queue lists it in the warnings
    for name, wanted in WANTED.items():
        checks[name] = checks[name]._replace(wanted=wanted)
    return checks


@cache
def own_checks(settings_type: type) -> Mapping[str, Check]:
    """Return the checks of an API's own settings: the keys of its `TypedDict` that `ModelSettings` does not have.

    A text that the API does not document passes: vendors add values. Only types are checked.
    """
    shared = ModelSettings.__annotations__
    hints = _resolve_hints(settings_type)
    return {name: _make_check(_widen(hint)) for name, hint in hints.items() if name not in shared}


@cache
def _make_option_checks(kind: type) -> Mapping[str, tuple[Check, bool]]:
    """Return the check of each annotation, and whether it includes `None`."""
    hints = {name: hint for name, hint in _resolve_hints(kind).items() if get_origin(hint) is not ClassVar}
    return {name: (_make_check(hint), hint is Any or NoneType in get_args(hint)) for name, hint in hints.items()}


# ---------------------------------------------------------------------- from annotations to checks


def _resolve_hints(settings_type: type) -> dict[str, Any]:
    """Return the annotations of a class; none if it uses names that only a type checker knows."""
    from .constraints import Constraint
    from .retries.policy import RetryPolicy

    try:
        return get_type_hints(settings_type, localns={'Constraint': Constraint, 'RetryPolicy': RetryPolicy})
    except NameError:
        return {}


def _make_check(hint: Any) -> Check:
    """Return the check for an annotation."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return Check(_is_anything, ANY)
    if hint in PLAIN:
        return PLAIN[hint]
    if origin is Literal:
        return _check_literal(arguments)
    if origin in (Union, UnionType):
        return _check_any(tuple(_make_check(argument) for argument in arguments if argument is not NoneType))
    if origin is not None and issubclass(origin, Mapping):
        return _check_mapping(*(_make_check(argument) for argument in arguments))
    if origin is not None and issubclass(origin, Sequence):
        return _check_list(_make_check(arguments[0]))
    kind = origin or hint
    return _check_type(kind, KINDS.get(kind, f'a {kind.__name__}'))


KINDS: Mapping[Any, str] = {Callable: 'a function', PathLike: 'a path'}
"""The words for types whose name says too little."""

LISTS = (list, tuple)
SYNTAXES = ('lark', 'gbnf', 'ebnf')
TEXTS = (str, bytes, bytearray)
SCALARS = (str, int, bool)


def _is_anything(value: object) -> bool:
    return True


def _is_constraint(value: object) -> bool:
    from .constraints import Choice, Grammar, JsonSchema, Regex

    if isinstance(value, Choice):
        choices = cast('list[object]', value.choices)
        return type(choices) in LISTS and bool(choices) and all(isinstance(text, str) for text in choices)
    if isinstance(value, JsonSchema):
        return isinstance(cast('object', value.json_schema), Mapping)
    if isinstance(value, Regex):
        return isinstance(cast('object', value.pattern), str)
    return isinstance(value, Grammar) and isinstance(cast('object', value.grammar), str) and value.syntax in SYNTAXES


ANYTHING = (Check(_is_anything, ANY), True)
"""The check of an option without an annotation."""


def _check_type(kind: type, wanted: str) -> Check:
    def accepts(value: Any) -> bool:
        return isinstance(value, kind)

    return Check(accepts, wanted)


def _check_range(kind: type, least: float, most: float, wanted: str) -> Check:
    """Return the check of a number. NaN is in no range."""
    exact = frozenset({int, kind})

    def accepts(value: Any) -> bool:
        is_number = type(value) in exact or (isinstance(value, kind) and not isinstance(value, bool))
        return is_number and least <= value <= most

    return Check(accepts, wanted)


PLAIN: dict[Any, Check] = {
    bool: _check_type(bool, 'True or False'),
    int: _check_range(int, -MOST, MOST, 'a whole number'),
    float: _check_range(float, -MOST, MOST, 'a number'),
    str: _check_type(str, 'a text'),
}
"""The checks of annotations without arguments."""


def _check_literal(values: tuple[Any, ...]) -> Check:
    words = tuple(value for value in values if isinstance(value, str))
    wanted = ', '.join(map(repr, values))

    def accepts(value: Any) -> bool:
        return isinstance(value, SCALARS) and value in values

    return Check(accepts, f'one of {wanted}' if words else wanted, words)


def _check_any(checks: tuple[Check, ...]) -> Check:
    *others, last = [check.wanted for check in checks]
    wanted = f'{", ".join(others)} or {last}' if others else last
    words = tuple(word for check in checks for word in check.words)
    accepts = reduce(_either, (check.accepts for check in checks))
    return Check(accepts, wanted, words)


def _check_mapping(key: Check, item: Check) -> Check:
    is_any = item.wanted == ANY

    def accepts(value: Any) -> bool:
        if not isinstance(value, (dict, Mapping)):
            return False
        fields = cast('Mapping[object, object]', value)
        return all(map(key.accepts, fields)) and (is_any or all(map(item.accepts, fields.values())))

    return Check(accepts, f'a dict with {item.wanted} for each name' if not is_any else 'a dict')


def _check_list(item: Check) -> Check:
    def accepts(value: Any) -> bool:
        is_list = isinstance(value, LISTS) or (isinstance(value, Sequence) and not isinstance(value, TEXTS))
        return is_list and all(map(item.accepts, cast('Sequence[Any]', value)))

    return Check(accepts, f'a list, each item of it {item.wanted}' if item.wanted != 'a text' else 'a list of texts')


def _widen(hint: Any) -> Any:
    """Return the annotation with `str` for a `Literal` of texts, also for the items of a list."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal and all(isinstance(value, str) for value in arguments):
        return str
    if origin in (list, Sequence):
        return Sequence[_widen(arguments[0])]  # type: ignore[misc]  # for pyright
    return hint


def _either(first: Callable[[Any], bool], second: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def accepts(value: Any) -> bool:
        return first(value) or second(value)

    return accepts


def _is_thinking(value: Any) -> bool:
    """Return whether the value is a switch, a level, or a number of tokens from 0 on."""
    if isinstance(value, str):
        return value in THINKING_LEVELS
    return isinstance(value, int) and 0 <= value <= MOST


def _is_cache_ttl(value: Any) -> bool:
    """Return whether the value is a switch, a text for a time, or a finite number of seconds above 0."""
    if isinstance(value, (bool, str)):
        return isinstance(value, bool) or value in CACHE_SECONDS
    return isinstance(value, (int, float)) and 0 < value <= MOST


def _is_bias(value: Any) -> bool:
    """Return whether the value has a number for each token id; ids are texts of digits, as in JSON, or numbers."""
    return isinstance(value, Mapping) and all(
        str(token).lstrip('-').isdecimal() and PLAIN[float].accepts(bias)
        for token, bias in cast('Mapping[object, object]', value).items()
    )


# ---------------------------------------------------------------------- sentences


def _show(name: str, value: object) -> str:
    """Return the invalid value, or its place and type if it may contain a key."""
    if name not in SECRET:
        try:
            text = repr(value)
        except ValueError:  # an integer of more than 4,300 digits
            return f'of type {type(value).__name__}'
        return text if len(text) <= MAX_CHARACTERS else f'{text[:MAX_CHARACTERS]}...'
    if isinstance(value, Mapping):
        found = next(
            (key for key, item in cast('Mapping[object, object]', value).items() if not isinstance(item, str)), None
        )
        return f'a dict whose {found!r} is no text' if found is not None else 'a dict with a name that is no text'
    return f'of type {type(value).__name__}'
