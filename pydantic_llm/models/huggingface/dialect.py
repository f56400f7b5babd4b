"""How Hugging Face's API differs from OpenAI's. Start at `HUGGINGFACE`.

The API is that of TGI (https://huggingface.co/docs/text-generation-inference/reference/api_reference), which the
router passes on to services that speak OpenAI's.
"""

from __future__ import annotations

from typing import Literal

from ...json_types import Json
from ...messages import FinishReason
from ...settings import ModelSettings
from ...streaming.draft import ResponseDraft
from ..openai.chat.dialect import Dialect
from ..openai.chat.settings import ALWAYS_SUPPORTED, SETTINGS

OWN_SETTINGS: dict[str, str] = {
    'huggingface_reasoning_effort': 'reasoning_effort',
    'huggingface_tool_prompt': 'tool_prompt',
}
"""The API's own settings."""

FINISH_REASONS: dict[str, FinishReason] = {'eos_token': 'stop', 'eos': 'stop', 'stop_sequence': 'stop'}
"""The words of TGI, and of services behind the router."""


class HuggingFaceModelSettings(ModelSettings, total=False):
    """Settings of a request to Hugging Face."""

    huggingface_reasoning_effort: Literal['none', 'minimal', 'low', 'medium', 'high', 'xhigh']
    """How long the model reasons, in the API's words; wins over `thinking`."""

    huggingface_tool_prompt: str
    """What TGI writes before the tools."""


def decode_event(event: Json, draft: ResponseDraft) -> Json:
    """A body or an event as OpenAI would have sent it: older servers of TGI stream one call, where a list belongs."""
    match event:
        case {'choices': [{'delta': {'tool_calls': {} as call}} as choice, *_]}:
            return {**event, 'choices': [{**choice, 'delta': {**choice['delta'], 'tool_calls': [call]}}]}
        case _:
            return event


HUGGINGFACE = Dialect(
    title="Hugging Face's API",
    settings={name: field for name, field in SETTINGS.items() if name != 'service_tier'},
    own_settings=OWN_SETTINGS,
    always_supported=ALWAYS_SUPPORTED - {'parallel_tool_calls'},
    finish_reasons=FINISH_REASONS,
    decode_event=decode_event,
)
"""Hugging Face's."""
