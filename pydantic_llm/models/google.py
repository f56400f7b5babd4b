"""Gemini under the names that pydantic-ai has for it. The room of the API is `gemini`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .gemini import GeminiModel, GeminiModelSettings
from .model_names import GeminiModelName

__all__ = ('GoogleModel', 'GoogleModelName', 'GoogleModelSettings')

GoogleModel = GeminiModel
"""Another name of `GeminiModel`."""

GoogleModelName = GeminiModelName
"""Another name of `GeminiModelName`."""


class GoogleModelSettings(GeminiModelSettings, total=False):
    """The settings of `GeminiModel`, also under the names that pydantic-ai has for them."""

    google_safety_settings: Sequence[Mapping[str, Any]]
    """`gemini_safety_settings`."""

    google_thinking_config: Mapping[str, Any]
    """`gemini_thinking_config`."""

    google_labels: Mapping[str, str]
    """`gemini_labels`."""

    google_video_resolution: str
    """`gemini_media_resolution`."""

    google_cached_content: str
    """`gemini_cached_content`."""
