"""The rules that decide which errors and which responses trigger a fallback to the next model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from ...exceptions import FallbackExceptionGroup, RejectedResponseError, UserError
from ...messages import ModelResponse

FallbackOn = type[Exception] | Callable[[Any], Any]
"""A rule: a type of exceptions, or a function, plain or async, that returns whether to try the next model.

The function gets the exception; or the response, if its parameter is annotated with `ModelResponse`."""


class FallbackRules:
    """Rules: `types` and `error_rules` for errors, `response_rules` for responses. An invalid one is a `UserError`."""

    def __init__(self, fallback_on: FallbackOn | Sequence[FallbackOn]) -> None:
        rules: list[Any] = [*fallback_on] if isinstance(fallback_on, (list, tuple)) else [fallback_on]
        self.types: tuple[type[Exception], ...] = tuple(
            rule for rule in rules if isinstance(rule, type) and issubclass(rule, Exception)
        )
        functions = [rule for rule in rules if rule not in self.types]
        if invalid := [rule for rule in functions if not callable(rule) or isinstance(rule, type)]:
            raise UserError(f'fallback_on takes types of exceptions and functions, not {invalid[0]!r}')
        self.response_rules: list[Any] = [rule for rule in functions if _takes_response(rule)]
        self.error_rules: list[Any] = [rule for rule in functions if rule not in self.response_rules]

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
    """Return whether the first parameter of a function is annotated with `ModelResponse`."""
    try:
        first = next(iter(inspect.signature(rule).parameters.values()), None)
    except ValueError:  # a function written in C may have no signature
        return False
    return first is not None and (
        first.annotation is ModelResponse or str(first.annotation).rpartition('.')[2] == ModelResponse.__name__
    )
