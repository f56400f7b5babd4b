"""`KeepLastTurns`: sends the last turns of a conversation only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._checks import check_number
from ..messages import ModelMessage
from ..models.estimate import estimate_tokens
from ..tools.context import RunContext
from .budget import DEFAULT_SHARE, TokenBudget, count_tokens
from .turns import find_last_turns, find_opening, find_steps

__all__ = ('KeepLastTurns', 'find_kept', 'keep_last')


class KeepLastTurns:
    """A history processor that sends the system prompts and the last turns of a conversation.

    A tool call is never separated from its result. If the last turn alone has too many tokens, its prompt and its last
    steps are sent.

    Args:
        turns: The most turns to send; `None` sends as many as there are tokens for.
        max_tokens: The most tokens of the messages, as estimated. The default is a share of the context window.
        share: The share of the model's context window, if `max_tokens` is not set.
        context_window: The tokens of the model's context window. The default is that of the model's profile, or what
            `genai-prices` knows, if it is installed; without both, only `turns` counts.
    """

    def __init__(
        self,
        turns: int | None = None,
        *,
        max_tokens: int | None = None,
        share: float = DEFAULT_SHARE,
        context_window: int | None = None,
    ) -> None:
        check_number('turns', turns, least=1, whole=True)
        self.turns = turns
        self.budget: TokenBudget = TokenBudget(max_tokens=max_tokens, share=share, context_window=context_window)

    async def __call__(self, context: RunContext[Any], messages: list[ModelMessage]) -> list[ModelMessage]:
        return keep_last(messages, self.turns, self.budget.find_limit(context))


def keep_last(messages: Sequence[ModelMessage], turns: int | None, limit: int | None) -> list[ModelMessage]:
    """Return the system prompts, and the last messages within the limits."""
    first = find_kept(messages, turns, limit)
    if first == 0 and (limit is None or count_tokens(messages, limit=limit) <= limit):
        return list(messages)
    opening = find_opening(messages, first)
    spent = count_tokens(opening)
    if limit is not None and spent:
        first = find_kept(messages, turns, limit - spent)
    kept = messages[first:]
    return [*opening, *(kept if limit is None else _keep_last_steps(kept, limit - spent))]


def find_kept(messages: Sequence[ModelMessage], turns: int | None, limit: int | None) -> int:
    """Return the index of the first message of the last turns within the limits. The last turn is always kept."""
    kept, end, tokens = None, len(messages), 0
    for number, index in enumerate(find_last_turns(messages), 1):
        tokens += sum(map(estimate_tokens, messages[index:end]))
        if kept is not None and ((turns is not None and number > turns) or (limit is not None and tokens > limit)):
            return kept
        kept = end = index
    return 0


def _keep_last_steps(turn: Sequence[ModelMessage], limit: int) -> list[ModelMessage]:
    """Return the first request of a turn and its last steps, within the limit. The last step is always kept."""
    tokens, end, kept = estimate_tokens(turn[0]), len(turn), None
    for index in find_steps(turn):
        tokens += sum(map(estimate_tokens, turn[index:end]))
        if kept is not None and tokens > limit:
            return [turn[0], *turn[kept:]]
        kept = end = index
    return list(turn)
