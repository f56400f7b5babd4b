"""How long a model reasons, which both of OpenAI's APIs ask for in the same words."""

from __future__ import annotations

from ...profiles.openai import SAMPLING, OpenAIModelProfile
from ...wire.prepare import PreparedRequest

SCALE = ('minimal', 'low', 'medium', 'high', 'xhigh', 'max')
"""Efforts, from the least to the most."""

LEVELS = {'none': False, 'minimal': 'minimal', 'low': 'low', 'medium': 'medium', 'high': 'high', 'xhigh': 'xhigh'}
"""The API's words for how long to think, and ours."""

THINKING_FIELDS = ('reasoning_content', 'reasoning')
"""The names under which servers of chat completions send thoughts; a part that came under one has it as its id."""


def leave_out_sampling(request: PreparedRequest, profile: OpenAIModelProfile, effort: str | None) -> None:
    """Leave out what OpenAI refuses while a model reasons, where it does so in this request."""
    effort = request.options.get('openai_reasoning_effort', effort)
    reasons = profile.openai_reasoning == 'by_default' or (profile.openai_reasoning == 'on_request' and effort)
    if reasons and effort != 'none':
        for name in sorted(SAMPLING & request.settings.keys()):
            request.leave_out(name, f'{request.model_name!r} does not take it while it reasons')


def least_effort(request: PreparedRequest, profile: OpenAIModelProfile) -> str | None:
    """The smallest effort of a model that cannot stop thinking, and a note that says so."""
    if not profile.openai_thinking_efforts:
        request.leave_out('thinking', f'{request.model_name!r} cannot stop thinking')
        return None
    least = profile.openai_thinking_efforts[0]
    request.note(f'{request.model_name!r} cannot stop thinking, and was asked to do so as little as it can ({least!r})')
    return least


def nearest_effort(wanted: str, known: tuple[str, ...]) -> str | None:
    """The effort to ask for: the wanted one, or the one nearest to it; of two, the greater."""
    place = SCALE.index(wanted)
    ranked = sorted(known, key=lambda effort: (abs(SCALE.index(effort) - place), -SCALE.index(effort)))
    return ranked[0] if ranked else None
