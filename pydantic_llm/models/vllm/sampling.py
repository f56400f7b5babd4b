"""How the tokens of an answer are chosen, in vLLM's words: settings → `VLLMSampling` → the fields of `SamplingParams`.

Pure. https://docs.vllm.ai/en/latest/api/vllm/sampling_params
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from ...exceptions import UserError
from ...settings import ModelSettings
from ..local import Job, Sampling, sampling_from

__all__ = ('VLLMSampling', 'default_sampling', 'sampling_fields', 'vllm_sampling')

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
"""What vLLM calls as all our engines do."""

PENALTIES = ('repetition_penalty', 'presence_penalty', 'frequency_penalty')

OWN: dict[str, str] = {
    'vllm_min_tokens': 'min_tokens',
    'vllm_stop_token_ids': 'stop_token_ids',
    'vllm_bad_words': 'bad_words',
    'vllm_allowed_token_ids': 'allowed_token_ids',
    'vllm_thinking_token_budget': 'thinking_token_budget',
}
"""Settings that vLLM alone has, and its fields for them."""

OURS = frozenset({*SHARED, *OWN.values()}) | {
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
"""The fields that a setting of its own, or the reading of the answer, decides on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VLLMSampling(Sampling):
    """What vLLM is told beside what every engine is."""

    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of `SamplingParams`, by name."""
    logprobs: int | None = None
    """How many likely tokens to tell the log probabilities of, beside that of the one that was chosen."""


def default_sampling(config: Mapping[str, Any], overrides: Mapping[str, Any]) -> VLLMSampling:
    """How the model's makers want tokens chosen, by its generation config: the likeliest, where they do not say.

    `overrides` is what the caller said instead of it.
    """
    said: dict[str, Any] = {**config, **overrides}
    penalties: dict[str, Any] = {name: said.get(name) for name in PENALTIES}
    if not (said.get('do_sample') or 'temperature' in overrides):
        return VLLMSampling(**penalties)
    choice: dict[str, Any] = {name: said.get(name) for name in ('top_k', 'top_p', 'min_p')}
    temperature = said.get('temperature')
    return VLLMSampling(temperature=1.0 if temperature is None else temperature, **choice, **penalties)


def vllm_sampling(settings: ModelSettings, defaults: VLLMSampling, vocabulary_size: int | None) -> VLLMSampling:
    """How tokens are chosen for one request. Raises `UserError`."""
    found = sampling_from(settings, defaults, prefix='vllm_', vocabulary_size=vocabulary_size)
    said = cast('Mapping[str, Any]', settings)
    fields = {own: said[name] for name, own in OWN.items() if said.get(name) is not None}
    others: Mapping[str, Any] = said.get('vllm_sampling_params') or {}
    if taken := sorted(OURS & others.keys()):
        raise UserError(f'vllm_sampling_params holds {taken[0]!r}, which has a setting of its own, or is not for you')
    return replace(cast('VLLMSampling', found), fields={**fields, **others}, logprobs=_logprobs(said))


def _logprobs(said: Mapping[str, Any]) -> int | None:
    """`top_logprobs` asks for log probabilities, whatever `logprobs` says not of them."""
    count = said.get('top_logprobs')
    if count is None:
        return 0 if said.get('logprobs') else None
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise UserError(f'top_logprobs is {count!r}: give a whole number, 0 or more')
    return None if said.get('logprobs') is False else count


def sampling_fields(job: Job) -> dict[str, Any]:
    """The fields of `SamplingParams` for a job, all but its constraint and in which pieces the answer comes."""
    sampling = job.sampling
    said = {name: value for name in SHARED if (value := getattr(sampling, name)) is not None}
    if sampling.logit_bias:
        said['logit_bias'] = dict(sampling.logit_bias)
    if isinstance(sampling, VLLMSampling):
        said |= {name: _plain(value) for name, value in sampling.fields.items()}
        if sampling.logprobs is not None:
            said['logprobs'] = sampling.logprobs
    return {**said, 'max_tokens': job.max_tokens, 'detokenize': False}


def _plain(value: Any) -> Any:
    """Sequences as lists, which is all that vLLM takes."""
    return list(cast('tuple[object, ...]', value)) if isinstance(value, tuple) else value
