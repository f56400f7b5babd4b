"""The settings of the Messages API, and their names on the wire."""

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
"""The shared settings that go into the body unchanged -> the fields of the body."""

OWN_SETTINGS: dict[str, str] = {
    'anthropic_metadata': 'metadata',
    'anthropic_service_tier': 'service_tier',
    'anthropic_context_management': 'context_management',
    'anthropic_speed': 'speed',
    'anthropic_inference_geo': 'inference_geo',
}
"""The API's own settings that go into the body unchanged -> the fields of the body."""

SERVICE_TIERS: dict[ServiceTier, str] = {'auto': 'auto', 'default': 'standard_only'}
"""The shared service tiers that the API has -> its names. https://platform.claude.com/docs/en/api/service-tiers"""

SUPPORTED = frozenset({*SETTINGS, 'cache', 'thinking', 'service_tier', 'parallel_tool_calls'})
"""The shared settings that the API has."""

CacheTtl = bool | Literal['5m', '1h']
"""The time after its last use that a cached prompt is kept; `True` is five minutes, `False` does not cache."""


class AnthropicModelSettings(ModelSettings, total=False):
    """Settings of a Messages request."""

    anthropic_metadata: Mapping[str, Any]
    """The user that the request is made for: `{'user_id': '...'}`."""

    anthropic_thinking: Mapping[str, Any]
    """The API's `thinking`: `{'type': 'enabled', 'budget_tokens': 8000}`. Overrides the shared `thinking`."""

    anthropic_effort: Literal['low', 'medium', 'high', 'xhigh', 'max']
    """The effort that the model puts into the response, its thinking and its tool calls."""

    anthropic_task_budget: Mapping[str, Any]
    """The tokens that a task of many requests may use: `{'type': 'tokens', 'total': 60000}`. Beta."""

    anthropic_betas: Sequence[str]
    """Betas to use, in addition to those that the request needs anyway."""

    anthropic_service_tier: Literal['auto', 'standard_only']
    """The API's service tier. Overrides the shared `service_tier`."""

    anthropic_container: str | Mapping[str, Any] | Literal[False]
    """The container that code runs in: its id, or `{'id': ..., 'skills': [...]}`. If the request has a tool that runs
    code, the container of the last response is used again, unless this is `False`."""

    anthropic_context_management: Mapping[str, Any]
    """The edits that shorten a long conversation: `{'edits': [{'type': 'clear_tool_uses_20250919'}]}`. Beta."""

    anthropic_cache: CacheTtl
    """Cache everything up to the last block, wherever that is."""

    anthropic_cache_instructions: CacheTtl
    """Cache the system prompts and instructions, and the tools, which precede them."""

    anthropic_cache_tool_definitions: CacheTtl
    """Cache the definitions of the tools."""

    anthropic_cache_messages: CacheTtl
    """Cache everything up to the end of the last message. Cannot be combined with `anthropic_cache`."""

    anthropic_eager_input_streaming: bool
    """Stream the arguments of tools without waiting until they are valid JSON."""

    anthropic_speed: Literal['standard', 'fast']
    """The speed of the model, if it has more than one. Beta."""

    anthropic_inference_geo: str
    """The region that the model runs in."""
