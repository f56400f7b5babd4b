"""The settings of the Gemini API, and their names on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ...settings import ModelSettings, ServiceTier

GENERATION_SETTINGS: dict[str, str] = {
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
"""Settings -> fields of `generationConfig`."""

TOP_LEVEL_SETTINGS: dict[str, str] = {
    'gemini_safety_settings': 'safetySettings',
    'gemini_labels': 'labels',
    'gemini_cached_content': 'cachedContent',
    'gemini_model_armor_config': 'modelArmorConfig',
}
"""Settings -> fields of the body."""

GOOGLE_NAMES: dict[str, str] = {
    'google_safety_settings': 'gemini_safety_settings',
    'google_thinking_config': 'gemini_thinking_config',
    'google_labels': 'gemini_labels',
    'google_video_resolution': 'gemini_media_resolution',
    'google_cached_content': 'gemini_cached_content',
}
"""pydantic-ai's names of settings (https://ai.pydantic.dev/api/models/google) -> the names here."""

SERVICE_TIERS: dict[ServiceTier, str | None] = {
    'auto': None,
    'default': 'standard',
    'flex': 'flex',
    'priority': 'priority',
}
"""Our service tiers -> the API's; `None` lets the API choose."""

SUPPORTED = frozenset({*GENERATION_SETTINGS, 'cache', 'thinking', 'service_tier'})
"""The shared settings that the API supports."""


class GeminiModelSettings(ModelSettings, total=False):
    """Settings of a Gemini request."""

    gemini_safety_settings: Sequence[Mapping[str, Any]]
    """The thresholds for blocked content: `[{'category': ..., 'threshold': ...}]`."""

    gemini_thinking_config: Mapping[str, Any]
    """The thinking of the model, as a value of the API; overrides `thinking`."""

    gemini_labels: Mapping[str, str]
    """Labels for billing, by their names."""

    gemini_media_resolution: str
    """The resolution of images and videos: `'MEDIA_RESOLUTION_LOW'` etc."""

    gemini_cached_content: str
    """The name of a cached prefix. It contains system prompts and tools, so they are not sent with it."""

    gemini_image_config: Mapping[str, Any]
    """The form of generated images: `{'aspectRatio': '16:9'}`; overrides `ImageGenerationTool`."""

    gemini_speech_config: Mapping[str, Any]
    """The voice of generated speech."""

    gemini_response_modalities: Sequence[Literal['TEXT', 'IMAGE', 'AUDIO']]
    """The kinds of content in the response. The default is text; image models add images, speech models use audio."""

    gemini_native_tools: Sequence[Mapping[str, Any]]
    """Google's tools that have no class here, in the API's form: `[{'googleMaps': {}}]`."""

    gemini_retrieval_config: Mapping[str, Any]
    """The location and language of the user, for searches: `{'latLng': {'latitude': ..., 'longitude': ...}}`."""

    gemini_model_armor_config: Mapping[str, Any]
    """The templates of Model Armor. Vertex AI only, and not for streams."""

    gemini_service_tier: Literal['standard', 'flex', 'priority']
    """The service tier, as a value of the API; overrides `service_tier`."""
