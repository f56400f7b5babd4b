"""The knobs of the Chat API, and what they are called on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ...settings import ModelSettings

SETTINGS: dict[str, str] = {
    'max_tokens': 'max_tokens',
    'temperature': 'temperature',
    'top_p': 'p',
    'top_k': 'k',
    'seed': 'seed',
    'presence_penalty': 'presence_penalty',
    'frequency_penalty': 'frequency_penalty',
    'stop_sequences': 'stop_sequences',
    'logprobs': 'logprobs',
}
"""The shared settings that go into the body under a name of the API's."""

OWN_SETTINGS: dict[str, str] = {
    'cohere_documents': 'documents',
    'cohere_citation_options': 'citation_options',
    'cohere_safety_mode': 'safety_mode',
    'cohere_priority': 'priority',
}
"""The API's own settings that go into the body as they are."""

SUPPORTED = frozenset({*SETTINGS, 'thinking'})
"""The shared settings that the API has."""


class CohereModelSettings(ModelSettings, total=False):
    """Settings of a request to Cohere."""

    cohere_thinking: Mapping[str, Any]
    """How the model thinks, in the API's words (`{'type': 'enabled', 'token_budget': 500}`); wins over `thinking`."""

    cohere_documents: Sequence[str | Mapping[str, Any]]
    """What the model answers by and can cite: texts, or `{'id': ..., 'data': {'title': ..., 'text': ...}}`."""

    cohere_citation_options: Mapping[str, Any]
    """How the model cites: `{'mode': 'FAST'}`, `'ACCURATE'` or `'OFF'`."""

    cohere_safety_mode: Literal['CONTEXTUAL', 'STRICT', 'OFF']
    """Which safety instruction the model gets. With tools or documents it is always `'CONTEXTUAL'`."""

    cohere_priority: int
    """How early the request is handled under load: from 0, the earliest, to 999."""

    cohere_strict_tools: bool
    """Hold calls to the schemas of their tools. Also done where every tool has `strict=True`."""
