"""The rooms under test, a module for each. A new room gets a module here, and all tests run over it."""

from __future__ import annotations

from tests.conformance.room import Room
from tests.conformance.rooms import (
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

ROOMS: tuple[Room, ...] = (
    openai_chat.ROOM,
    anthropic.ROOM,
    openai_responses.ROOM,
    gemini.ROOM,
    bedrock.ROOM,
    cohere.ROOM,
    groq.ROOM,
    huggingface.ROOM,
    litellm.ROOM,
    mistral.ROOM,
)
"""Every room with a `serve.py`, and every dialect."""
