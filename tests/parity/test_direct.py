"""Direct requests to a model, without an agent."""

from __future__ import annotations

import asyncio

from pydantic_llm import ModelRequest, PartDeltaEvent, TextPart, ToolDefinition
from pydantic_llm.direct import model_request, model_request_stream, model_request_stream_sync, model_request_sync
from pydantic_llm.messages import ModelResponse
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.models.test import TestModel

from .script import call, play

PROMPT = [ModelRequest.user_text_prompt('Which ship is that?')]


def test_a_request_returns_a_response() -> None:
    response = model_request_sync(play('The Fram.'), PROMPT)
    assert response.parts == [TextPart('The Fram.')]
    assert response.usage.output_tokens > 0


def test_a_request_in_a_coroutine() -> None:
    assert asyncio.run(model_request(play('The Fram.'), PROMPT)).text == 'The Fram.'


def test_a_request_with_a_tool() -> None:
    schema = {'type': 'object', 'properties': {'ship': {'type': 'string'}}, 'required': ['ship']}
    tool = ToolDefinition(name='find_berth', description='Find a berth.', parameters_json_schema=schema)
    response = model_request_sync(
        play(call('find_berth', ship='Fram')),
        PROMPT,
        model_request_parameters=ModelRequestParameters(function_tools=[tool], allow_text_output=True),
    )
    assert [part.part_kind for part in response.parts] == ['tool-call']
    assert response.tool_calls[0].args_as_dict() == {'ship': 'Fram'}


def test_a_request_that_streams() -> None:
    async def run() -> tuple[int, ModelResponse]:
        async with model_request_stream(TestModel(custom_output_text='The Fram.'), PROMPT) as stream:
            deltas = [event async for event in stream if isinstance(event, PartDeltaEvent)]
            return len(deltas), stream.get()

    deltas, response = asyncio.run(run())
    assert deltas >= 1
    assert response.text == 'The Fram.'


def test_a_request_that_streams_without_await() -> None:
    with model_request_stream_sync(TestModel(custom_output_text='The Fram.'), PROMPT) as stream:
        events = list(stream)
        assert stream.response.text == 'The Fram.'
        assert stream.timestamp == stream.response.timestamp
    assert events
