"""Decodes the token counts of a response."""

from __future__ import annotations

from ...json_types import Json
from ...usage import RequestUsage

HOUR_TOKENS = 'ephemeral_1h_input_tokens'
"""The key in `RequestUsage.details` of the tokens that were cached for an hour; Anthropic's name for them."""


def decode_usage(usage: Json) -> RequestUsage:
    """Decode token counts. `inputTokens` excludes the tokens read from and written to the cache.

    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html
    """
    read, write = usage.get('cacheReadInputTokens') or 0, usage.get('cacheWriteInputTokens') or 0
    hour = sum(detail['inputTokens'] for detail in usage.get('cacheDetails') or () if detail.get('ttl') == '1h')
    tools: Json = usage.get('serverToolUsage') or {}
    details = {HOUR_TOKENS: hour, **{name: count for name, count in tools.items() if isinstance(count, int)}}
    return RequestUsage(
        input_tokens=(usage.get('inputTokens') or 0) + read + write,
        cache_read_tokens=read,
        cache_write_tokens=write,
        output_tokens=usage.get('outputTokens') or 0,
        details={name: count for name, count in details.items() if count},
    )
