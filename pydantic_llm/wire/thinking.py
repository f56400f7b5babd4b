"""Maps the setting `thinking` to what a model accepts: the same rules for every room.

`resolve_thinking` returns the level or the budget nearest to the setting, and adds a warning if it had to change what
was asked for. A room only encodes the result in its own fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..profiles.thinking import LEVELS, TOKENS, ThinkingScale
from .prepare import PreparedRequest

__all__ = ('ResolvedThinking', 'is_thinking_off', 'resolve_thinking')


class ResolvedThinking(NamedTuple):
    """The thinking of one request, in values that its model accepts."""

    is_on: bool
    level: str | None = None
    """One of the scale's levels."""
    tokens: int | None = None
    """A number of tokens within the scale's budgets. Never together with a level."""


OFF = ResolvedThinking(is_on=False)


def is_thinking_off(request: PreparedRequest) -> bool:
    """Return whether the setting `thinking` is `False` or 0 tokens."""
    value = request.settings.get('thinking')
    return value is not None and value == 0


def resolve_thinking(request: PreparedRequest, scale: ThinkingScale) -> ResolvedThinking | None:
    """Return the nearest to the setting `thinking` on a scale, or `None` if nothing is to be sent.

    Of two values equally near, the greater one is used.
    """
    value = request.settings.get('thinking')
    if value is None:
        return None
    if is_thinking_off(request) and scale.can_stop:
        return OFF if scale.is_adjustable else None
    if not scale.is_adjustable:
        request.drop_setting('thinking', f'{request.model_name!r} has no setting for thinking')
        return None
    if is_thinking_off(request):
        return _choose_least(request, scale)
    match value:
        case True:
            return _choose_default(scale)
        case str():
            return _choose_for_level(value, request, scale)
        case _:
            return _choose_for_budget(value, request, scale)


def _choose_least(request: PreparedRequest, scale: ThinkingScale) -> ResolvedThinking | None:
    """Return the least thinking of a model that cannot stop, with a warning."""
    if scale.levels:
        least = ResolvedThinking(is_on=True, level=scale.levels[0])
    elif scale.budgets:
        least = ResolvedThinking(is_on=True, tokens=scale.budgets[0])
    else:
        request.drop_setting('thinking', f'{request.model_name!r} cannot stop thinking')
        return None
    sent = least.level or least.tokens
    request.note(f'{request.model_name!r} cannot stop thinking; its lowest level was sent ({sent!r})')
    return least


def _choose_default(scale: ThinkingScale) -> ResolvedThinking:
    match scale.default:
        case str() as level:
            return ResolvedThinking(is_on=True, level=choose_nearest(level, scale.levels))
        case tokens:
            return ResolvedThinking(is_on=True, tokens=_limit(tokens, scale) if tokens else None)


def _choose_for_level(level: str, request: PreparedRequest, scale: ThinkingScale) -> ResolvedThinking:
    if scale.levels:
        nearest = choose_nearest(level, scale.levels)
        if nearest != level:
            _note_change(request, nearest)
        return ResolvedThinking(is_on=True, level=nearest)
    if scale.budgets:
        # A table that ends before `max` means the most that the model accepts
        return ResolvedThinking(is_on=True, tokens=_limit(scale.tokens.get(level, scale.budgets[1]), scale))
    _note_change(request)
    return ResolvedThinking(is_on=True)


def _choose_for_budget(budget: int, request: PreparedRequest, scale: ThinkingScale) -> ResolvedThinking:
    if scale.budgets:
        tokens = _limit(budget, scale)
        if tokens != budget:
            _note_change(request, tokens)
        return ResolvedThinking(is_on=True, tokens=tokens)
    nearest = choose_nearest(find_level(budget), scale.levels)
    _note_change(request, nearest)
    return ResolvedThinking(is_on=True, level=nearest)


def _limit(tokens: int, scale: ThinkingScale) -> int:
    least, most = scale.budgets or (tokens, tokens)
    return max(least, min(tokens, most))


def _note_change(request: PreparedRequest, sent: str | int | None = None) -> None:
    """Add a warning that a level or a budget was sent instead of the setting; `None`: only that the model thinks."""
    asked, sent = request.settings.get('thinking'), True if sent is None else sent
    request.note(f'thinking={asked!r} became {sent!r}, the nearest value that {request.model_name!r} accepts')


def choose_nearest(wanted: str, supported: Sequence[str]) -> str | None:
    """Return the supported level nearest to `wanted` (of two, the greater), if there is any."""
    rank = LEVELS.index(wanted)
    return min(supported, key=lambda level: (abs(LEVELS.index(level) - rank), -LEVELS.index(level)), default=None)


def find_level(budget: int) -> str:
    """Return the level whose number of tokens is nearest to a budget, by their ratio; of two, the greater."""
    return min(reversed(LEVELS), key=lambda level: max(budget, TOKENS[level]) / min(budget, TOKENS[level]))
