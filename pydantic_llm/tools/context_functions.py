"""Functions of the user that an agent calls by itself: prompts, output validators, text outputs.

They may take a `RunContext` as first argument and may be coroutine functions; a blocking function runs in a thread.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from .._threads import call_async
from .._type_checks import describe_value, is_callable
from ..exceptions import UserError
from .context import RunContext
from .signature import name_of, read_parameters, takes_context

__all__ = ('ContextFunction', 'Prompt', 'parse_prompts', 'render_prompt')

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class ContextFunction:
    """A function, called with or without a `RunContext` as first argument."""

    function: Callable[..., Any]
    takes_ctx: bool

    @classmethod
    def of(cls, function: Callable[..., Any], *, arguments: int = 0) -> Self:
        """Wrap a function. It takes a `RunContext` if that is annotated, or if it requires more than `arguments`.

        Raises `UserError` if the function cannot be called with these arguments.
        """
        parameters = read_parameters(function)
        name = name_of(function)
        positional = [item for item in parameters if item.kind in _POSITIONAL]
        required = [item for item in positional if item.default is item.empty]
        is_context = bool(positional) and takes_context(function, positional[0]) is True
        takes_ctx = is_context or len(required) > arguments
        try:
            inspect.signature(function).bind(*range(arguments + takes_ctx))
        except TypeError as error:
            expected = {0: 'no argument', 1: 'one argument'}.get(arguments, f'{arguments} arguments')
            raise UserError(f'{name!r} must take {expected}, and may take a RunContext first: {error}') from None
        return cls(function, takes_ctx)

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
        case _ if is_callable(value):
            return [ContextFunction.of(value)]
        case _:
            raise UserError(
                f'{parameter} takes text, a function that returns text, or a sequence of these, not {value!r}'
            )


async def render_prompt(prompt: Prompt, context: RunContext[Any]) -> str | None:
    """Return the text of a prompt; a function may return `None` for no text. Raises `UserError` for other values."""
    if isinstance(prompt, str):
        return prompt
    text = await prompt(context)
    if text is not None and not isinstance(text, str):  # vendors refuse it with an error of their own: pydantic-ai#1057
        raise UserError(
            f'The function {prompt.name!r} returned {describe_value(text)} as a prompt; '
            'return text, or None for no prompt'
        )
    return text
