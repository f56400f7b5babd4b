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
    'eos_token': 'stop',
    'complete': 'stop',
    'completed': 'stop',
    'end_turn': 'stop',
    'stop_sequence': 'stop',
    'stop_token': 'stop',
    'max_tokens': 'length',
    'max_output_tokens': 'length',
    'model_length': 'length',
    'tool_use': 'tool_call',
    'tool_call': 'tool_call',
    'content_filtered': 'content_filter',
    'guardrail_intervened': 'content_filter',
    'prohibited_content': 'content_filter',
    'recitation': 'content_filter',
    'safety': 'content_filter',
    'refusal': 'content_filter',
}
"""Finish reasons of other APIs that gateways pass on unchanged, in lower case: those of the Messages API, of Bedrock,
Gemini, Cohere, Mistral, TGI (`eos_token`) and Together (`eos`, vespa#33327)."""
