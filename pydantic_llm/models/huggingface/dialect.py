"""The differences between Hugging Face's API and OpenAI's. Start at `HUGGINGFACE`.

The API is that of TGI (https://huggingface.co/docs/text-generation-inference/reference/api_reference), which the
router forwards to services with OpenAI's.
"""

from __future__ import annotations

from typing import Literal

from ...messages import FinishReason
from ...settings import ModelSettings
from ..openai.chat.dialect import Dialect
from ..openai.chat.settings import ALWAYS_SUPPORTED, SETTINGS

OWN_SETTINGS: dict[str, str] = {
    'huggingface_reasoning_effort': 'reasoning_effort',
    'huggingface_tool_prompt': 'tool_prompt',
}
"""The settings that only this API has -> the fields of the body."""

FINISH_REASONS: dict[str, FinishReason] = {'eos_token': 'stop', 'eos': 'stop', 'stop_sequence': 'stop'}
"""The finish reasons of TGI and of services behind the router that OpenAI does not have."""


class HuggingFaceModelSettings(ModelSettings, total=False):
    """The settings of a request to Hugging Face."""

    huggingface_reasoning_effort: Literal['none', 'minimal', 'low', 'medium', 'high', 'xhigh']
    """The API's own value for the reasoning effort; overrides `thinking`."""

    huggingface_tool_prompt: str
    """The prompt that TGI puts before the tools."""


HUGGINGFACE = Dialect(
    title="Hugging Face's API",
    settings={name: field for name, field in SETTINGS.items() if name != 'service_tier'},
    own_settings=OWN_SETTINGS,
    always_supported=ALWAYS_SUPPORTED - {'parallel_tool_calls'},
    finish_reasons=FINISH_REASONS,
)
