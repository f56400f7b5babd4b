"""`TokenBudget`: the tokens that the messages of a request may have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .._checks import check_number
from ..exceptions import UserError
from ..messages import ModelMessage
from ..models import Model
from ..models.estimate import estimate_tokens
from ..tools.context import RunContext

__all__ = ('DEFAULT_SHARE', 'TokenBudget', 'count_tokens', 'find_window')

DEFAULT_SHARE = 0.75
"""The share of the context window for the messages. Tools, instructions and the response need the rest."""


@dataclass(frozen=True, kw_only=True)
class TokenBudget:
    """A number of tokens, or a share of the model's context window."""

    max_tokens: int | None = None
    share: float = DEFAULT_SHARE
    context_window: int | None = None

    def __post_init__(self) -> None:
        check_number('max_tokens', self.max_tokens, least=1, whole=True)
        check_number('context_window', self.context_window, least=1, whole=True)
        check_number('share', self.share, above=0, required=True)
        if self.share > 1:
            raise UserError(f'share is a part of the context window, more than 0 and at most 1, not {self.share!r}')

    def find_limit(self, context: RunContext[Any]) -> int | None:
        """Return the most tokens of the next request; `None` if no limit is known.

        If the vendor has just refused a request as too long, the limit is half of that request.
        """
        limit = self.max_tokens
        if limit is None and (window := self.context_window or find_window(context.model)):
            limit = int(window * self.share)
        if not context.refused_messages:
            return limit
        half = max(count_tokens(context.refused_messages) // 2, 1)
        return half if limit is None else min(limit, half)


def find_window(model: Model) -> int | None:
    """Return the context window of a model, if it is known and not 0."""
    return model.context_window or None


def count_tokens(messages: Sequence[ModelMessage], *, limit: int | None = None) -> int:
    """Return the estimated tokens of the messages. Stop counting above the limit."""
    tokens = 0
    for message in reversed(messages):
        tokens += estimate_tokens(message)
        if limit is not None and tokens > limit:
            break
    return tokens
