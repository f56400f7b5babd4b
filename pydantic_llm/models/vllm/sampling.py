"""Encode how tokens are chosen: settings → `VLLMSampling` → the fields of vLLM's `SamplingParams`. Pure.

`decode_generation_config` gives the model's defaults, `resolve_sampling` puts a request's settings over them, and
`encode_sampling` encodes the result. https://docs.vllm.ai/en/latest/api/vllm/sampling_params
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from ...exceptions import UserError
from ...settings import ModelSettings
from ..local import Job, Sampling, sampling_from
from ..local.ranges import is_in_range

__all__ = ('VLLMSampling', 'decode_generation_config', 'encode_sampling', 'resolve_sampling')

SHARED = (
    'temperature',
    'top_k',
    'top_p',
    'min_p',
    'repetition_penalty',
    'presence_penalty',
    'frequency_penalty',
    'seed',
)
"""The fields of `SamplingParams` with the same name in `Sampling`."""

PENALTIES = ('repetition_penalty', 'presence_penalty', 'frequency_penalty')

OWN: dict[str, str] = {
    'vllm_min_tokens': 'min_tokens',
    'vllm_stop_token_ids': 'stop_token_ids',
    'vllm_bad_words': 'bad_words',
    'vllm_allowed_token_ids': 'allowed_token_ids',
    'vllm_thinking_token_budget': 'thinking_token_budget',
}
"""Settings of this engine only, and their fields of `SamplingParams`."""

RESERVED = frozenset({*SHARED, *OWN.values()}) | {
    'detokenize',
    'ignore_eos',
    'logit_bias',
    'logprobs',
    'max_tokens',
    'n',
    'output_kind',
    'stop',
    'structured_outputs',
}
"""The fields that `vllm_sampling_params` must not contain: other settings or the runner set them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VLLMSampling(Sampling):
    """The sampling of one response, with the fields that only vLLM has."""

    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """More fields of `SamplingParams`, by name."""
    logprobs: int | None = None
    """Number of likely tokens to return with each token's log probability. 0: that of the token itself only."""


def decode_generation_config(config: Mapping[str, Any], overrides: Mapping[str, Any]) -> VLLMSampling:
    """Return the defaults of a model's generation config. Without `do_sample`, the likeliest token is taken.

    `overrides` are the values that the caller gave instead (`override_generation_config` in `model_kwargs`).
    """
    values: dict[str, Any] = {**config, **overrides}
    names = ('temperature', 'top_k', 'top_p', 'min_p', *PENALTIES)
    numbers: dict[str, Any] = {name: values[name] for name in names if is_in_range(name, values.get(name))}
    temperature = numbers.pop('temperature', 1.0)
    draws = values.get('do_sample') or 'temperature' in overrides
    return VLLMSampling(temperature=temperature if draws else 0.0, **numbers)


def resolve_sampling(settings: ModelSettings, defaults: VLLMSampling, vocabulary_size: int | None) -> VLLMSampling:
    """Return the sampling of one request: its settings over the model's defaults. Raises `UserError`."""
    shared = sampling_from(settings, defaults, prefix='vllm_', vocabulary_size=vocabulary_size)
    values = cast('Mapping[str, Any]', settings)
    fields = {own: values[name] for name, own in OWN.items() if values.get(name) is not None}
    others: Mapping[str, Any] = values.get('vllm_sampling_params') or {}
    if reserved := sorted(RESERVED & others.keys()):
        raise UserError(
            f'vllm_sampling_params contains {reserved[0]!r}, which other settings or the engine set: remove it'
        )
    return replace(cast('VLLMSampling', shared), fields={**fields, **others}, logprobs=_resolve_logprobs(values))


def _resolve_logprobs(settings: Mapping[str, Any]) -> int | None:
    """Return the number for `SamplingParams.logprobs`, or `None` to return no log probabilities.

    `top_logprobs` requests them even if `logprobs` is not set; `logprobs=False` switches them off.
    """
    count = settings.get('top_logprobs')
    if count is None:
        return 0 if settings.get('logprobs') else None
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise UserError(f'top_logprobs is {count!r}: give a whole number, 0 or more')
    return None if settings.get('logprobs') is False else count


def encode_sampling(job: Job) -> dict[str, Any]:
    """Encode a job's sampling and `max_tokens` as fields of `SamplingParams`, without constraint and output kind."""
    sampling = job.sampling
    fields = {name: value for name in SHARED if (value := getattr(sampling, name)) is not None}
    if sampling.logit_bias:
        fields['logit_bias'] = dict(sampling.logit_bias)
    if isinstance(sampling, VLLMSampling):
        fields |= {name: _tuple_to_list(value) for name, value in sampling.fields.items()}
        if sampling.logprobs is not None:
            fields['logprobs'] = sampling.logprobs
    return {**fields, 'max_tokens': job.max_tokens, 'detokenize': False}


def _tuple_to_list(value: Any) -> Any:
    """Return a tuple as a list, and anything else unchanged: vLLM takes only lists."""
    return list(cast('tuple[object, ...]', value)) if isinstance(value, tuple) else value
