"""Encodes the thinking as the model's own fields, which differ from family to family."""

from __future__ import annotations

from typing import NamedTuple

from ...json_types import Json
from ...profiles.bedrock import BedrockModelProfile
from ...wire.claude import drop_sampling, fit_budget
from ...wire.prepare import PreparedRequest
from ...wire.thinking import ResolvedThinking, choose_nearest, is_thinking_off, resolve_thinking

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
        is_budget = profile.bedrock_thinking == 'claude' and not profile.bedrock_adaptive_thinking
        if resumed and settings['thinking'] and is_budget:
            request.drop_setting('thinking', 'the turn that the model continues did not begin with signed thinking')
        elif resolved := resolve_thinking(request, profile.thinking_scale):
            encode = _encode_claude if profile.bedrock_thinking == 'claude' else _encode_other
            thinking = encode(resolved, request, profile)
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


def _encode_claude(thinking: ResolvedThinking, request: PreparedRequest, profile: BedrockModelProfile) -> Thinking:
    """Encode Claude's own object. A Claude that cannot stop thinking gets its lowest effort alone."""
    if not thinking.is_on:
        off = profile.bedrock_thinking_off
        return Thinking() if off == 'omit' else Thinking({'thinking': {'type': off}})
    if is_thinking_off(request):
        return Thinking(effort=thinking.level)
    if thinking.tokens is None:
        return Thinking({'thinking': {'type': 'adaptive'}}, thinking.level)
    level = request.settings.get('thinking')
    effort = choose_nearest(level, profile.bedrock_efforts) if isinstance(level, str) else None
    budget = {'type': 'enabled', 'budget_tokens': fit_budget(thinking.tokens, request)}
    return Thinking({'thinking': budget}, effort)


def _encode_other(thinking: ResolvedThinking, request: PreparedRequest, profile: BedrockModelProfile) -> Thinking:
    """Encode the field of a model that takes an effort."""
    if not thinking.is_on:
        return Thinking({'reasoning': {'effort': 'none'}}) if profile.bedrock_thinking_off == 'none' else Thinking()
    if thinking.level is None:
        return Thinking()
    match profile.bedrock_thinking:
        case 'nova':  # https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html
            return Thinking({'reasoningConfig': {'type': 'enabled', 'maxReasoningEffort': thinking.level}})
        case 'gpt':
            return Thinking({'reasoning': {'effort': thinking.level}})
        case field:
            # Qwen's field: recording bedrock-converse__test_bedrock_thinking_true_qwen_variant__0_bbb47b
            return Thinking({field: thinking.level})
