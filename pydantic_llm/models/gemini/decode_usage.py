"""Decodes and encodes token counts, for requests and responses alike."""

from __future__ import annotations

from ...json_types import Json
from ...usage import RequestUsage
from ...wire.counts import decode_count, reconcile

COUNTS = {'thoughtsTokenCount': 'thoughts_tokens', 'toolUsePromptTokenCount': 'tool_use_prompt_tokens'}
"""Counts that are added to the input or the output, and their names in `details`."""

MODALITY_COUNTS = {
    'promptTokensDetails': 'prompt',
    'cacheTokensDetails': 'cache',
    'candidatesTokensDetails': 'candidates',
    'toolUsePromptTokensDetails': 'tool_use_prompt',
}
"""Lists with one count for each modality -> a part of the names in `details`: `audio_prompt_tokens`."""


def decode_usage(usage: Json) -> RequestUsage:
    """Decode token counts.

    The prompt's count excludes the results of Google's tools, the candidates' count excludes thinking:
    https://ai.google.dev/api/generate-content#UsageMetadata
    """
    details = {name: count for name, count in _decode_details(usage).items() if count}
    input, output = reconcile(
        decode_count(usage.get('promptTokenCount')) + decode_count(usage.get('toolUsePromptTokenCount')),
        decode_count(usage.get('candidatesTokenCount')),
        thinking=decode_count(usage.get('thoughtsTokenCount')),
        total=decode_count(usage.get('totalTokenCount')),
        is_apart=True,
    )
    return RequestUsage(
        input_tokens=input,
        output_tokens=output,
        output_reasoning_tokens=decode_count(usage.get('thoughtsTokenCount')),
        cache_read_tokens=decode_count(usage.get('cachedContentTokenCount')),
        input_audio_tokens=details.get('audio_prompt_tokens', 0) + details.get('audio_tool_use_prompt_tokens', 0),
        cache_audio_read_tokens=details.get('audio_cache_tokens', 0),
        output_audio_tokens=details.get('audio_candidates_tokens', 0),
        details=details,
    )


def _decode_details(usage: Json) -> dict[str, int]:
    counts = {name: decode_count(usage.get(wire)) for wire, name in COUNTS.items()}
    for wire, counted in MODALITY_COUNTS.items():
        for count in usage.get(wire) or ():
            name = f'{str(count.get("modality", "unknown")).lower()}_{counted}_tokens'
            counts[name] = counts.get(name, 0) + decode_count(count.get('tokenCount'))
    return counts


def encode_usage(usage: RequestUsage) -> Json:
    """Encode token counts: thinking is not part of the candidates' count, tool results not of the prompt's."""
    thinking = min(usage.output_reasoning_tokens, usage.output_tokens)
    tools = min(usage.details.get('tool_use_prompt_tokens', 0), usage.input_tokens)
    counts = {
        'thoughtsTokenCount': thinking,
        'toolUsePromptTokenCount': tools,
        'cachedContentTokenCount': usage.cache_read_tokens,
        **{wire: _encode_modalities(usage, counted) for wire, counted in MODALITY_COUNTS.items()},
    }
    return {
        'promptTokenCount': usage.input_tokens - tools,
        'candidatesTokenCount': usage.output_tokens - thinking,
        'totalTokenCount': usage.total_tokens,
        **{wire: count for wire, count in counts.items() if count},
    }


def _encode_modalities(usage: RequestUsage, counted: str) -> list[Json]:
    """Return one count for each modality. `counted` is a value of `MODALITY_COUNTS`."""
    end = f'_{counted}_tokens'
    counts = {name.removesuffix(end): count for name, count in usage.details.items() if name.endswith(end)}
    return [
        {'modality': modality.upper(), 'tokenCount': count} for modality, count in counts.items() if '_' not in modality
    ]
