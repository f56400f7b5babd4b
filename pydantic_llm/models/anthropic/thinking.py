"""Encodes the thinking, the effort and the `max_tokens` that leave room for both.

Models with a budget: https://platform.claude.com/docs/en/build-with-claude/extended-thinking. Newer ones decide
themselves: https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking.
"""

from __future__ import annotations

from typing import NamedTuple, assert_never

from ...json_types import Json
from ...profiles.anthropic import AnthropicModelProfile, Effort
from ...settings import ThinkingLevel
from ...wire.claude import RESPONSE_TOKENS, drop_sampling, thinking_budget
from ...wire.prepare import PreparedRequest

EFFORTS: dict[ThinkingLevel, tuple[Effort, ...]] = {
    'minimal': ('low',),
    'low': ('low',),
    'medium': ('medium',),
    'high': ('high',),
    'xhigh': ('xhigh', 'max', 'high'),
}
"""The efforts for a level; the first that the model knows is used. `True` sets no effort: the model decides."""


class Thinking(NamedTuple):
    """The fields `thinking` and `output_config.effort` of the body."""

    config: Json | None = None
    effort: str | None = None


def encode_thinking(request: PreparedRequest, profile: AnthropicModelProfile, *, resumed: bool = False) -> Thinking:
    """Encode the thinking, and drop the settings that it rules out.

    `resumed`: the model continues a turn that it began without thinking. It cannot begin to think with a budget then.
    """
    settings = request.options
    thinking = Thinking(settings.get('anthropic_thinking'))
    if thinking.config is None and 'thinking' in settings:
        if resumed and settings['thinking'] and profile.anthropic_thinking_mode == 'budget':
            request.drop_setting('thinking', 'the turn that the model continues did not begin with signed thinking')
        else:
            thinking = _encode_level(settings['thinking'], request, profile)
    if thinking.config and thinking.config.get('type') in ('enabled', 'adaptive'):
        drop_sampling(request)
    return Thinking(thinking.config, settings.get('anthropic_effort') or thinking.effort)


def _encode_level(level: ThinkingLevel, request: PreparedRequest, profile: AnthropicModelProfile) -> Thinking:
    if level is False:
        return _encode_off(request, profile)
    if not profile.supports_thinking:
        request.drop_setting('thinking', f'{request.model_name!r} has no setting for thinking')
        return Thinking()
    effort = next((effort for effort in EFFORTS.get(level, ()) if effort in profile.anthropic_efforts), None)
    match profile.anthropic_thinking_mode:
        case 'adaptive':
            return Thinking({'type': 'adaptive'}, effort)
        case 'budget':
            budget = thinking_budget(level, request, profile.anthropic_max_tokens)
            return Thinking({'type': 'enabled', 'budget_tokens': budget}, effort)
        case _:
            assert_never(profile.anthropic_thinking_mode)


def _encode_off(request: PreparedRequest, profile: AnthropicModelProfile) -> Thinking:
    match profile.anthropic_thinking_off:
        case 'omit':
            return Thinking()
        case 'never':
            request.drop_setting('thinking', f'{request.model_name!r} cannot stop thinking, and makes its least effort')
            return Thinking(effort=next(iter(profile.anthropic_efforts), None))
        case type:
            return Thinking({'type': type})


def encode_max_tokens(request: PreparedRequest, profile: AnthropicModelProfile, thinking: Thinking) -> int:
    """Return the setting `max_tokens`, or a default with room for the thinking. The API requires the field."""
    if (limit := request.settings.get('max_tokens')) is not None:
        return limit
    default, budget = profile.anthropic_default_max_tokens, (thinking.config or {}).get('budget_tokens')
    return max(default, min(budget + RESPONSE_TOKENS, profile.anthropic_max_tokens)) if budget else default
