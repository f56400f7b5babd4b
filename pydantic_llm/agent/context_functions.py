"""Functions of the user that an agent calls by itself: prompts, output validators, text outputs.

They may take a `RunContext` as first argument and may be coroutine functions; a blocking function runs in a thread.
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

__all__ = ('ContextFunction', 'Prompt', 'parse_prompts', 'render_prompt')

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class ContextFunction:
    """A function, called with or without a `RunContext` as first argument."""

    function: Callable[..., Any]
    takes_ctx: bool

    @classmethod
    def of(cls, function: Callable[..., Any], *, arguments: int = 0) -> Self:
        """Wrap a function. It takes a `RunContext` if it requires more than `arguments` positional arguments."""
        parameters = list(inspect.signature(function).parameters.values())
        required = [item for item in parameters if item.kind in _POSITIONAL and item.default is item.empty]
        return cls(function, len(required) > arguments)

    @property
    def name(self) -> str:
        return str(getattr(self.function, '__qualname__', name_of(self.function)))

    async def __call__(self, context: RunContext[Any], *arguments: object) -> Any:
        return await call_async(self.function, *([context] if self.takes_ctx else []), *arguments)


Prompt = str | ContextFunction
"""A text, or a function that returns one."""


def parse_prompts(
    parameter: str, value: str | Callable[..., Any] | Sequence[str | Callable[..., Any]] | None
) -> list[Prompt]:
    """Return the prompts in the value of a parameter: a text, a function, a sequence of these, or `None`.

    Raises `UserError`, naming the parameter, for any other value.
    """
    match value:
        case None:
            return []
        case str():
            return [value]
        case Sequence():
            return [prompt for item in value for prompt in parse_prompts(parameter, item)]
        case _ if callable(value):
            return [ContextFunction.of(value)]
        case _:
            raise UserError(
                f'{parameter} takes text, a function that returns text, or a sequence of these, not {value!r}'
            )


async def render_prompt(prompt: Prompt, context: RunContext[Any]) -> str | None:
    """Return the text of a prompt; a function may return `None` for no text."""
    return prompt if isinstance(prompt, str) else await prompt(context)
