"""What Claude wants of a request that lets it think, at Anthropic's and at Amazon's alike.

https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking
"""

from __future__ import annotations

from ..exceptions import UserError
from ..settings import ThinkingLevel
from .prepare import PreparedRequest

BUDGETS: dict[ThinkingLevel, int] = {
    True: 10_000,
    'minimal': 1024,
    'low': 2048,
    'medium': 10_000,
    'high': 16_384,
    'xhigh': 32_768,
}
"""How many tokens a level of `thinking` is, for models that want a number."""

LEAST_BUDGET = 1024
"""A smaller one is refused."""

ROOM_FOR_ANSWER = 4096
"""How many tokens are left for the answer where the budget is ours to choose."""

LEAST_TOP_P = 0.95
"""A smaller `top_p` is refused while the model thinks."""


def thinking_budget(level: ThinkingLevel, request: PreparedRequest, most: int) -> int:
    """The tokens that a level is worth for a model that writes so many at most; half of the answer where `max_tokens`
    allows no more. Raises a `UserError` where it allows none.
    """
    wanted = min(BUDGETS[level], most - ROOM_FOR_ANSWER)
    limit = request.settings.get('max_tokens')
    if limit is None or limit > wanted:
        return wanted
    if limit <= LEAST_BUDGET:
        raise UserError(
            f'max_tokens={limit!r} leaves no room to think, for which the API wants at least {LEAST_BUDGET} tokens: '
            'set a larger max_tokens, or thinking=False'
        )
    return max(limit // 2, LEAST_BUDGET)


def level_of(budget: int) -> ThinkingLevel:
    """The largest level that is worth no more than the budget."""
    levels: tuple[ThinkingLevel, ...] = ('xhigh', 'high', 'medium', 'low')
    fitting: list[ThinkingLevel] = [level for level in levels if BUDGETS[level] <= budget]
    return fitting[0] if fitting else 'minimal'


def leave_out_sampling(request: PreparedRequest) -> None:
    """Leave out what is refused while the model thinks."""
    settings = request.settings
    refused = {
        'temperature': settings.get('temperature', 1) != 1,
        'top_p': settings.get('top_p', 1) < LEAST_TOP_P,
        'top_k': 'top_k' in settings,
    }
    for name, is_refused in refused.items():
        if is_refused:
            request.leave_out(name, f'{request.model_name!r} does not take it while it thinks')
