"""`MapResult`, the result of one row, and `RowError`, which describes why a row failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Generic

from typing_extensions import TypeVar

from ..cost import add_costs
from ..exceptions import (
    AuthenticationError,
    FallbackExceptionGroup,
    LLMError,
    ModelAPIError,
    NotFoundError,
    QuotaExceededError,
    RateLimitError,
    UnexpectedModelBehavior,
    UnknownPriceError,
    UserError,
)
from ..messages import ModelResponse
from ..usage import RunUsage, add_usages

__all__ = ('MapResult', 'RowError')

OutputT = TypeVar('OutputT', default=Any)

FATAL = (AuthenticationError, NotFoundError, QuotaExceededError)
"""The errors that every further row would get too: the key, the name of the model or the account is wrong."""


@dataclass(frozen=True, slots=True)
class RowError:
    """The description of an error, which can be stored."""

    type: str
    """The name of the error's class, such as `'RateLimitError'`."""
    message: str
    retryable: bool
    """True if the same request can succeed later."""

    @classmethod
    def of(cls, error: LLMError) -> RowError:
        """Return the description of an error."""
        return cls(type(error).__name__, str(error), is_retryable(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class MapResult(Generic[OutputT]):
    """The result of one row: an output or an error."""

    index: int
    """The position of the row among all rows, from 0."""
    row: Any
    """The row, as it was given."""
    output: OutputT | None = None
    """The text of the response, or the structured output; `None` if the row failed."""
    error: RowError | None = None
    """The error of a row that failed, also of one that was read from a checkpoint."""
    exception: LLMError | None = field(default=None, compare=False, repr=False)
    """The error itself; `None` if it was read from a checkpoint."""
    responses: tuple[ModelResponse, ...] = field(default=(), repr=False)
    """The responses of the model: several if it had to correct a structured output."""
    is_restored: bool = False
    """True if the result was read from a checkpoint: nothing was sent for it."""

    @property
    def response(self) -> ModelResponse | None:
        """The last response of the model."""
        return self.responses[-1] if self.responses else None

    @property
    def usage(self) -> RunUsage:
        """The tokens of all responses."""
        return add_usages(response.usage for response in self.responses)

    def get_output(self) -> OutputT:
        """Return the output. Raises the error of a row that failed."""
        if self.error is not None:
            raise self.exception or LLMError(f'{self.error.type}: {self.error.message}')
        return self.output  # type: ignore[return-value]  # pyright: ignore[reportReturnType] -- `None` may be an output

    def find_price(self) -> Decimal | None:
        """Return the price of the responses in US dollars; `None` if it is unknown, or `genai-prices` is missing."""
        if not self.responses:
            return None
        try:
            return add_costs(response.cost() for response in self.responses).total_price
        except (UnknownPriceError, UserError):
            return None


def is_retryable(error: BaseException) -> bool:
    """Return whether the same request can succeed later. A model may write a valid response the next time."""
    if isinstance(error, FallbackExceptionGroup):
        return any(map(is_retryable, error.exceptions))
    return error.retryable if isinstance(error, ModelAPIError) else isinstance(error, UnexpectedModelBehavior)


def is_fatal(error: BaseException) -> bool:
    """Return whether every further row would get this error too."""
    if isinstance(error, FallbackExceptionGroup):
        return all(map(is_fatal, error.exceptions))
    is_limit = isinstance(error, RateLimitError) and not error.retryable  # a budget of a day, not of a minute
    return is_limit or isinstance(error, FATAL)
