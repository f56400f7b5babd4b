"""Log probabilities of tokens, in one shape for every API: that of Chat Completions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypedDict, cast

__all__ = ('TokenLogprob', 'TopLogprob', 'find_logprobs')


class TopLogprob(TypedDict):
    """A token that was likely at one place of the text."""

    token: str
    """The text of the token."""
    logprob: float | None
    """The natural logarithm of the token's probability; `None` if the server sent none."""
    bytes: list[int]
    """The token as bytes of UTF-8; a token can be a part of a character."""


class TokenLogprob(TopLogprob):
    """A token of the text, with the tokens that were likely in its place."""

    top_logprobs: list[TopLogprob]
    """The most likely tokens, as many as `top_logprobs` of the settings asked for."""


def find_logprobs(details: Iterable[dict[str, Any] | None]) -> list[TokenLogprob]:
    """Return the log probabilities in the `provider_details` of text parts. Values of another shape are skipped."""
    found: list[TokenLogprob] = []
    for each in details:
        tokens: object = (each or {}).get('logprobs')
        if isinstance(tokens, list):
            found += [cast('TokenLogprob', token) for token in cast('list[object]', tokens) if _is_token(token)]
    return found


def _is_token(value: object) -> bool:
    return isinstance(value, dict) and {'token', 'logprob'} <= cast('dict[str, Any]', value).keys()
