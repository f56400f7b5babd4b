"""What type checkers make of the names of models: those that are known are completed, and any other string is taken."""

from __future__ import annotations

from typing import assert_type

from pydantic_llm import Agent
from pydantic_llm.models import KnownModelName, Model, infer_model


def test_a_known_name_is_one_and_any_other_is_a_string() -> None:
    known: KnownModelName = 'test'
    mistaken: KnownModelName = 'openai:gpt-4oo'  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType] -- no such name
    assert_type(infer_model(known), Model)
    assert_type(Agent(known), Agent[None, str])
    strings: list[str] = [known, mistaken]
    assert strings == ['test', 'openai:gpt-4oo']
