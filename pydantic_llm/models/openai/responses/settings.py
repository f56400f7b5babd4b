"""The settings of the Responses API, and the tables of their names on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ....settings import ModelSettings

SETTINGS: dict[str, str] = {
    'max_tokens': 'max_output_tokens',
    'temperature': 'temperature',
    'top_p': 'top_p',
    'top_logprobs': 'top_logprobs',
    'service_tier': 'service_tier',
}
"""Shared settings -> fields of the body."""

OWN_SETTINGS: dict[str, str] = {
    'openai_user': 'user',
    'openai_safety_identifier': 'safety_identifier',
    'openai_service_tier': 'service_tier',
    'openai_store': 'store',
    'openai_metadata': 'metadata',
    'openai_truncation': 'truncation',
    'openai_background': 'background',
    'openai_context_management': 'context_management',
    'openai_moderation': 'moderation',
    'openai_max_tool_calls': 'max_tool_calls',
    'openai_prompt_cache_key': 'prompt_cache_key',
    'openai_prompt_cache_options': 'prompt_cache_options',
    'openai_prompt_cache_retention': 'prompt_cache_retention',
    'openai_top_logprobs': 'top_logprobs',
}
"""The API's own settings -> fields of the body."""

REASONING: dict[str, str] = {
    'openai_reasoning_effort': 'effort',
    'openai_reasoning_summary': 'summary',
    'openai_reasoning_context': 'context',
}
"""Settings -> fields of `reasoning`."""

INCLUDES: dict[str, str] = {
    'openai_include_code_execution_outputs': 'code_interpreter_call.outputs',
    'openai_include_web_search_sources': 'web_search_call.action.sources',
    'openai_include_file_search_results': 'file_search_call.results',
    'openai_logprobs': 'message.output_text.logprobs',
    'logprobs': 'message.output_text.logprobs',
}
"""Settings that add something to the response -> values of `include`."""

ENCRYPTED_REASONING = 'reasoning.encrypted_content'
"""The value of `include` for the encrypted content of reasoning items, which is sent back in the next request."""

SUPPORTED = frozenset({*SETTINGS, 'cache', 'logprobs', 'thinking', 'parallel_tool_calls'})
"""The shared settings that the API supports."""


class OpenAIResponsesModelSettings(ModelSettings, total=False):
    """Settings of a Responses request."""

    openai_reasoning_effort: str
    """The effort of the reasoning, as a value of the API; overrides `thinking`."""

    openai_reasoning_summary: Literal['auto', 'concise', 'detailed']
    """Return a summary of the model's thinking, as `ThinkingPart`s."""

    openai_reasoning_context: Literal['auto', 'current_turn', 'all_turns']
    """The part of its past reasoning that the model reads again."""

    openai_send_reasoning_ids: bool
    """Send parts back with their ids. The default depends on the model."""

    openai_previous_response_id: str
    """Continue a stored response. `'auto'` is the newest one of the history; only the messages after it are sent."""

    openai_conversation_id: str
    """Continue a conversation that OpenAI stores: only the messages after its newest response in the history are sent;
    all messages, if the history has no response of it. `'auto'` is the newest conversation of the history."""

    openai_store: bool
    """Let OpenAI store the response."""

    openai_background: bool
    """Return at once, with an incomplete response that is generated in the background; `retrieve` returns it later."""

    openai_truncation: Literal['auto', 'disabled']
    """`'auto'` drops the beginning of a conversation that is too long."""

    openai_text_verbosity: Literal['low', 'medium', 'high']
    """The level of detail of the response's text."""

    openai_context_management: Sequence[Mapping[str, Any]]
    """The rules for compacting the conversation: `[{'type': 'compaction', 'compact_threshold': 100000}]`."""

    openai_max_tool_calls: int
    """The maximum number of calls of OpenAI's own tools in one response."""

    openai_native_tools: Sequence[Mapping[str, Any]]
    """Tools of OpenAI as the API defines them, which `ModelRequestParameters.native_tools` does not support."""

    openai_include: Sequence[str]
    """Values of the API's `include`, in addition to those of the settings below."""

    openai_include_code_execution_outputs: bool
    """Return the output of executed code, and its images."""

    openai_include_web_search_sources: bool
    """Return all pages that a web search read."""

    openai_include_file_search_results: bool
    """Return the results of a file search."""

    openai_logprobs: bool
    """Return the log probabilities of the tokens; the same as `logprobs`."""

    openai_top_logprobs: int
    """The number of alternatives to return for each token; the same as `top_logprobs`."""

    openai_user: str
    """A stable name for the user, for OpenAI's abuse monitoring."""

    openai_safety_identifier: str
    """A hashed name for the user; replaces `openai_user`."""

    openai_service_tier: Literal['auto', 'default', 'flex', 'scale', 'priority']
    """The queue for the request, as a value of the API; overrides `service_tier`."""

    openai_metadata: Mapping[str, str]
    """Data to store with the response."""

    openai_prompt_cache_key: str
    """Requests with the same key are routed to the server that caches their prefix."""

    openai_prompt_cache_options: Mapping[str, Any]
    """The options of the cache, from gpt-5.6 on: `{'mode': 'explicit'}` caches up to each `CachePoint` only."""

    openai_prompt_cache_retention: Literal['in_memory', '24h']
    """The time that the prefix stays in the cache."""

    openai_moderation: Mapping[str, Any]
    """Moderate the request and the response; the verdicts are in `ModelResponse.provider_details`."""
