"""The knobs of the Gemini API, and what they are called on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ...settings import ModelSettings, ServiceTier

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
}
"""The settings that go into the body itself."""

SERVICE_TIERS: dict[ServiceTier, str | None] = {
    'auto': None,
    'default': 'standard',
    'flex': 'flex',
    'priority': 'priority',
}
"""Our names of queues, and the API's."""

SUPPORTED = frozenset({*GENERATION, 'thinking', 'service_tier'})
"""The shared settings that the API has."""


class GeminiModelSettings(ModelSettings, total=False):
    """Settings of a Gemini request."""

    gemini_safety_settings: Sequence[Mapping[str, Any]]
    """What is blocked from which probability on: `[{'category': ..., 'threshold': ...}]`."""

    gemini_thinking_config: Mapping[str, Any]
    """How the model thinks, in the API's own words; wins over `thinking`."""

    gemini_labels: Mapping[str, str]
    """Labels for the bill."""

    gemini_media_resolution: str
    """How closely images and videos are looked at: `'MEDIA_RESOLUTION_LOW'` and so on."""

    gemini_cached_content: str
    """The name of a stored prefix. System prompts and tools are part of it, and are not sent beside it."""

    gemini_image_config: Mapping[str, Any]
    """The shape of images that the model makes: `{'aspectRatio': '16:9'}`; wins over `ImageGenerationTool`."""

    gemini_speech_config: Mapping[str, Any]
    """The voice of a spoken answer."""

    gemini_response_modalities: Sequence[Literal['TEXT', 'IMAGE', 'AUDIO']]
    """What the model may answer with. Where it is not set: text, images too where the model makes them, or speech."""

    gemini_native_tools: Sequence[Mapping[str, Any]]
    """Tools of Google's that have no class here, in the API's own words: `[{'googleMaps': {}}]`."""

    gemini_retrieval_config: Mapping[str, Any]
    """Where the user is and what they speak, for searches: `{'latLng': {'latitude': ..., 'longitude': ...}}`."""

    gemini_model_armor_config: Mapping[str, Any]
    """The templates of Model Armor. Vertex AI, and only where the answer is not streamed."""

    gemini_service_tier: Literal['standard', 'flex', 'priority']
    """Which queue the request stands in, in the API's words; wins over `service_tier`."""
