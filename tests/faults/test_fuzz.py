"""Any mutation of a response leads to a response or to one of our errors."""

from __future__ import annotations

import random

import pytest

from pydantic_llm.messages import ModelResponse
from tests.faults.fuzz import Seed, check, fuzz, read


@pytest.mark.parametrize('number', range(4))
async def test_randomly_mutated_responses_are_decoded_or_raise(number: int) -> None:
    ends = await fuzz(750, number)
    assert ends.get('ModelResponse', 0) > 50
    assert sum(count for name, count in ends.items() if name != 'ModelResponse') > 50


@pytest.mark.parametrize(
    'fields', ['"modelVersion": {"x": 1}', '"responseId": []', '"usageMetadata": {"promptTokenCount": "x"}']
)
async def test_a_complete_response_can_be_stored_after_an_event_with_fields_of_the_wrong_type(fields: str) -> None:
    text = '{"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}], "modelVersion": "m"}'
    body = f'data: {text}\n\ndata: {{{fields}, "candidates": [{{"content": 7}}]}}\n\n'.encode()
    result = await read(Seed('gemini', body, stream=True, content_type='text/event-stream'), body, random.Random(1))
    check(result, 0)
    assert isinstance(result, ModelResponse)
    assert (result.text, result.model_name, result.state) == ('Hi', 'm', 'complete')
