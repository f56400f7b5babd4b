"""The rules that decide which errors and which responses trigger a fallback to the next model."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

from ...exceptions import FallbackExceptionGroup, RejectedResponseError, UserError
from ...messages import ModelResponse

FallbackOn = type[Exception] | Callable[[Any], Any]
"""A rule: a type of exceptions, or a function, plain or async, that returns whether to try the next model.

The function gets the exception; or the response, if its parameter is annotated with `ModelResponse` (or with a union
that contains it); or both, each in a call of its own, if the annotation names both."""


class FallbackRules:
    """Rules: `types` and `error_rules` for errors, `response_rules` for responses. An invalid one is a `UserError`."""

    def __init__(self, fallback_on: FallbackOn | Sequence[FallbackOn]) -> None:
        rules: list[Any] = [*fallback_on] if isinstance(fallback_on, (list, tuple)) else [fallback_on]
        if not rules:
            raise UserError('fallback_on is empty, so that nothing would trigger a fallback; give at least one rule')
        self.types: tuple[type[Exception], ...] = tuple(
            rule for rule in rules if isinstance(rule, type) and issubclass(rule, Exception)
        )
        functions = [rule for rule in rules if rule not in self.types]
        if invalid := [rule for rule in functions if not callable(rule) or isinstance(rule, type)]:
            raise UserError(f'fallback_on takes types of exceptions and functions, not {invalid[0]!r}')
        self.response_rules: list[Any] = [rule for rule in functions if _takes_response(rule)]
        self.error_rules: list[Any] = [rule for rule in functions if _takes_error(rule)]

    async def should_fall_back(self, error: Exception) -> bool:
        """Return whether this error triggers a fallback. An exception group does if all of its members do."""
        if isinstance(error, FallbackExceptionGroup):
            return all([await self.should_fall_back(each) for each in error.exceptions])
        if isinstance(error, (*self.types, RejectedResponseError)):
            return True
        return any([await _await_verdict(rule(error)) for rule in self.error_rules])

    async def accepts_response(self, response: ModelResponse) -> bool:
        return not any([await _await_verdict(rule(response)) for rule in self.response_rules])


async def _await_verdict(verdict: Any) -> bool:
    return bool(await verdict if inspect.isawaitable(verdict) else verdict)


def _takes_response(rule: Callable[..., Any]) -> bool:
    """Return whether the annotation of a function's first parameter contains `ModelResponse`."""
    return any(each is ModelResponse or _drop_module(each) == ModelResponse.__name__ for each in _read_types(rule))


def _takes_error(rule: Callable[..., Any]) -> bool:
    types = _read_types(rule)
    errors = [each for each in types if isinstance(each, type) and issubclass(each, BaseException)]
    return (
        bool(errors)
        or any(_drop_module(each).endswith(('Error', 'Exception')) for each in types)
        or (not _takes_response(rule))
    )


def _read_types(rule: Callable[..., Any]) -> Sequence[object]:
    """Return the types in the annotation of a function's first parameter; names that cannot be resolved are text."""
    try:
        signature = inspect.signature(rule, eval_str=True)
    except (NameError, AttributeError, TypeError, SyntaxError):  # it is imported for type checkers alone
        signature = inspect.signature(rule)
    except ValueError:  # a function written in C may have no signature
        return []
    first = next(iter(signature.parameters.values()), None)
    return [] if first is None else [*_flatten(first.annotation)]


def _flatten(annotation: object) -> Iterator[object]:
    """Yield the members of a union, and the names in an annotation that is text."""
    if isinstance(annotation, str):
        yield from re.findall(r'[\w.]+', annotation)
    elif members := get_args(annotation):
        for member in members:
            yield from _flatten(member)
    else:
        yield annotation


def _drop_module(name: object) -> str:
    return name.rpartition('.')[2] if isinstance(name, str) else ''
