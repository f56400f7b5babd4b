"""The settings of the Chat Completions API, and the fields of the body that they become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ....settings import ModelSettings

SETTINGS: dict[str, str] = {
    'temperature': 'temperature',
    'top_p': 'top_p',
    'seed': 'seed',
    'stop_sequences': 'stop',
    'presence_penalty': 'presence_penalty',
    'frequency_penalty': 'frequency_penalty',
    'logit_bias': 'logit_bias',
    'logprobs': 'logprobs',
    'top_logprobs': 'top_logprobs',
    'service_tier': 'service_tier',
}
"""The shared settings -> the fields of the body."""

OWN_SETTINGS: dict[str, str] = {
    'openai_reasoning_effort': 'reasoning_effort',
    'openai_logprobs': 'logprobs',
    'openai_top_logprobs': 'top_logprobs',
    'openai_user': 'user',
    'openai_safety_identifier': 'safety_identifier',
    'openai_service_tier': 'service_tier',
    'openai_prediction': 'prediction',
    'openai_store': 'store',
    'openai_metadata': 'metadata',
    'openai_verbosity': 'verbosity',
    'openai_modalities': 'modalities',
    'openai_audio': 'audio',
    'openai_prompt_cache_key': 'prompt_cache_key',
    'openai_prompt_cache_options': 'prompt_cache_options',
    'openai_prompt_cache_retention': 'prompt_cache_retention',
    'openai_web_search_options': 'web_search_options',
    'openai_moderation': 'moderation',
}
"""The settings that only this API has -> the fields of the body."""

ALWAYS_SUPPORTED = frozenset({'cache', 'thinking', 'constraint', 'parallel_tool_calls'})
"""The shared settings that the API supports in another way than as one field of the body."""


class OpenAIChatModelSettings(ModelSettings, total=False):
    """The settings of a Chat Completions request."""

    openai_reasoning_effort: str
    """The API's own value for the reasoning effort; overrides `thinking`."""

    openai_logprobs: bool
    """Return the log probabilities of the tokens; the same as `logprobs`."""

    openai_top_logprobs: int
    """Number of alternatives to return per token; the same as `top_logprobs`."""

    openai_user: str
    """A stable id of the end user, for OpenAI's abuse monitoring."""

    openai_safety_identifier: str
    """A hashed id of the end user; replaces `openai_user`."""

    openai_service_tier: Literal['auto', 'default', 'flex', 'scale', 'priority']
    """The API's own name of the service tier; overrides `service_tier`."""

    openai_prediction: Mapping[str, Any]
    """Text that the response will mostly repeat: `{'type': 'content', 'content': '...'}`."""

    openai_store: bool
    """Store the request and the response at OpenAI."""

    openai_metadata: Mapping[str, str]
    """Key-value pairs to store with the response."""

    openai_verbosity: Literal['low', 'medium', 'high']
    """The length of the response's text."""

    openai_modalities: list[Literal['text', 'audio']]
    """The kinds of output that the model may generate. Audio becomes a `FilePart`."""

    openai_audio: Mapping[str, Any]
    """The voice and format of the generated audio: `{'voice': 'alloy', 'format': 'wav'}`."""

    openai_prompt_cache_key: str
    """Route requests with the same key to the server that has cached their prefix."""

    openai_prompt_cache_options: Mapping[str, Any]
    """The options of the cache, from gpt-5.6 on: `{'mode': 'explicit'}` caches up to each `CachePoint` only."""

    openai_prompt_cache_retention: Literal['in_memory', '24h']
    """The storage time of a cached prefix: until memory is needed, or 24 hours."""

    openai_web_search_options: Mapping[str, Any]
    """Options of the search models, such as `{'search_context_size': 'low'}`."""

    openai_moderation: Mapping[str, Any]
    """Moderate the request and the response; the verdict is in `ModelResponse.provider_details`."""


OpenAIModelSettings = OpenAIChatModelSettings
"""The settings of `OpenAIModel`."""
