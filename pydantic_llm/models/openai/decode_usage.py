"""`UsageDecoder`: decodes token counts, by the names of Chat Completions, Responses and compatible servers."""

from __future__ import annotations

from ...json_types import Json
from ...streaming.draft import ResponseDraft
from ...usage import RequestUsage
from ...wire.counts import decode_count, get_object, merge_usage, reconcile, select_counts

INPUT = ('prompt_tokens', 'input_tokens')
OUTPUT = ('completion_tokens', 'output_tokens')
INPUT_DETAILS = ('prompt_tokens_details', 'input_tokens_details')
OUTPUT_DETAILS = ('completion_tokens_details', 'output_tokens_details')

CACHE_READ = (
    'cached_tokens',  # OpenAI, in the details; in the usage itself: Hugging Face's router, Moonshot (AstrBot#6614)
    'num_cached_tokens',  # an older Mistral
    'prompt_cache_hit_tokens',  # https://api-docs.deepseek.com/guides/kv_cache; without details: vercel/ai#18905
    'cache_read_input_tokens',  # Anthropic's name, in gateways before Claude (opencode-cmd-provider#147)
    'cache_read_tokens',
)
CACHE_WRITE = (
    'cache_write_tokens',  # OpenAI, OpenRouter
    'cache_creation_tokens',  # LiteLLM, in the details
    'cache_creation_input_tokens',  # Anthropic's name, also Alibaba's
)
THINKING = 'reasoning_tokens'
"""In the details; Perplexity has it in the usage itself: https://docs.perplexity.ai/docs/sonar."""

AUDIO = 'audio_tokens'
KEPT = ('prompt_cache_hit_tokens', 'prompt_cache_miss_tokens')
"""Counts that stay in the details, although they are decoded."""

COUNTED = {*INPUT, *OUTPUT, *CACHE_READ, *CACHE_WRITE, AUDIO, 'total_tokens'} - {*KEPT}
"""Counts that have fields of their own. All others stay in the details."""

NOT_TOKENS = ('cost', 'is_byok', 'prompt_audio_seconds')
"""Fields of the usage that are no token counts."""


USAGE_DETAILS = ('cost', 'is_byok', 'server_tool_use', 'server_tool_use_details')
"""Fields of the usage that are kept in the details of the response, with those of OpenRouter's `cost_details`."""


class UsageDecoder:
    """Records the usage of one response. The counts of a stream are cumulative."""

    def __init__(self, draft: ResponseDraft, *, hides_thinking: bool) -> None:
        self._draft = draft
        self._hides_thinking = hides_thinking
        self._usage: Json = {}

    def record(self, *places: object) -> None:
        """Record the first usage in these objects. Moonshot's streams have it in the choice (pi#2017, AstrBot#6614)."""
        usage = next((found for place in places if (found := get_object(place, 'usage'))), None)
        if usage is None:
            return
        self._usage = merge_usage(self._usage, usage)
        self._draft.usage = decode_usage(self._usage, hides_thinking=self._hides_thinking)
        kept = {name: usage.get(name) for name in USAGE_DETAILS} | get_object(usage, 'cost_details')
        self._draft.provider_details.update({name: value for name, value in kept.items() if value is not None})


def decode_usage(usage: Json, *, hides_thinking: bool = False) -> RequestUsage:
    """Decode token counts. If the server `hides_thinking`, only the total contains the tokens of thinking."""
    input_details, output_details = get_object(usage, *INPUT_DETAILS), get_object(usage, *OUTPUT_DETAILS)
    read, write = (_find(names, input_details, usage) for names in (CACHE_READ, CACHE_WRITE))
    total = decode_count(usage.get('total_tokens'))
    thinking = _find((THINKING,), output_details, usage)
    input, output = reconcile(
        _find(INPUT, usage), _find(OUTPUT, usage), cached=read + write, thinking=thinking, total=total
    )
    return RequestUsage(
        input_tokens=input,
        output_tokens=max(output, total - input) if hides_thinking else output,
        output_reasoning_tokens=thinking or (max(0, total - input - output) if hides_thinking and total else 0),
        cache_read_tokens=read,
        cache_write_tokens=write,
        input_audio_tokens=decode_count(input_details.get(AUDIO)),
        output_audio_tokens=decode_count(output_details.get(AUDIO)),
        details={
            **select_counts(input_details, without=COUNTED, prefix='input_'),
            **select_counts(usage, without={*COUNTED, *NOT_TOKENS}),
            **select_counts(output_details),
        },
    )


def _find(names: tuple[str, ...], *objects: Json) -> int:
    """Return the first count that is not 0."""
    for fields in objects:
        for name in names:
            if count := decode_count(fields.get(name)):
                return count
    return 0
