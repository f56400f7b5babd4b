"""Type checks of model names: known names are completed, and any other string is accepted."""

from __future__ import annotations

from typing import assert_type

from pydantic_llm import Agent
from pydantic_llm.models import KnownModelName, Model, infer_model


def test_known_names_and_other_strings() -> None:
    known: KnownModelName = 'test'
    mistaken: KnownModelName = 'openai:gpt-4oo'  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType] -- no such name
    assert_type(infer_model(known), Model)
    assert_type(Agent(known), Agent[None, str])
    strings: list[str] = [known, mistaken]
    assert strings == ['test', 'openai:gpt-4oo']
