"""The vendors of the recordings that we speak to, a module for each room: how to make their models, what differs."""

from __future__ import annotations

from tests.wire.declared import Difference
from tests.wire.vendor import Build
from tests.wire.vendors import (
    anthropic,
    bedrock,
    cohere,
    gemini,
    groq,
    huggingface,
    mistral,
    openai_chat,
    openai_responses,
)

MODULES = (anthropic, bedrock, cohere, gemini, groq, huggingface, mistral, openai_chat, openai_responses)

VENDORS: dict[str, Build] = {name: build for module in MODULES for name, build in module.VENDORS.items()}
"""The vendors, by the names that the recordings give them."""

HTTPX: frozenset[str] = frozenset({'cohere', 'groq'})
"""Those whose SDK is built on `httpx` and not on `httpx2`."""

DECLARED: tuple[Difference, ...] = tuple(row for module in MODULES for row in module.DECLARED)
"""Where we differ from what the recordings say is right."""
