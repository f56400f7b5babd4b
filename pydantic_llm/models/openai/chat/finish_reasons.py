"""The finish reasons of chat completions, as tables."""

from __future__ import annotations

from ....messages import FinishReason

FINISH_REASONS: dict[str, FinishReason] = {
    'stop': 'stop',
    'length': 'length',
    'model_context_window_exceeded': 'length',
    'tool_calls': 'tool_call',
    'function_call': 'tool_call',
    'content_filter': 'content_filter',
    'sensitive': 'content_filter',
    'error': 'error',
    'network_error': 'error',
}
"""OpenAI's finish reasons, and those that other servers added (Z.ai: `sensitive`, `network_error`)."""

OTHER_REASONS: dict[str, FinishReason] = {
    'eos': 'stop',
    'COMPLETE': 'stop',
    'STOP': 'stop',
    'end_turn': 'stop',
    'stop_sequence': 'stop',
    'MAX_TOKENS': 'length',
    'max_tokens': 'length',
    'tool_use': 'tool_call',
    'TOOL_CALL': 'tool_call',
    'SAFETY': 'content_filter',
    'refusal': 'content_filter',
}
"""Finish reasons of other APIs that gateways pass on unchanged, and Together's `eos` (vespa#33327)."""
