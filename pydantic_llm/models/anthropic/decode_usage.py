"""Decodes the token counts of a message."""

from __future__ import annotations

from ...json_types import Json
from ...usage import RequestUsage
from ...wire.counts import decode_count, get_object, select_counts

INPUT_COUNTS = ('input_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens')
"""The counts that make up the input: new, read from the cache and written to it."""


def decode_usage(usage: Json) -> RequestUsage:
    """Decode token counts.

    The API's `input_tokens` exclude those read from and written to the cache, and its totals exclude compactions. An
    advisor's tokens are another model's, so they are in `details` only (recording:
    anthropic__test_anthropic_advisor_tool_stream__0_a61f68).
    """
    iterations: list[Json] = usage.get('iterations') or []
    counted = [usage, *(iteration for iteration in iterations if iteration.get('type') == 'compaction')]
    cache_read, cache_write, uncached, output = (
        sum(decode_count(counts.get(name)) for counts in counted)
        for name in ('cache_read_input_tokens', 'cache_creation_input_tokens', 'input_tokens', 'output_tokens')
    )
    return RequestUsage(
        input_tokens=uncached + cache_read + cache_write,
        cache_read_tokens=cache_read,
        cache_write_tokens=cache_write,
        output_tokens=output,
        output_reasoning_tokens=decode_count(get_object(usage, 'output_tokens_details').get('thinking_tokens')),
        details={name: count for name, count in _decode_details(usage, iterations).items() if count},
    )


def _decode_details(usage: Json, iterations: list[Json]) -> dict[str, int]:
    output, cache_write = get_object(usage, 'output_tokens_details'), get_object(usage, 'cache_creation')
    return {
        'thinking_tokens': decode_count(output.get('thinking_tokens')),
        'ephemeral_1h_input_tokens': decode_count(cache_write.get('ephemeral_1h_input_tokens')),
        **select_counts(get_object(usage, 'server_tool_use')),
        **_sum_iterations('compaction', 'compaction', iterations),
        **_sum_iterations('advisor', 'advisor_message', iterations),
    }


def _sum_iterations(name: str, kind: str, iterations: list[Json]) -> dict[str, int]:
    """Return the number of iterations of one kind within a response, and their tokens."""
    found = [iteration for iteration in iterations if iteration.get('type') == kind]
    return {
        f'{name}_iterations': len(found),
        f'{name}_input_tokens': sum(decode_count(iteration.get('input_tokens')) for iteration in found),
        f'{name}_output_tokens': sum(decode_count(iteration.get('output_tokens')) for iteration in found),
    }
