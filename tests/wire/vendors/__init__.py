"""The supported vendors of the recordings, a module for each room: how to build their models, and what differs."""

from __future__ import annotations

from tests.wire.declared import Difference
from tests.wire.vendor import Build
from tests.wire.vendors import (
    anthropic,
    bedrock,
    cohere,
    every_vendor,
    gemini,
    groq,
    huggingface,
    mistral,
    openai_chat,
    openai_responses,
)

MODULES = (anthropic, bedrock, cohere, gemini, groq, huggingface, mistral, openai_chat, openai_responses)

VENDORS: dict[str, Build] = {name: build for module in MODULES for name, build in module.VENDORS.items()}
"""The functions that build a model, by the recordings' names of the vendors."""

HTTPX: frozenset[str] = frozenset({'cohere', 'groq'})
"""The vendors whose SDK uses `httpx` and not `httpx2`."""

DECLARED: tuple[Difference, ...] = tuple(row for module in (*MODULES, every_vendor) for row in module.DECLARED)
"""The declared differences of all vendors."""
