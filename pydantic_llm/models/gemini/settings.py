"""The knobs of the Gemini API, and what they are called on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ...settings import ModelSettings

GENERATION: dict[str, str] = {
    'max_tokens': 'maxOutputTokens',
    'temperature': 'temperature',
    'top_p': 'topP',
    'top_k': 'topK',
    'seed': 'seed',
    'presence_penalty': 'presencePenalty',
    'frequency_penalty': 'frequencyPenalty',
    'stop_sequences': 'stopSequences',
    'logprobs': 'responseLogprobs',
    'top_logprobs': 'logprobs',
    'gemini_thinking_config': 'thinkingConfig',
    'gemini_media_resolution': 'mediaResolution',
    'gemini_image_config': 'imageConfig',
    'gemini_speech_config': 'speechConfig',
    'gemini_response_modalities': 'responseModalities',
}
"""The settings that go into `generationConfig`."""

TOP_LEVEL: dict[str, str] = {
    'gemini_safety_settings': 'safetySettings',
    'gemini_labels': 'labels',
    'gemini_cached_content': 'cachedContent',
    'gemini_model_armor_config': 'modelArmorConfig',
    'gemini_service_tier': 'serviceTier',
}
"""The settings that go into the body itself."""

SUPPORTED = frozenset({*GENERATION, 'thinking'})
"""The shared settings that the API has."""


class GeminiModelSettings(ModelSettings, total=False):
    """Settings of a Gemini request."""

    gemini_safety_settings: Sequence[Mapping[str, Any]]
    """What is blocked from which probability on: `[{'category': ..., 'threshold': ...}]`."""

    gemini_thinking_config: Mapping[str, Any]
    """How the model thinks, in the API's own words; wins over `thinking`."""

    gemini_labels: Mapping[str, str]
    """Labels for the bill. Vertex AI."""

    gemini_media_resolution: str
    """How closely images and videos are looked at: `'MEDIA_RESOLUTION_LOW'` and so on."""

    gemini_cached_content: str
    """The name of a stored prefix. System prompts and tools are part of it, and are not sent beside it."""

    gemini_image_config: Mapping[str, Any]
    """The shape of images that the model makes: `{'aspectRatio': '16:9'}`."""

    gemini_speech_config: Mapping[str, Any]
    """The voice of a spoken answer."""

    gemini_response_modalities: Sequence[Literal['TEXT', 'IMAGE', 'AUDIO']]
    """What the model may answer with. Text, and images where the model makes them, where it is not set."""

    gemini_model_armor_config: Mapping[str, Any]
    """The templates of Model Armor. Vertex AI."""

    gemini_service_tier: Literal['standard', 'flex', 'priority']
    """Which queue the request stands in."""
