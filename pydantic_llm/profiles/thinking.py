"""What models accept for the setting `thinking`: levels, a number of tokens, or only a switch.

The property `thinking_scale` of each class of profiles makes a `ThinkingScale` from the facts of a model;
`wire.thinking` maps the setting to the nearest value on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..settings import THINKING_LEVELS

__all__ = ('LEVELS', 'TOKENS', 'ThinkingScale')

LEVELS = THINKING_LEVELS
"""All levels of thinking, in ascending order."""

TOKENS: Mapping[str, int] = {
    'minimal': 1024,
    'low': 2048,
    'medium': 8192,
    'high': 16_384,
    'xhigh': 32_768,
    'max': 65_536,
}
"""The tokens of each level, by which a number of tokens becomes a level. A vendor with budgets may have a table of its
own."""

NO_LIMIT = 2**31 - 1
"""The upper end of budgets without a limit that is known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ThinkingScale:
    """What a model accepts. Without levels and budgets, its thinking can only be switched on."""

    levels: tuple[str, ...] = ()
    """The levels that it accepts, the lowest first; a subset of `LEVELS`."""
    budgets: tuple[int, int] | None = None
    """The smallest and the largest number of tokens that it accepts, if it accepts one."""
    tokens: Mapping[str, int] = field(default_factory=lambda: TOKENS)
    """The tokens of each level, for a model that accepts budgets and no levels."""
    default: str | int | None = None
    """The level or the number of tokens that is sent for `True`; `None` leaves the amount to the model."""
    can_stop: bool = True
    """True if the model responds without thinking if it is asked to, or always does."""
    is_adjustable: bool = True
    """False if the API has no field for the thinking of this model."""


FIXED = ThinkingScale(is_adjustable=False, can_stop=False)
"""The scale of a model whose thinking cannot be set."""

CANNOT_THINK = ThinkingScale(is_adjustable=False)
"""The scale of a model that never thinks."""
