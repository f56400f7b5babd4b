"""The types of the results of `map_requests`, as type checkers infer them from `output_type`."""

from __future__ import annotations

from typing import assert_type

from pydantic import BaseModel

from pydantic_llm.many import MapResult, map_requests
from pydantic_llm.models.test import TestModel


class City(BaseModel):
    name: str


async def test_an_output_is_text_by_default() -> None:
    async for result in map_requests(TestModel(), ['a', {'prompt': 'b'}]):
        assert_type(result, MapResult[str])
        assert_type(result.get_output(), str)
        assert_type(result.output, str | None)


async def test_an_output_has_the_type_that_was_asked_for() -> None:
    async for result in map_requests('test', (name for name in ('a', 'b')), output_type=City):
        assert_type(result.get_output(), City)
