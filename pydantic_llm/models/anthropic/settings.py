"""The knobs of the Messages API, and what they are called on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ...settings import ModelSettings, ServiceTier

SETTINGS: dict[str, str] = {
    'temperature': 'temperature',
    'top_p': 'top_p',
    'top_k': 'top_k',
    'stop_sequences': 'stop_sequences',
}
"""The shared settings that go into the body as they are."""

OWN_SETTINGS: dict[str, str] = {
    'anthropic_metadata': 'metadata',
    'anthropic_service_tier': 'service_tier',
    'anthropic_context_management': 'context_management',
    'anthropic_speed': 'speed',
    'anthropic_inference_geo': 'inference_geo',
}
"""The API's own settings that go into the body as they are."""

SERVICE_TIERS: dict[ServiceTier, str] = {'auto': 'auto', 'default': 'standard_only'}
"""Our names of queues, and the API's. The others can not be asked for."""

SUPPORTED = frozenset({*SETTINGS, 'thinking', 'service_tier', 'parallel_tool_calls'})
"""The shared settings that the API has."""

CacheTtl = bool | Literal['5m', '1h']
"""Whether to cache, and for how long after the last use; `True` is five minutes."""


class AnthropicModelSettings(ModelSettings, total=False):
    """Settings of a Messages request."""

    anthropic_metadata: Mapping[str, Any]
    """Whom the request is for: `{'user_id': '...'}`."""

    anthropic_thinking: Mapping[str, Any]
    """How the model thinks, in the API's words (`{'type': 'enabled', 'budget_tokens': 8000}`); wins over `thinking`."""

    anthropic_effort: Literal['low', 'medium', 'high', 'xhigh', 'max']
    """How much effort the model puts into the answer, its thinking and its tool calls."""

    anthropic_task_budget: Mapping[str, Any]
    """How many tokens a task of many requests may take: `{'type': 'tokens', 'total': 60000}`. Beta."""

    anthropic_betas: Sequence[str]
    """Betas to take part in, beside those that the request needs anyway."""

    anthropic_service_tier: Literal['auto', 'standard_only']
    """Which queue the request stands in, in the API's words; wins over `service_tier`."""

    anthropic_container: str | Mapping[str, Any] | Literal[False]
    """The container that code runs in: its id, or `{'id': ..., 'skills': [...]}`. Where code can run, the container of
    the last answer is used again unless this is `False`."""

    anthropic_context_management: Mapping[str, Any]
    """What is taken out of a long conversation: `{'edits': [{'type': 'clear_tool_uses_20250919'}]}`. Beta."""

    anthropic_cache: CacheTtl
    """Cache everything up to the last block, wherever that is."""

    anthropic_cache_instructions: CacheTtl
    """Cache the system prompts and instructions, and the tools, which come before them."""

    anthropic_cache_tool_definitions: CacheTtl
    """Cache the definitions of the tools."""

    anthropic_cache_messages: CacheTtl
    """Cache everything up to the end of the last message. Does not go with `anthropic_cache`."""

    anthropic_eager_input_streaming: bool
    """Stream the arguments of tools without waiting until they are valid JSON."""

    anthropic_speed: Literal['standard', 'fast']
    """How fast the answer is written, where the model has a choice. Beta."""

    anthropic_inference_geo: str
    """The region that the model runs in."""
