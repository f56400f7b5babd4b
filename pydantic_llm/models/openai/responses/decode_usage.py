"""Decodes the token counts of a response."""

from __future__ import annotations

from ....json_types import Json
from ....usage import RequestUsage


def decode_usage(usage: Json) -> RequestUsage:
    """Decode token counts; cached tokens are part of the input's."""
    input_counts: Json = usage.get('input_tokens_details') or {}
    output_counts: Json = usage.get('output_tokens_details') or {}
    return RequestUsage(
        input_tokens=usage.get('input_tokens') or 0,
        output_tokens=usage.get('output_tokens') or 0,
        cache_read_tokens=input_counts.get('cached_tokens') or 0,
        cache_write_tokens=input_counts.get('cache_write_tokens') or 0,
        details={name: count for name, count in output_counts.items() if isinstance(count, int) and count},
    )
