"""Decodes the log probabilities of every API into one shape, that of Chat Completions. Pure.

One object per token: `{'token': 'Hi', 'logprob': -0.1, 'bytes': [72, 105], 'top_logprobs': [...]}`, and `top_logprobs`
are such objects without `top_logprobs`: https://platform.openai.com/docs/api-reference/chat/object
"""

from __future__ import annotations

from typing import Any, cast

from ..json_types import Json
from .counts import get_object

__all__ = ('decode_logprobs',)


def decode_logprobs(value: object) -> list[Json]:
    """Return one object per token, for the log probabilities of a response or of an event in the form of any API."""
    if not value:
        return []
    if isinstance(value, list):
        return [token for item in cast('list[object]', value) for token in _decode_item(get_object(item))]
    fields = get_object(value)
    match fields:
        case {'content': list()}:  # Chat Completions
            return decode_logprobs(fields['content'])
        case {'chosenCandidates': list()}:  # https://ai.google.dev/api/generate-content#LogprobsResult
            return _decode_gemini(fields['chosenCandidates'], fields.get('topCandidates'))
        case {'tokens': list(), 'token_logprobs': list()}:  # Completions; Together, Fireworks, older vLLM
            return _decode_completions(fields['tokens'], fields['token_logprobs'], fields.get('top_logprobs'))
        case _:
            return list(_decode_item(fields))


def _decode_item(item: Json) -> list[Json]:
    match item:
        case {'token': str(), 'logprob': _}:
            top: object = item.get('top_logprobs')
            alternatives: list[object] = cast('list[object]', top) if isinstance(top, list) else []
            return [
                {**_make_token(item), 'top_logprobs': [_make_token(get_object(each)) for each in alternatives if each]}
            ]
        case {'text': str() as text, 'logprobs': list()}:  # Cohere: https://docs.cohere.com/reference/chat
            numbers: list[Any] = item['logprobs']
            texts = [text, *([''] * (len(numbers) - 1))]
            return [
                {**_make_token({'token': text, 'logprob': number}), 'top_logprobs': []}
                for text, number in zip(texts, numbers, strict=False)
            ]
        case _:
            return []


def _make_token(item: Json) -> Json:
    token, known = str(item.get('token', '')), item.get('bytes')
    return {
        'token': token,
        'logprob': item.get('logprob', item.get('logProbability')),
        'bytes': known if isinstance(known, list) else [*token.encode(errors='replace')],
    }


def _decode_gemini(chosen: list[Any], tops: Any) -> list[Json]:
    alternatives: list[list[Any]] = [get_object(top).get('candidates') or [] for top in tops or ()]
    alternatives += [[] for _ in chosen]
    return [
        {**_make_token(get_object(token)), 'top_logprobs': [_make_token(get_object(each)) for each in top]}
        for token, top in zip(chosen, alternatives, strict=False)
    ]


def _decode_completions(tokens: list[Any], numbers: list[Any], tops: Any) -> list[Json]:
    found: list[Json] = []
    likely: list[Any] = [*(tops or ()), *(None for _ in tokens)]
    for token, number, top in zip(tokens, numbers, likely, strict=False):
        others = [_make_token({'token': name, 'logprob': other}) for name, other in get_object(top).items()]
        found.append({**_make_token({'token': token, 'logprob': number}), 'top_logprobs': others})
    return found
