"""An agent on a tiny model that was taught to call a tool: in text, as a structured output, streamed and blocking."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from pydantic_llm import Agent
from pydantic_llm.agent import NativeOutput
from pydantic_llm.messages import ModelResponse, ToolCallPart, ToolReturnPart
from pydantic_llm.models.transformers import TransformersModel
from tests.local import tiny

BATCHINGS = ('padded', 'paged')


class Report(BaseModel):
    city: str
    weather: str


def weather(city: str) -> str:
    """Tell the weather in a city."""
    return tiny.WEATHERS[city]


def calls_in(messages: Any) -> list[tuple[str, Any]]:
    """The calls of a run, and what the tools gave."""
    parts = [part for message in messages for part in message.parts]
    return [
        (part.tool_name, part.args_as_dict() if isinstance(part, ToolCallPart) else part.content)
        for part in parts
        if isinstance(part, ToolCallPart | ToolReturnPart)
    ]


@pytest.mark.parametrize('batching', BATCHINGS)
async def test_an_agent_calls_its_tool_and_answers(make: Callable[..., Any], taught_path: Path, batching: str) -> None:
    agent = Agent(make(taught_path, batching=batching), tools=[weather])
    result = await agent.run('Weather in Oslo?')
    assert result.output == 'It is rainy in Oslo.'
    assert calls_in(result.all_messages()) == [('weather', {'city': 'Oslo'}), ('weather', 'rainy')]
    assert result.usage().requests == 2
    reasons = [message.finish_reason for message in result.all_messages() if isinstance(message, ModelResponse)]
    assert reasons == ['tool_call', 'stop']


async def test_an_agent_gives_a_structured_output(make: Callable[..., Any], taught_path: Path) -> None:
    agent = Agent(make(taught_path), tools=[weather], output_type=Report)
    result = await agent.run('Weather in Oslo?')
    assert result.output == Report(city='Oslo', weather='rainy')
    assert [name for name, _ in calls_in(result.all_messages())][:2] == ['weather', 'weather']


async def test_an_agent_on_a_random_model_gives_a_valid_output(make: Callable[..., Any]) -> None:
    class Choice(BaseModel):
        number: int
        near: bool

    agent = Agent(make(), output_type=NativeOutput(Choice))
    result = await agent.run('Which?', model_settings={'temperature': 1.0, 'seed': 2, 'max_tokens': 200})
    assert isinstance(result.output, Choice)


async def test_an_agent_streams(make: Callable[..., Any], taught_path: Path) -> None:
    agent = Agent(make(taught_path), tools=[weather])
    async with agent.run_stream('Weather in Oslo?') as result:
        texts = [text async for text in result.stream_text(delta=True, debounce_by=None)]
    assert ''.join(texts) == 'It is rainy in Oslo.'
    assert len(texts) > 2


def test_an_agent_is_called_without_a_loop(taught_path: Path) -> None:
    agent = Agent(f'transformers:{taught_path}')
    assert agent.run_sync('Say hi.').output == tiny.ANSWERS['Say hi.']
    assert isinstance(agent.model, TransformersModel)
    assert agent.run_sync('Say it in Chinese.').output == tiny.ANSWERS['Say it in Chinese.']
