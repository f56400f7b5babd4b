"""vLLM's log probabilities → those of `provider_details['logprobs']`, in the shape that OpenAI gave them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...json_types import Json

__all__ = ('decode_logprobs',)


def decode_logprobs(
    tokens: Sequence[int], found: Iterable[Mapping[int, Any]], count: int, decode: Callable[[Sequence[int]], str]
) -> list[Json]:
    """One object for each token: how likely it was, and how likely the `count` likeliest were."""
    return [_token(token, likely, count, decode) for token, likely in zip(tokens, found, strict=False)]


def _token(token: int, likely: Mapping[int, Any], count: int, decode: Callable[[Sequence[int]], str]) -> Json:
    ordered = sorted(likely.items(), key=lambda item: -item[1].logprob)
    return {**_one(token, likely[token], decode), 'top_logprobs': [_one(*item, decode) for item in ordered[:count]]}


def _one(token: int, value: Any, decode: Callable[[Sequence[int]], str]) -> Json:
    text = decode([token])
    return {'token': text, 'logprob': float(value.logprob), 'bytes': [*text.encode()]}
