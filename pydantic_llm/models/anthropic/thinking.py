"""How long the model thinks, and how much effort it makes → fields of the body."""

from __future__ import annotations

from typing import NamedTuple, assert_never

from ...json_types import Json
from ...profiles.anthropic import AnthropicModelProfile, Effort
from ...settings import ThinkingLevel
from ...wire.claude import ROOM_FOR_ANSWER, leave_out_sampling, thinking_budget
from ...wire.prepare import PreparedRequest

EFFORTS: dict[ThinkingLevel, tuple[Effort, ...]] = {
    'minimal': ('low',),
    'low': ('low',),
    'medium': ('medium',),
    'high': ('high',),
    'xhigh': ('xhigh', 'max', 'high'),
}
"""What a level is called, where the model knows levels; the first that it knows. `True` is none: the model decides."""


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
    settings = request.options
    said = Thinking(settings.get('anthropic_thinking'))
    if said.config is None and 'thinking' in settings:
        if resumed and settings['thinking'] and profile.anthropic_thinking_mode == 'budget':
            request.leave_out('thinking', 'the turn that the model takes up did not begin with signed thoughts')
        else:
            said = _for_level(settings['thinking'], request, profile)
    if said.config and said.config.get('type') in ('enabled', 'adaptive'):
        leave_out_sampling(request)
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
            budget = thinking_budget(level, request, profile.anthropic_max_tokens)
            return Thinking({'type': 'enabled', 'budget_tokens': budget}, effort)
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


def encode_max_tokens(request: PreparedRequest, profile: AnthropicModelProfile, thinking: Thinking) -> int:
    """How much the model may write; the API wants to know, so there is a default, with room for thoughts."""
    if (limit := request.settings.get('max_tokens')) is not None:
        return limit
    default, budget = profile.anthropic_default_max_tokens, (thinking.config or {}).get('budget_tokens')
    return max(default, min(budget + ROOM_FOR_ANSWER, profile.anthropic_max_tokens)) if budget else default
