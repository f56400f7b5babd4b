"""Settings that several vendors share. Settings of one vendor have its prefix; see `settings.py` in its folder.

All vendors support a setting unless its docstring names exceptions. A setting that a model does not support is not
sent, and is listed in `ModelResponse.warnings`; `unsupported_settings` changes that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast, get_args

from .exceptions import UserError

if TYPE_CHECKING:
    from .constraints import Constraint
    from .retries.policy import RetryPolicy

__all__ = (
    'CacheTtl',
    'ModelSettings',
    'ServiceTier',
    'ThinkingLevel',
    'ToolChoice',
    'UnsupportedSettings',
    'merge_model_settings',
)

ThinkingLevel = bool | Literal['minimal', 'low', 'medium', 'high', 'xhigh', 'max']
"""The amount of thinking: `True` for the vendor's default, `False` for no thinking, or a level."""

THINKING_LEVELS: tuple[str, ...] = get_args(get_args(ThinkingLevel)[1])
"""The levels of thinking, in ascending order."""

CacheTtl = bool | Literal['5m', '1h', '24h'] | float
"""The time that a vendor keeps a prompt in its cache: `True` for the vendor's default, a text, or seconds."""

CACHE_SECONDS = {'5m': 300, '1h': 3600, '24h': 86_400}
"""The texts of `CacheTtl`, in seconds."""

ToolChoice = Literal['auto', 'none', 'required'] | Sequence[str]
"""`auto`: the model decides. `none`: no tool. `required`: some tool. A list of names: one of these tools."""

ServiceTier = Literal['auto', 'default', 'flex', 'priority']
"""The queue of a request, if the vendor has several."""

UnsupportedSettings = Literal['warn', 'error', 'drop']
"""The handling of settings that a model does not support: list them, raise `UserError`, or drop them silently."""


class ModelSettings(TypedDict, total=False):
    """Settings of one request. The settings of a run override those of the agent and of the model, key by key.

    A value of `None` takes a setting back: the request has none, and the vendor's default applies.
    """

    max_tokens: int
    """The maximum number of tokens to generate, including thinking."""

    temperature: float
    """The randomness of the response, from 0. Not models that always think, nor the newest models of Anthropic."""

    top_p: float
    """Sample from the most likely tokens that together have this probability, 0 to 1."""

    top_k: int
    """Sample from this number of the most likely tokens. Not OpenAI and compatible, nor Groq."""

    timeout: float
    """Time limit in seconds for the complete response, including retries and fallback models."""

    first_token_timeout: float
    """Time limit in seconds for the first content of a stream."""

    idle_timeout: float
    """Time limit in seconds of a stream without new content. Pings and keep-alive comments do not count."""

    retries: int | RetryPolicy
    """The number of retries of a failed request, or a policy. The default is 2."""

    parallel_tool_calls: bool
    """Allow several tool calls in one response. OpenAI and compatible, Anthropic, Groq, Mistral."""

    tool_choice: ToolChoice
    """Require, allow or forbid tool calls."""

    seed: int
    """Seed of the sampling; results are repeatable as far as the vendor supports it. Not Anthropic, OpenAI Responses,
    Bedrock."""

    presence_penalty: float
    """Above 0, tokens that occurred before become less likely. Not Anthropic, OpenAI Responses, Bedrock."""

    frequency_penalty: float
    """Above 0, tokens become less likely with each occurrence. Not Anthropic, OpenAI Responses, Bedrock."""

    logit_bias: dict[str, int]
    """Values to add to the logits of tokens, by token id. OpenAI and compatible, local engines."""

    logprobs: bool
    """Return the log probabilities of the tokens, in `ModelResponse.logprobs`.

    Not Anthropic, Bedrock, Groq."""

    top_logprobs: int
    """The number of alternatives to return for each token. Not Anthropic, Bedrock, Groq."""

    stop_sequences: Sequence[str]
    """Generation stops before any of these texts. Not OpenAI Responses."""

    thinking: ThinkingLevel | int
    """The amount of thinking before the response: `True`, `False`, a level, or a number of tokens (0: `False`). A model
    gets the nearest value that it accepts, with a warning if that is another one. Unsupported by models that cannot
    think or do not let it be set."""

    cache: CacheTtl
    """Cache the prompt at the vendor, for requests that begin in the same way: `True` for the vendor's default time, or
    a time after the last use: `'5m'`, `'1h'`, `'24h'` or seconds.

    The nearest time that the vendor accepts is sent, with a warning if that is another one. Vendors that cache by
    themselves are asked for nothing. `False` switches caching off if the vendor has a switch for that."""

    service_tier: ServiceTier
    """The queue of the request. OpenAI, Anthropic, Gemini, Groq, Mistral, Bedrock."""

    constraint: Constraint
    """A grammar or schema that is enforced at each token. Local engines, servers of vLLM, llama.cpp and TGI."""

    extra_headers: dict[str, str]
    """Headers to send in addition to those of the client."""

    extra_body: dict[str, Any]
    """Fields to add to the request body; they override fields of the same name."""

    unsupported_settings: UnsupportedSettings
    """The handling of unsupported settings: `'warn'` (the default), `'error'` or `'drop'`."""


FIELD_BY_FIELD = ('extra_headers', 'extra_body')
"""The settings of which each layer may add fields."""

TRANSPORT_SETTINGS = frozenset(
    {'timeout', 'first_token_timeout', 'idle_timeout', 'retries', 'extra_headers', 'extra_body', 'unsupported_settings'}
)
"""Settings about sending a request, which work with every model: no vendor's table of settings lists them."""


def merge_model_settings(base: ModelSettings | None, overrides: ModelSettings | None) -> ModelSettings | None:
    """Return both settings merged: `overrides` wins key by key, in `extra_headers` and `extra_body` field by field.

    A setting of `None` in `overrides` stays `None`: it takes the setting of every lower layer back. Raises `UserError`
    if one of them is not a mapping.
    """
    for settings in (base, overrides):
        if settings is not None and not isinstance(cast('object', settings), Mapping):
            raise UserError(f'model settings are {settings!r}: give a dict, such as ModelSettings(temperature=0.2)')
    if not (base and overrides):
        return base or overrides
    merged: dict[str, Any] = {**base, **overrides}
    for name in FIELD_BY_FIELD:
        lower, upper = cast('Any', base.get(name)), cast('Any', overrides.get(name))
        if isinstance(lower, Mapping) and isinstance(upper, Mapping):
            merged[name] = {**lower, **upper}
    return cast('ModelSettings', merged)
