"""Decodes the token counts of a chat completion."""

from __future__ import annotations

from ....json_types import Json
from ....usage import RequestUsage


def decode_usage(usage: Json) -> RequestUsage:
    """Decode token counts; cached tokens are part of the prompt's."""
    prompt: Json = usage.get('prompt_tokens_details') or {}
    completion: Json = usage.get('completion_tokens_details') or {}
    # DeepSeek counts cache hits and misses: https://api-docs.deepseek.com/guides/kv_cache
    cache_counts = {name: usage.get(name) for name in ('prompt_cache_hit_tokens', 'prompt_cache_miss_tokens')}
    counts = {**completion, **cache_counts}
    return RequestUsage(
        input_tokens=usage.get('prompt_tokens') or 0,
        output_tokens=usage.get('completion_tokens') or 0,
        # `cached_tokens` is Hugging Face's router, `num_cached_tokens` an older Mistral
        cache_read_tokens=prompt.get('cached_tokens')
        or usage.get('cached_tokens')
        or usage.get('num_cached_tokens')
        or 0,
        cache_write_tokens=prompt.get('cache_write_tokens') or 0,
        input_audio_tokens=prompt.get('audio_tokens') or 0,
        output_audio_tokens=completion.get('audio_tokens') or 0,
        details={name: count for name, count in counts.items() if isinstance(count, int) and count},
    )
