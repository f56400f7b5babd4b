"""Decode vLLM's log probabilities into `provider_details['logprobs']`, in the shape of OpenAI's chat completions. Pure.

https://platform.openai.com/docs/api-reference/chat/object
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...json_types import Json

__all__ = ('decode_logprobs',)


def decode_logprobs(
    tokens: Sequence[int], by_token: Iterable[Mapping[int, Any]], count: int, decode: Callable[[Sequence[int]], str]
) -> list[Json]:
    """Return one object per token: its log probability, and those of the `count` likeliest tokens in its place.

    `by_token` holds for each position a map from token ids to vLLM's `Logprob`.
    """
    return [_decode_token(token, likely, count, decode) for token, likely in zip(tokens, by_token, strict=False)]


def _decode_token(token: int, likely: Mapping[int, Any], count: int, decode: Callable[[Sequence[int]], str]) -> Json:
    ordered = sorted(likely.items(), key=lambda item: -item[1].logprob)
    return {
        **_encode_logprob(token, likely[token], decode),
        'top_logprobs': [_encode_logprob(*item, decode) for item in ordered[:count]],
    }


def _encode_logprob(token: int, value: Any, decode: Callable[[Sequence[int]], str]) -> Json:
    text = decode([token])
    return {'token': text, 'logprob': float(value.logprob), 'bytes': [*text.encode()]}
