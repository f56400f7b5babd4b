"""Functions of the caller's that an agent calls by itself: prompts, validators, text outputs.

They may take a `RunContext` first, and may be coroutine functions; a blocking one runs in a thread.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from .._threads import call_async
from ..exceptions import UserError
from ..tools.context import RunContext
from ..tools.signature import name_of

__all__ = ('ContextFunction', 'Prompt', 'as_prompts', 'written')

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class ContextFunction:
    """A function, and whether it wants a `RunContext`."""

    function: Callable[..., Any]
    """The function."""
    takes_ctx: bool
    """Whether its first argument is a `RunContext`."""

    @classmethod
    def of(cls, function: Callable[..., Any], *, arguments: int = 0) -> Self:
        """Look at a function that is given so many arguments beside the `RunContext`."""
        parameters = list(inspect.signature(function).parameters.values())
        needed = [item for item in parameters if item.kind in _POSITIONAL and item.default is item.empty]
        return cls(function, len(needed) > arguments)

    @property
    def name(self) -> str:
        """Where the function is defined, and what it is called there."""
        return str(getattr(self.function, '__qualname__', name_of(self.function)))

    async def __call__(self, context: RunContext[Any], *arguments: Any) -> Any:
        """Call it with these arguments."""
        return await call_async(self.function, *([context] if self.takes_ctx else []), *arguments)


Prompt = str | ContextFunction
"""A piece of a prompt, or what makes one."""


def as_prompts(
    parameter: str, value: str | Callable[..., Any] | Sequence[str | Callable[..., Any]] | None
) -> list[Prompt]:
    """Prompts as a parameter takes them: a text, a function, or several; `None` for none."""
    match value:
        case None:
            return []
        case str():
            return [value]
        case Sequence():
            return [prompt for item in value for prompt in as_prompts(parameter, item)]
        case _ if callable(value):
            return [ContextFunction.of(value)]
        case _:
            raise UserError(
                f'{parameter} takes text, a function that gives text, or a sequence of these, not {value!r}'
            )


async def written(prompt: Prompt, context: RunContext[Any]) -> str | None:
    """The text of a prompt."""
    return prompt if isinstance(prompt, str) else await prompt(context)
