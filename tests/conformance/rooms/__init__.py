"""The rooms under test, a module for each. A new room gets a module here, and all tests run over it."""

from __future__ import annotations

from pydantic_llm_acme.room import ROOM as ACME

from pydantic_llm.testing.room import Room
from tests.conformance.rooms import (
    acme_chat,
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

EXAMPLES = {ACME, acme_chat.ROOM}

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
    ACME,
    acme_chat.ROOM,
)
"""Every room with a `serve.py`, every dialect, and the two of the example package."""

PAIRS: tuple[tuple[Room, Room], ...] = tuple(
    (source, target)
    for source in ROOMS
    for target in ROOMS
    if {source, target}.isdisjoint(EXAMPLES) or {source, target} <= {*EXAMPLES, openai_chat.ROOM}
)
"""Every pair of rooms; the example package is paired with one room of this package only, to save time."""
