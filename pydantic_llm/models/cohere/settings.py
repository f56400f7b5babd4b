"""The settings of the Chat API, and their names on the wire."""

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
"""The shared settings that go into the body unchanged -> the fields of the body."""

OWN_SETTINGS: dict[str, str] = {
    'cohere_documents': 'documents',
    'cohere_citation_options': 'citation_options',
    'cohere_safety_mode': 'safety_mode',
    'cohere_priority': 'priority',
}
"""The API's own settings that go into the body unchanged -> the fields of the body."""

SUPPORTED = frozenset({*SETTINGS, 'thinking'})
"""The shared settings that the API has."""


class CohereModelSettings(ModelSettings, total=False):
    """Settings of a request to Cohere."""

    cohere_thinking: Mapping[str, Any]
    """The API's `thinking`: `{'type': 'enabled', 'token_budget': 500}`. Overrides the shared `thinking`."""

    cohere_documents: Sequence[str | Mapping[str, Any]]
    """Sources that the model reads and can cite: texts, or `{'id': ..., 'data': {'title': ..., 'text': ...}}`."""

    cohere_citation_options: Mapping[str, Any]
    """The way in which the model cites: `{'mode': 'FAST'}`, `'ACCURATE'` or `'OFF'`."""

    cohere_safety_mode: Literal['CONTEXTUAL', 'STRICT', 'OFF']
    """The safety instruction that the model gets. With tools or documents it is always `'CONTEXTUAL'`."""

    cohere_priority: int
    """The priority of the request under load: from 0, the highest, to 999."""

    cohere_strict_tools: bool
    """Enforce the schemas of all tools. This is also done if every tool has `strict=True`."""
