"""Encodes the thinking as the model's own fields, which differ from family to family."""

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
"""The efforts for a level; the first that the model knows is used."""

THINKING_FIELDS = ('thinking', 'reasoningConfig')
"""The model's own fields of Claude and of Nova that configure thinking."""


class Thinking(NamedTuple):
    """The encoded thinking, as the two fields of the body that can have it."""

    fields: Json = {}  # noqa: RUF012 -- never changed
    """The model's own fields, for `additionalModelRequestFields`."""
    effort: str | None = None
    """The value of `outputConfig.effort`."""

    @property
    def claude(self) -> Json:
        """Claude's own object: its `type`, and the budget unless the model decides itself. Empty for other models."""
        return self.fields.get('thinking') or {}


def encode_thinking(request: PreparedRequest, profile: BedrockModelProfile, *, resumed: bool = False) -> Thinking:
    """Encode the thinking, and drop the settings that it rules out.

    `resumed`: the model continues a turn that it began without thinking. It cannot begin to think with a budget then.
    """
    settings = request.options
    caller_fields: Json = settings.get('bedrock_additional_model_requests_fields', {})
    thinking = Thinking()
    if 'thinking' in settings and not any(name in caller_fields for name in THINKING_FIELDS):
        level: ThinkingLevel = settings['thinking']
        if resumed and level and profile.bedrock_thinking == 'claude' and not profile.bedrock_adaptive_thinking:
            request.drop_setting('thinking', 'the turn that the model continues did not begin with signed thinking')
        else:
            thinking = _encode_off(request, profile) if level is False else _encode_level(level, request, profile)
    fields = {**thinking.fields, **{name: caller_fields[name] for name in THINKING_FIELDS if name in caller_fields}}
    match fields:
        case {'thinking': {'type': 'enabled' | 'adaptive'}}:
            drop_sampling(request)
        case {'reasoningConfig': {'maxReasoningEffort': 'high'}}:
            # https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html
            for name in ('max_tokens', 'temperature', 'top_p'):
                request.drop_setting(name, f'{request.model_name!r} does not take it while it thinks with high effort')
        case _:
            pass
    return Thinking(fields, settings.get('bedrock_effort') or thinking.effort)


def _encode_level(level: ThinkingLevel, request: PreparedRequest, profile: BedrockModelProfile) -> Thinking:
    effort = next((effort for effort in EFFORTS[level] if effort in profile.bedrock_efforts), None)
    match profile.bedrock_thinking:
        case 'claude' if not profile.supports_thinking:
            request.drop_setting('thinking', f'{request.model_name!r} cannot think')
            return Thinking()
        case 'claude' if profile.bedrock_adaptive_thinking:
            return Thinking({'thinking': {'type': 'adaptive'}}, None if level is True else effort)
        case 'claude':
            budget = {'type': 'enabled', 'budget_tokens': thinking_budget(level, request, profile.bedrock_max_tokens)}
            return Thinking({'thinking': budget}, None if level is True else effort)
        case 'nova':  # https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html
            return Thinking({'reasoningConfig': {'type': 'enabled', 'maxReasoningEffort': effort}})
        case 'gpt':
            return Thinking({'reasoning': {'effort': effort}})
        case 'reasoning_effort' | 'reasoning_config':
            # Qwen's field: recording bedrock-converse__test_bedrock_thinking_true_qwen_variant__0_bbb47b
            return Thinking({profile.bedrock_thinking: effort})
        case 'none':
            always = profile.thinking_always_enabled
            reason = 'thinks as long as it sees fit' if always else 'has no setting for thinking'
            request.drop_setting('thinking', f'{request.model_name!r} {reason}')
            return Thinking()
        case _:
            assert_never(profile.bedrock_thinking)


def _encode_off(request: PreparedRequest, profile: BedrockModelProfile) -> Thinking:
    """Encode that the model must not think. A model that cannot stop gets its lowest effort, with a warning."""
    match profile.bedrock_thinking_off:
        case 'omit':
            return Thinking()
        case 'never':
            request.drop_setting('thinking', f'{request.model_name!r} cannot stop thinking')
            if profile.bedrock_thinking == 'claude':
                return Thinking(effort=next(iter(profile.bedrock_efforts), None))
            return _encode_level('minimal', request, profile) if profile.bedrock_efforts else Thinking()
        case 'none':
            return Thinking({'reasoning': {'effort': 'none'}})
        case type:
            return Thinking({'thinking': {'type': type}})
