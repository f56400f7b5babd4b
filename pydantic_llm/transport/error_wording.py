"""The words by which servers report a kind of error: data, with a source for each row. Start at `classify`.

Statuses and codes differ between servers, and between versions of one server: a conversation that is too long is a 400
with a code at OpenAI, a 400 without one at Anthropic, a 413, 422 or 500 elsewhere. The words are what they have in
common.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from ..exceptions import (
    AuthenticationError,
    ContentFilterHTTPError,
    ContextLengthError,
    ModelHTTPError,
    NotFoundError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
)

__all__ = ('WORDINGS', 'Wording', 'classify')

MAX_CHARACTERS = 4000
"""The maximum length of a text to search. A longer one repeats the request."""


class Wording(NamedTuple):
    """One wording of an error."""

    pattern: str
    """A regular expression for a part of the codes, types and message, in lower case."""
    source: str
    """The server, and the report or the documentation that shows the wording."""


QUOTA = (
    Wording(
        r'insufficient_quota|billing_hard_limit_reached', 'OpenAI: https://platform.openai.com/docs/guides/error-codes'
    ),
    Wording(r'exceeded your current quota|exceeded current quota', 'Google, OpenAI; Moonshot: MoonshotAI/Kimi-K2#5'),
    Wording(
        r'exceeded_current_quota_error',
        'Moonshot, with status 429 or 403: MoonshotAI/kimi-code#1857, MoonshotAI/Kimi-K2#5',
    ),
    Wording(r'billing_error|credit balance is too low', 'Anthropic: https://docs.claude.com/en/api/errors'),
    Wording(r'reached your specified api usage limits', 'Anthropic, with status 400: anthropics/claude-code#2127'),
    Wording(
        r'(?:extra usage is|usage credits are) required for long context', 'Anthropic: anthropics/claude-code#44863'
    ),
    Wording(r'insufficient balance|余额不足', 'DeepSeek: Aider-AI/aider#4851; Z.ai, code 1113: zai-org/feedback#789'),
    Wording(r'insufficient credits|requires more credits|credits are required', 'OpenRouter: QwenLM/qwen-code#73'),
    Wording(r'used all available credits|out of credits', 'xAI, with status 429 or 403: continuedev/continue#10373'),
    Wording(r'arrearage|account is in good standing', 'Alibaba, with status 400: QwenLM/qwen-code#54'),
    Wording(
        r'exceeded your monthly included credits',
        'Hugging Face: https://huggingface.co/docs/inference-providers/pricing',
    ),
    Wording(r'api calls / month', "Cohere's trial keys: https://docs.cohere.com/v2/reference/errors"),
    Wording(r'servicequotaexceeded', 'Bedrock: botocore, the model of bedrock-runtime'),
)
"""The account has no credit or quota left."""

RATE_LIMIT = (
    Wording(
        r'tokens per (?:min|day)|\btp[md]\b|rate_limit_exceeded', 'Groq, with status 413: openclaw/openclaw#147644'
    ),
    Wording(r'too many tokens(?: per \w+)?, please wait', 'Bedrock: anomalyco/opencode#39621, crewAIInc/crewAI#7613'),
)
"""Too many requests or tokens in a span of time. It must not be read as a conversation that is too long."""

CONTEXT_WITH_OUTPUT = (
    Wording(r'input length and .?max_tokens.? exceed context limit', 'Anthropic: openclaw/openclaw#20539'),
    Wording(r'inputs.? tokens \+ .?max_new_tokens.? must be', "Hugging Face's TGI: huggingface/chat-ui#1149"),
)
"""The conversation and the response together are too long."""

OUTPUT_LIMIT = (
    Wording(
        r'max_(?:completion_|output_|new_)?tokens\W{0,3} (?:is|are) too large',
        'OpenAI; vLLM: stepfun-ai/Step-Audio-R1#3',
    ),
    Wording(r'max_(?:completion_|output_|new_)?tokens\W{0,3} must be', 'TGI: huggingface/transformers#28523'),
    Wording(r'maximum tokens you requested exceeds? the model limit', 'Bedrock: RooCodeInc/Roo-Code#248'),
)
"""The setting `max_tokens` is above the model's limit: a wrong parameter, however long the conversation is."""

CONTEXT = (
    Wording(
        r'context_length_exceeded|context_window_exceeded', 'OpenAI; Z.ai as a finish reason: earendil-works/pi#129'
    ),
    Wording(r'exceed_context_size_error', 'llama.cpp, by type: ggml-org/llama.cpp#15780'),
    Wording(r'prompt (?:is )?too long', 'Anthropic: cline/cline#10838; Ollama: earendil-works/pi#129'),
    Wording(
        r'maximum context length',
        'OpenAI; vLLM; DeepSeek: langchain-ai/langchainjs#10481; Mistral',
    ),
    Wording(
        r'exceed(?:s|ed|ing)?\b[^.:]{0,40}\bcontext (?:length|window|limit|size)',
        'OpenAI; llama.cpp: openclaw/openclaw#64196; SGLang: anomalyco/opencode#25230; lmstudio-ai/examples#29',
    ),
    Wording(
        r'context (?:length|window|limit|size)(?: has been| was| is)? exceed',
        'Ollama: openclaw/openclaw#58839; llama.cpp: ggml-org/llama.cpp#12113; MiniMax: earendil-works/pi#129',
    ),
    Wording(r'greater than the context length|when context the overflows', 'LM Studio: earendil-works/pi#129'),
    Wording(
        r'longer than the (?:maximum |model)[\w\' ]{0,20}length',
        'vLLM; SGLang: sgl-project/sglang#8096; Together AI: earendil-works/pi#129',
    ),
    Wording(r'too long to fit into the model', 'vLLM: vllm-project/vllm#12165'),
    Wording(r'your prompt contains at least \d+ input tokens', 'vLLM: earendil-works/pi#5929'),
    Wording(
        r'input length\W{1,3}[\d,]+[^.]{0,12} exceeds the maximum allowed',
        'SGLang: sgl-project/sglang#4048; Fireworks AI: NousResearch/hermes-agent#70394',
    ),
    Wording(r'inputs.? must have less than \d+ tokens', "Hugging Face's TGI: meta-llama/llama#1103"),
    Wording(
        r'input token count\b[^.]{0,40} exceeds the maximum|exceeds the maximum number of tokens',
        'Google: google-gemini/gemini-cli#6678',
    ),
    Wording(r'maximum prompt length is', 'xAI: earendil-works/pi#129'),
    Wording(r'exceeded model token limit', 'Moonshot: anomalyco/opencode#35920'),
    Wording(r'prompt exceeds max length|prompt 超长', 'Z.ai, code 1261: https://docs.z.ai/api-reference/api-code'),
    Wording(r'more than max tokens allowed', 'Z.ai: anomalyco/opencode#35920'),
    Wording(r'total length of all messages is too long', 'Perplexity: https://docs.perplexity.ai'),
    Wording(r'range of input length should be', 'Alibaba: QwenLM/qwen-code#98'),
    Wording(
        r'input tokens exceed the configured limit',
        'Azure: https://learn.microsoft.com/azure/ai-foundry/openai/how-to/reasoning',
    ),
    Wording(r'reduce the length of the messages', 'Groq; Cerebras: cline/cline#5140'),
    Wording(
        r'input is too long(?=\W*$|\. | for \w+ model)',
        'Bedrock: aws-samples/bedrock-chat#95; run-llama/llama_index#7974',
    ),
    Wording(
        r'too many input tokens|input tokens exceeded|exceeds the max input token limit',
        'Bedrock: openclaw/openclaw#58839',
    ),
    Wording(r'prompt token count of [\d,]+ exceeds the limit', 'GitHub Copilot: earendil-works/pi#129'),
    Wording(
        r"tokens in the prompt cannot exceed|size limit exceeded by|total tokens exceeds the model's max",
        'Cohere: https://docs.cohere.com/v2/reference/errors, openclaw/openclaw#58839',
    ),
)
"""The conversation is too long for the model."""

CONTENT_FILTER = (
    Wording(
        r'content_filter|responsibleaipolicyviolation|content management policy',
        'Azure; Moonshot by type: 666ghj/BettaFish#499',
    ),
    Wording(r'considered high risk', 'Moonshot: 666ghj/BettaFish#228'),
    Wording(
        r'flagged as potentially violating|content_policy_violation|moderation_blocked',
        'OpenAI, code invalid_prompt: openai/codex#7250',
    ),
    Wording(r'blocked by content filtering policy', 'Anthropic: anthropics/claude-code#58367'),
    Wording(r'content violates usage guidelines', 'xAI, with status 403: UKGovernmentBEIS/inspect_ai#2267'),
    Wording(r'data_?inspection_?failed|inappropriate content', 'Alibaba: QwenLM/qwen-code#3145'),
    Wording(r'content exists risk', 'DeepSeek: deepseek-ai/awesome-deepseek-integration#13'),
    Wording(
        r'unsafe or sensitive content|不安全或敏感内容', 'Z.ai, code 1301: https://docs.z.ai/api-reference/api-code'
    ),
    Wording(r'your input was flagged', 'OpenRouter, with status 403: https://openrouter.ai/docs/api-reference/errors'),
)
"""The vendor refuses the content of the request or of the response."""

OVERLOAD = (
    Wording(
        r'overloaded_error|(?:model|engine|server|service) is (?:currently |temporarily )?overloaded',
        'Anthropic; Google; MoonshotAI/MoonshotAI-Cookbook#16',
    ),
    Wording(r'may be temporarily overloaded', 'Z.ai, code 1305: https://docs.z.ai/api-reference/api-code'),
    Wording(r'server_is_overloaded', 'OpenAI'),
    Wording(
        r'capacity_exceeded|service tier capacity exceeded',
        'Groq, with status 498: https://console.groq.com/docs/flex-processing; Mistral',
    ),
)
"""The vendor has no capacity for the request at the moment."""

NOT_FOUND = (
    Wording(r'model_not_found', 'OpenAI'),
    # recording bedrock-converse-stream__test_bedrock_streaming_error__0_613042
    Wording(r'model identifier is invalid', 'Bedrock'),
)
"""There is no such model."""

WRONG_KEY = (Wording(r'api_key_invalid', 'Google, with status 400'),)
"""The vendor does not accept the key."""

WORDINGS: tuple[tuple[type[ModelHTTPError], tuple[Wording, ...]], ...] = (
    (QuotaExceededError, QUOTA),
    (RateLimitError, RATE_LIMIT),
    (ContextLengthError, CONTEXT_WITH_OUTPUT),
    (ModelHTTPError, OUTPUT_LIMIT),
    (ContextLengthError, CONTEXT),
    (ContentFilterHTTPError, CONTENT_FILTER),
    (OverloadedError, OVERLOAD),
    (NotFoundError, NOT_FOUND),
    (AuthenticationError, WRONG_KEY),
)
"""The kinds of error and their wordings; the first match decides."""


@cache
def _compile_patterns() -> list[tuple[type[ModelHTTPError], re.Pattern[str]]]:
    return [(kind, re.compile('|'.join(row.pattern for row in rows))) for kind, rows in WORDINGS]


def classify(text: str) -> type[ModelHTTPError] | None:
    """Return the kind of error that this text reports, or `None` if it shows no wording of the tables.

    `ModelHTTPError` itself is an error that looks like another kind and is not: its status decides.
    """
    lowered = text[:MAX_CHARACTERS].lower()
    return next((kind for kind, pattern in _compile_patterns() if pattern.search(lowered)), None)
