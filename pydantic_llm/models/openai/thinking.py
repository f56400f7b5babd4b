"""Chooses how long an OpenAI model reasons. Chat Completions and Responses use the same efforts."""

from __future__ import annotations

from ...profiles.openai import SAMPLING, OpenAIModelProfile
from ...profiles.thinking import LEVELS
from ...wire.prepare import PreparedRequest

THINKING_LEVELS: dict[str, bool | str] = {'none': False, **{level: level for level in LEVELS}}
"""Efforts of the API -> values of the setting `thinking`."""

THINKING_SOURCES: dict[str, str] = {
    'reasoning_content': 'https://api-docs.deepseek.com/guides/thinking_mode, LM Studio (ellmer#1004)',
    'reasoning': 'https://openrouter.ai/docs/use-cases/reasoning-tokens, vLLM (ellmer#1004), Cerebras (vercel/ai#7866)',
    'reasoning_text': 'GitHub Copilot: copilot-api#230',
    'thinking': 'https://docs.ollama.com/api/chat, passed on by gateways',
    'thoughts': 'gateways in front of Gemini',
}
"""The fields in which servers of chat completions send thinking -> the servers."""

THINKING_FIELDS = tuple(THINKING_SOURCES)
"""These fields, in order. The part from a field has its name as the id."""


def drop_sampling(request: PreparedRequest, profile: OpenAIModelProfile, effort: str | None) -> None:
    """Drop the sampling settings if the model reasons in this request; OpenAI refuses them then.

    https://platform.openai.com/docs/guides/latest-model
    """
    effort = request.options.get('openai_reasoning_effort', effort)
    reasons = profile.openai_reasoning == 'by_default' or (profile.openai_reasoning == 'on_request' and effort)
    if reasons and effort != 'none':
        for name in sorted(SAMPLING & request.settings.keys()):
            request.drop_setting(name, f'{request.model_name!r} does not take it while it reasons')
