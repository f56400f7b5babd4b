"""Encodes the thinking, the effort and the `max_tokens` that leave room for both.

Models with a budget: https://platform.claude.com/docs/en/build-with-claude/extended-thinking. Newer ones decide
themselves: https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking.
"""

from __future__ import annotations

from typing import NamedTuple

from ...json_types import Json
from ...profiles.anthropic import RESPONSE_TOKENS, AnthropicModelProfile
from ...wire.claude import drop_sampling, fit_budget
from ...wire.prepare import PreparedRequest
from ...wire.thinking import choose_nearest, is_thinking_off, resolve_thinking


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
            thinking = _encode_setting(request, profile)
    if thinking.config and thinking.config.get('type') in ('enabled', 'adaptive'):
        drop_sampling(request)
    return Thinking(thinking.config, settings.get('anthropic_effort') or thinking.effort)


def _encode_setting(request: PreparedRequest, profile: AnthropicModelProfile) -> Thinking:
    """Encode the setting `thinking`. A model that cannot stop thinking gets its lowest effort alone."""
    thinking = resolve_thinking(request, profile.thinking_scale)
    if thinking is None:
        return Thinking()
    if not thinking.is_on:
        off = profile.anthropic_thinking_off
        return Thinking() if off == 'omit' else Thinking({'type': off})
    if is_thinking_off(request):
        return Thinking(effort=thinking.level)
    if thinking.tokens is None:
        return Thinking({'type': 'adaptive'}, thinking.level)
    level = request.settings.get('thinking')
    effort = choose_nearest(level, profile.anthropic_efforts) if isinstance(level, str) else None
    return Thinking({'type': 'enabled', 'budget_tokens': fit_budget(thinking.tokens, request)}, effort)


def encode_max_tokens(request: PreparedRequest, profile: AnthropicModelProfile, thinking: Thinking) -> int:
    """Return the setting `max_tokens`, or a default with room for the thinking. The API requires the field."""
    if (limit := request.settings.get('max_tokens')) is not None:
        return limit
    default, budget = profile.anthropic_default_max_tokens, (thinking.config or {}).get('budget_tokens')
    return max(default, min(budget + RESPONSE_TOKENS, profile.anthropic_max_tokens)) if budget else default
