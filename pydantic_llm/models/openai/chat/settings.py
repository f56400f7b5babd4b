"""The knobs of the Chat Completions API, and what they are called on the wire."""

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
"""The shared settings that go into the body under a name of the API's."""

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
    'openai_prompt_cache_retention': 'prompt_cache_retention',
    'openai_web_search_options': 'web_search_options',
    'openai_moderation': 'moderation',
}
"""The API's own settings."""

ALWAYS_SUPPORTED = frozenset({'thinking', 'constraint', 'parallel_tool_calls'})
"""The shared settings that the API has and that are no field of their own."""


class OpenAIChatModelSettings(ModelSettings, total=False):
    """Settings of a Chat Completions request."""

    openai_reasoning_effort: str
    """How long the model reasons, in the API's words; wins over `thinking`."""

    openai_logprobs: bool
    """Return the log probabilities of the tokens; the same as `logprobs`."""

    openai_top_logprobs: int
    """How many alternatives to each token to return; the same as `top_logprobs`."""

    openai_user: str
    """A stable name for the user, for OpenAI's abuse monitoring."""

    openai_safety_identifier: str
    """A hashed name for the user, which takes the place of `openai_user`."""

    openai_service_tier: Literal['auto', 'default', 'flex', 'scale', 'priority']
    """Which queue the request stands in, in the API's words; wins over `service_tier`."""

    openai_prediction: Mapping[str, Any]
    """Text that the answer will mostly repeat: `{'type': 'content', 'content': '...'}`."""

    openai_store: bool
    """Whether OpenAI keeps the exchange."""

    openai_metadata: Mapping[str, str]
    """What to keep with a stored exchange."""

    openai_verbosity: Literal['low', 'medium', 'high']
    """How wordy the answer is."""

    openai_modalities: list[Literal['text', 'audio']]
    """What the model may answer with. Sound arrives as a `FilePart`."""

    openai_audio: Mapping[str, Any]
    """The voice and format of a spoken answer: `{'voice': 'alloy', 'format': 'wav'}`."""

    openai_prompt_cache_key: str
    """Requests with the same key are sent where their prefix is cached."""

    openai_prompt_cache_retention: Literal['in_memory', '24h']
    """How long a cached prefix is kept."""

    openai_web_search_options: Mapping[str, Any]
    """Options of the search models."""

    openai_moderation: Mapping[str, Any]
    """Moderate the exchange in passing; the verdict is in `ModelResponse.provider_details`."""


OpenAIModelSettings = OpenAIChatModelSettings
"""The settings of `OpenAIModel`."""
