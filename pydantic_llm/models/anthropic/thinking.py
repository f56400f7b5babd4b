"""How long the model thinks, and how much effort it makes → fields of the body."""

from __future__ import annotations

from typing import Any, NamedTuple, assert_never

from ...exceptions import UserError
from ...profiles.anthropic import AnthropicModelProfile, Effort
from ...settings import ThinkingLevel
from .._prepare import PreparedRequest

Json = dict[str, Any]

BUDGETS: dict[ThinkingLevel, int] = {
    True: 10_000,
    'minimal': 1024,
    'low': 2048,
    'medium': 10_000,
    'high': 16_384,
    'xhigh': 32_768,
}
"""How many tokens a level of `thinking` is, for models that want a number."""

EFFORTS: dict[ThinkingLevel, tuple[Effort, ...]] = {
    'minimal': ('low',),
    'low': ('low',),
    'medium': ('medium',),
    'high': ('high',),
    'xhigh': ('xhigh', 'max', 'high'),
}
"""What a level is called, where the model knows levels; the first that it knows. `True` is none: the model decides."""

LEAST_BUDGET = 1024
"""The API refuses a smaller one."""

ROOM_FOR_ANSWER = 4096
"""How many tokens are left for the answer where the budget is ours to choose."""

LEAST_TOP_P = 0.95
"""The API refuses a smaller `top_p` while the model thinks."""


class Thinking(NamedTuple):
    """What is said of thinking."""

    config: Json | None = None
    """The field `thinking`."""
    effort: str | None = None
    """`output_config.effort`."""


def encode_thinking(request: PreparedRequest, profile: AnthropicModelProfile, *, resumed: bool = False) -> Thinking:
    """How the model shall think. Settings that do not go with that are left out.

    `resumed` says that the model takes up a turn that it began without thoughts: with a budget it cannot begin now.
    """
    settings: Json = dict(request.settings)
    said = Thinking(settings.get('anthropic_thinking'))
    if said.config is None and 'thinking' in settings:
        if resumed and settings['thinking'] and profile.anthropic_thinking_mode == 'budget':
            request.leave_out('thinking', 'the turn that the model takes up did not begin with signed thoughts')
        else:
            said = _for_level(settings['thinking'], request, profile)
    if said.config and said.config.get('type') in ('enabled', 'adaptive'):
        _check_sampling(request)
    return Thinking(said.config, settings.get('anthropic_effort') or said.effort)


def _for_level(level: ThinkingLevel, request: PreparedRequest, profile: AnthropicModelProfile) -> Thinking:
    if level is False:
        return _off(request, profile)
    if not profile.supports_thinking:
        request.leave_out('thinking', f'{request.model_name!r} cannot be told to think')
        return Thinking()
    effort = next((word for word in EFFORTS.get(level, ()) if word in profile.anthropic_efforts), None)
    match profile.anthropic_thinking_mode:
        case 'adaptive':
            return Thinking({'type': 'adaptive'}, effort)
        case 'budget':
            return Thinking({'type': 'enabled', 'budget_tokens': _budget(level, request, profile)}, effort)
        case _:
            assert_never(profile.anthropic_thinking_mode)


def _off(request: PreparedRequest, profile: AnthropicModelProfile) -> Thinking:
    match profile.anthropic_thinking_off:
        case 'omit':
            return Thinking()
        case 'never':
            request.leave_out('thinking', f'{request.model_name!r} cannot stop thinking, and makes its least effort')
            return Thinking(effort=next(iter(profile.anthropic_efforts), None))
        case word:
            return Thinking({'type': word})


def _budget(level: ThinkingLevel, request: PreparedRequest, profile: AnthropicModelProfile) -> int:
    """The tokens that a level is worth; half of the answer where `max_tokens` allows no more."""
    wanted = min(BUDGETS[level], profile.anthropic_max_tokens - ROOM_FOR_ANSWER)
    limit = request.settings.get('max_tokens')
    if limit is None or limit > wanted:
        return wanted
    if limit <= LEAST_BUDGET:
        raise UserError(
            f'max_tokens={limit!r} leaves no room to think, for which the API wants at least {LEAST_BUDGET} tokens: '
            'set a larger max_tokens, or thinking=False'
        )
    return max(limit // 2, LEAST_BUDGET)


def _check_sampling(request: PreparedRequest) -> None:
    settings = request.settings
    refused = {
        'temperature': settings.get('temperature', 1) != 1,
        'top_p': settings.get('top_p', 1) < LEAST_TOP_P,
        'top_k': 'top_k' in settings,
    }
    for name, is_refused in refused.items():
        if is_refused:
            request.leave_out(name, f'{request.model_name!r} does not take it while it thinks')


def encode_max_tokens(request: PreparedRequest, profile: AnthropicModelProfile, thinking: Thinking) -> int:
    """How much the model may write; the API wants to know, so there is a default, with room for thoughts."""
    if (limit := request.settings.get('max_tokens')) is not None:
        return limit
    default, budget = profile.anthropic_default_max_tokens, (thinking.config or {}).get('budget_tokens')
    return max(default, min(budget + ROOM_FOR_ANSWER, profile.anthropic_max_tokens)) if budget else default
