"""How long the model thinks → its own fields of the body, which each family calls differently."""

from __future__ import annotations

from typing import NamedTuple, assert_never

from ...json_types import Json
from ...profiles.bedrock import BedrockModelProfile
from ...settings import ThinkingLevel
from ...wire.claude import drop_sampling, thinking_budget
from ...wire.prepare import PreparedRequest

EFFORTS: dict[ThinkingLevel, tuple[str, ...]] = {
    True: ('medium', 'high'),
    'minimal': ('low',),
    'low': ('low',),
    'medium': ('medium', 'low'),
    'high': ('high',),
    'xhigh': ('xhigh', 'max', 'high'),
}
"""What a level is called, where the model knows efforts; the first that it knows."""

OBJECTS = ('thinking', 'reasoningConfig')
"""Claude's and Nova's own fields that say how to think."""


class Thinking(NamedTuple):
    """What is said of thinking."""

    fields: Json = {}  # noqa: RUF012 -- never changed
    """The model's own fields."""
    effort: str | None = None
    """`outputConfig.effort`."""

    @property
    def claude(self) -> Json:
        """Claude's own object: its `type`, and the budget where the model does not decide itself."""
        return self.fields.get('thinking') or {}


def encode_thinking(request: PreparedRequest, profile: BedrockModelProfile, *, resumed: bool = False) -> Thinking:
    """How the model shall think. Settings that do not go with that are left out.

    `resumed` says that the model takes up a turn that it began without thoughts: with a budget it cannot begin now.
    """
    settings = request.options
    own: Json = settings.get('bedrock_additional_model_requests_fields', {})
    said = Thinking()
    if 'thinking' in settings and not any(name in own for name in OBJECTS):
        level: ThinkingLevel = settings['thinking']
        if resumed and level and profile.bedrock_thinking == 'claude' and not profile.bedrock_adaptive_thinking:
            request.leave_out('thinking', 'the turn that the model takes up did not begin with signed thoughts')
        else:
            said = _off(request, profile) if level is False else _on(level, request, profile)
    fields: Json = {**said.fields, **{name: own[name] for name in OBJECTS if name in own}}
    match fields:
        case {'thinking': {'type': 'enabled' | 'adaptive'}}:
            drop_sampling(request)
        case {'reasoningConfig': {'maxReasoningEffort': 'high'}}:
            for name in ('max_tokens', 'temperature', 'top_p'):
                request.leave_out(name, f'{request.model_name!r} does not take it while it thinks with high effort')
        case _:
            pass
    return Thinking(fields, settings.get('bedrock_effort') or said.effort)


def _on(level: ThinkingLevel, request: PreparedRequest, profile: BedrockModelProfile) -> Thinking:
    effort = next((word for word in EFFORTS[level] if word in profile.bedrock_efforts), None)
    match profile.bedrock_thinking:
        case 'claude' if not profile.supports_thinking:
            request.leave_out('thinking', f'{request.model_name!r} cannot think')
            return Thinking()
        case 'claude' if profile.bedrock_adaptive_thinking:
            return Thinking({'thinking': {'type': 'adaptive'}}, None if level is True else effort)
        case 'claude':
            budget = {'type': 'enabled', 'budget_tokens': thinking_budget(level, request, profile.bedrock_max_tokens)}
            return Thinking({'thinking': budget}, None if level is True else effort)
        case 'nova':
            return Thinking({'reasoningConfig': {'type': 'enabled', 'maxReasoningEffort': effort}})
        case 'gpt':
            return Thinking({'reasoning': {'effort': effort}})
        case 'reasoning_effort' | 'reasoning_config':
            return Thinking({profile.bedrock_thinking: effort})
        case 'none':
            always = profile.thinking_always_enabled
            reason = 'thinks as long as it sees fit' if always else 'cannot be told to think'
            request.leave_out('thinking', f'{request.model_name!r} {reason}')
            return Thinking()
        case _:
            assert_never(profile.bedrock_thinking)


def _off(request: PreparedRequest, profile: BedrockModelProfile) -> Thinking:
    """Claude and GPT stop at a word, or make their least effort; the others stop where nobody asks them to think."""
    match profile.bedrock_thinking_off:
        case 'omit':
            return Thinking()
        case 'never':
            request.leave_out('thinking', f'{request.model_name!r} cannot stop thinking')
            if profile.bedrock_thinking == 'claude':
                return Thinking(effort=next(iter(profile.bedrock_efforts), None))
            return _on('minimal', request, profile) if profile.bedrock_efforts else Thinking()
        case 'none':
            return Thinking({'reasoning': {'effort': 'none'}})
        case word:
            return Thinking({'thinking': {'type': word}})
