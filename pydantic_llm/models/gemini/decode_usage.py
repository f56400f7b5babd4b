"""The count of tokens, both ways."""

from __future__ import annotations

from ...json_types import Json
from ...usage import RequestUsage

COUNTS = {'thoughtsTokenCount': 'thoughts_tokens', 'toolUsePromptTokenCount': 'tool_use_prompt_tokens'}
"""Counts that are a part of others, and their names in `details`."""

BY_MODALITY = {
    'promptTokensDetails': 'prompt',
    'cacheTokensDetails': 'cache',
    'candidatesTokensDetails': 'candidates',
    'toolUsePromptTokensDetails': 'tool_use_prompt',
}
"""Counts that are told for each modality: `audio_prompt_tokens` is what of the prompt was sound."""


def decode_usage(usage: Json, known: RequestUsage) -> RequestUsage:
    """The tokens so far. Each report is of the whole answer; what it leaves out stays as it was."""
    details = {**known.details, **{name: count for name, count in _details(usage).items() if count}}
    prompt, written = usage.get('promptTokenCount') or 0, usage.get('candidatesTokenCount') or 0
    read = prompt + (usage.get('toolUsePromptTokenCount') or 0)
    return RequestUsage(
        input_tokens=read or known.input_tokens,
        output_tokens=(written + (usage.get('thoughtsTokenCount') or 0)) or known.output_tokens,
        cache_read_tokens=usage.get('cachedContentTokenCount') or known.cache_read_tokens,
        input_audio_tokens=details.get('audio_prompt_tokens', 0) + details.get('audio_tool_use_prompt_tokens', 0),
        cache_audio_read_tokens=details.get('audio_cache_tokens', 0),
        output_audio_tokens=details.get('audio_candidates_tokens', 0),
        details=details,
    )


def _details(usage: Json) -> dict[str, int]:
    found: dict[str, int] = {name: usage.get(wire) or 0 for wire, name in COUNTS.items()}
    for wire, of in BY_MODALITY.items():
        for count in usage.get(wire) or ():
            name = f'{str(count.get("modality", "unknown")).lower()}_{of}_tokens'
            found[name] = found.get(name, 0) + (count.get('tokenCount') or 0)
    return found


def encode_usage(usage: RequestUsage) -> Json:
    """The tokens as the API tells of them: thoughts apart from what is shown, tools apart from the prompt."""
    thoughts = min(usage.details.get('thoughts_tokens', 0), usage.output_tokens)
    tools = min(usage.details.get('tool_use_prompt_tokens', 0), usage.input_tokens)
    counts = {
        'thoughtsTokenCount': thoughts,
        'toolUsePromptTokenCount': tools,
        'cachedContentTokenCount': usage.cache_read_tokens,
        **{wire: _by_modality(usage, of) for wire, of in BY_MODALITY.items()},
    }
    return {
        'promptTokenCount': usage.input_tokens - tools,
        'candidatesTokenCount': usage.output_tokens - thoughts,
        'totalTokenCount': usage.total_tokens,
        **{wire: count for wire, count in counts.items() if count},
    }


def _by_modality(usage: RequestUsage, of: str) -> list[Json]:
    end = f'_{of}_tokens'
    found = {name.removesuffix(end): count for name, count in usage.details.items() if name.endswith(end)}
    return [
        {'modality': modality.upper(), 'tokenCount': count} for modality, count in found.items() if '_' not in modality
    ]
