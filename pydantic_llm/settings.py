"""The knobs that several vendors share. A vendor's own knobs carry its name and live in its room's `settings.py`.

Where a key says nothing of support, every room takes it. What a model cannot take is left out of the request and
listed in `ModelResponse.warnings`; `unsupported_settings` makes that an error, or silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from .constraints import Constraint
    from .retries.policy import RetryPolicy

__all__ = ('ModelSettings', 'ServiceTier', 'ThinkingLevel', 'ToolChoice', 'UnsupportedSettings', 'merge_model_settings')

ThinkingLevel = bool | Literal['minimal', 'low', 'medium', 'high', 'xhigh']
"""How long to think: `True` as the vendor sees fit, `False` not at all, or a level."""

ToolChoice = Literal['auto', 'none', 'required'] | Sequence[str]
"""`auto`: the model decides. `none`: no tool. `required`: some tool. A list of names: one of these tools."""

ServiceTier = Literal['auto', 'default', 'flex', 'priority']
"""Which queue a request stands in, where the vendor has several."""

UnsupportedSettings = Literal['warn', 'error', 'drop']
"""What happens to a setting that a model cannot take."""


class ModelSettings(TypedDict, total=False):
    """Settings of one request. A later mapping wins over an earlier one, key by key: model, agent, run."""

    max_tokens: int
    """The most tokens that the model may write, its thinking included."""

    temperature: float
    """How random the answer is, from 0. Not taken by models that always think, nor by the newest of Anthropic's."""

    top_p: float
    """Choose among the tokens that make up this share of the probability, 0 to 1."""

    top_k: int
    """Choose among this many of the likeliest tokens. Not OpenAI and compatible, nor Groq."""

    timeout: float
    """Seconds until the whole answer must be here, streamed or not, retries and other models included."""

    first_token_timeout: float
    """Seconds until the first event of a stream must be here."""

    idle_timeout: float
    """Seconds that may pass between two events of a stream. Keep-alive comments are no events."""

    retries: int | RetryPolicy
    """How often a request that failed may be tried again, or how; twice where it is not set."""

    parallel_tool_calls: bool
    """Whether the model may call several tools in one answer. OpenAI and compatible, Anthropic, Groq, Mistral."""

    tool_choice: ToolChoice
    """Whether the model must, may or must not call tools."""

    seed: int
    """Makes sampling repeatable as far as the vendor can. Not Anthropic, OpenAI Responses, Bedrock."""

    presence_penalty: float
    """Above 0: less of what has been said at all. Not Anthropic, OpenAI Responses, Bedrock."""

    frequency_penalty: float
    """Above 0: less of what has been said often. Not Anthropic, OpenAI Responses, Bedrock."""

    logit_bias: dict[str, int]
    """What to add to the logits of tokens, by token id. OpenAI and compatible, engines in this process."""

    logprobs: bool
    """Return the log probabilities of the tokens, in `TextPart.provider_details`. OpenAI and compatible."""

    top_logprobs: int
    """How many alternatives to each token to return. OpenAI and compatible."""

    stop_sequences: Sequence[str]
    """The answer ends before any of these. Not OpenAI Responses."""

    thinking: ThinkingLevel
    """How long the model thinks before it answers. Models that cannot think, or cannot be told, warn."""

    service_tier: ServiceTier
    """Which queue the request stands in. OpenAI, Anthropic, Gemini, Groq, Mistral, Bedrock."""

    constraint: Constraint
    """What the answer must look like, token by token. Engines in this process, servers of vLLM, llama.cpp and TGI."""

    extra_headers: dict[str, str]
    """Headers to send beside the client's own."""

    extra_body: dict[str, Any]
    """Fields to put into the request's body as they are; they win over what the room wrote."""

    unsupported_settings: UnsupportedSettings
    """What happens to a setting that the model cannot take: `'warn'` (the default), `'error'` or `'drop'`."""


TRANSPORT_SETTINGS = frozenset(
    {'timeout', 'first_token_timeout', 'idle_timeout', 'retries', 'extra_headers', 'extra_body', 'unsupported_settings'}
)
"""The settings that say how a request travels, not what it asks for; no room needs to list them."""


def merge_model_settings(base: ModelSettings | None, overrides: ModelSettings | None) -> ModelSettings | None:
    """The settings of both, the second winning key by key; headers and body fields are joined one level deeper."""
    if not (base and overrides):
        return base or overrides
    merged: ModelSettings = {**base, **overrides}
    if 'extra_headers' in base and 'extra_headers' in overrides:
        merged['extra_headers'] = {**base['extra_headers'], **overrides['extra_headers']}
    if 'extra_body' in base and 'extra_body' in overrides:
        merged['extra_body'] = {**base['extra_body'], **overrides['extra_body']}
    return merged
