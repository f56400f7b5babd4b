"""Strict validators of request bodies, one for each vendor: what its API is known to refuse.

`validate(body)` returns a sentence for each rule that the body breaks, with the place first. The rules are from the
vendor's documentation, the types of its SDK, and the errors in recordings and public reports, which are named next to
the rules. `test_validators.py` checks that recorded requests, which were answered, break none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.conformance.validators import (
    acme,
    anthropic,
    bedrock,
    cohere,
    gemini,
    groq,
    huggingface,
    litellm,
    mistral,
    openai_chat,
    openai_responses,
)
from tests.conformance.validators.rules import Json

VALIDATORS: Mapping[str, Callable[[Json], list[str]]] = {
    'openai-chat': openai_chat.validate,
    'anthropic': anthropic.validate,
    'openai-responses': openai_responses.validate,
    'gemini': gemini.validate,
    'bedrock': bedrock.validate,
    'cohere': cohere.validate,
    'groq': groq.validate,
    'huggingface': huggingface.validate,
    'litellm': litellm.validate,
    'mistral': mistral.validate,
    'acme': acme.validate,
    'acme_chat': openai_chat.validate,
}
"""Room → validator."""
