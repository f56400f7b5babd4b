"""The knobs of the Responses API, and what they are called on the wire."""

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
"""The shared settings that go into the body under a name of the API's."""

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
    'openai_prompt_cache_retention': 'prompt_cache_retention',
    'openai_top_logprobs': 'top_logprobs',
}
"""The API's own settings that go into the body as they are."""

REASONING: dict[str, str] = {
    'openai_reasoning_effort': 'effort',
    'openai_reasoning_summary': 'summary',
    'openai_reasoning_context': 'context',
}
"""The settings that go into `reasoning`."""

INCLUDES: dict[str, str] = {
    'openai_include_code_execution_outputs': 'code_interpreter_call.outputs',
    'openai_include_web_search_sources': 'web_search_call.action.sources',
    'openai_include_file_search_results': 'file_search_call.results',
    'openai_logprobs': 'message.output_text.logprobs',
    'logprobs': 'message.output_text.logprobs',
}
"""The settings that ask for more to be in the answer."""

ENCRYPTED = 'reasoning.encrypted_content'
"""What asks for the encrypted form of the reasoning, which is what goes back with the next request."""

SUPPORTED = frozenset({*SETTINGS, 'logprobs', 'thinking', 'parallel_tool_calls'})
"""The shared settings that the API has."""


class OpenAIResponsesModelSettings(ModelSettings, total=False):
    """Settings of a Responses request."""

    openai_reasoning_effort: str
    """How long the model reasons, in the API's words; wins over `thinking`."""

    openai_reasoning_summary: Literal['auto', 'concise', 'detailed']
    """Tell what the model thought, in short; it arrives as `ThinkingPart`s."""

    openai_reasoning_context: Literal['auto', 'current_turn', 'all_turns']
    """How much of past reasoning the model sees again."""

    openai_send_reasoning_ids: bool
    """Whether parts go back under the ids they came by. As the model needs it where it is not set."""

    openai_previous_response_id: str
    """Continue a stored answer. `'auto'` is the newest one of the history, and sends only what follows it."""

    openai_conversation_id: str
    """Continue a conversation that OpenAI keeps: what follows its newest answer in the history is sent, or all where it
    has none there. `'auto'` is the newest conversation of the history."""

    openai_store: bool
    """Whether OpenAI keeps the answer."""

    openai_background: bool
    """Answer at once with an unfinished answer, and work on it in the background: `retrieve` gets what became of it."""

    openai_truncation: Literal['auto', 'disabled']
    """Whether the beginning of a conversation that is too long is left out."""

    openai_text_verbosity: Literal['low', 'medium', 'high']
    """How wordy the answer is."""

    openai_context_management: Sequence[Mapping[str, Any]]
    """When the conversation is compacted: `[{'type': 'compaction', 'compact_threshold': 100000}]`."""

    openai_max_tool_calls: int
    """The most calls of OpenAI's own tools in one answer."""

    openai_native_tools: Sequence[Mapping[str, Any]]
    """Tools of OpenAI's in the API's own form, for those that `ModelRequestParameters.native_tools` cannot say."""

    openai_include: Sequence[str]
    """More to return, in the API's words, beside what the settings below ask for."""

    openai_include_code_execution_outputs: bool
    """Return what executed code printed, and the images that it made."""

    openai_include_web_search_sources: bool
    """Return every page that a search looked at."""

    openai_include_file_search_results: bool
    """Return what a file search found."""

    openai_logprobs: bool
    """Return the log probabilities of the tokens; the same as `logprobs`."""

    openai_top_logprobs: int
    """How many alternatives to each token to return; the same as `top_logprobs`."""

    openai_user: str
    """A stable name for the user, for OpenAI's abuse monitoring."""

    openai_safety_identifier: str
    """A hashed name for the user, which takes the place of `openai_user`."""

    openai_service_tier: Literal['auto', 'default', 'flex', 'scale', 'priority']
    """Which queue the request stands in, in the API's words; wins over `service_tier`."""

    openai_metadata: Mapping[str, str]
    """What to keep with a stored answer."""

    openai_prompt_cache_key: str
    """Requests with the same key are sent where their prefix is cached."""

    openai_prompt_cache_retention: Literal['in_memory', '24h']
    """How long a cached prefix is kept."""

    openai_moderation: Mapping[str, Any]
    """Moderate the exchange in passing; the verdict is in `ModelResponse.provider_details`."""
