"""An agent on each engine, with a tiny model that was trained to call a tool."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pydantic_llm import Agent
from pydantic_llm.agent import NativeOutput
from pydantic_llm.messages import ModelResponse, ToolCallPart, ToolReturnPart
from tests.local import tiny
from tests.local.engines import Engine, on


class Report(BaseModel):
    city: str
    weather: str


class Choice(BaseModel):
    number: int
    near: bool


def weather(city: str) -> str:
    """Tell the weather in a city."""
    return tiny.WEATHERS[city]


def calls_in(messages: Any) -> list[tuple[str, Any]]:
    """Return the tool calls of a run with their arguments, and the tool results."""
    parts = [part for message in messages for part in message.parts]
    return [
        (part.tool_name, part.args_as_dict() if isinstance(part, ToolCallPart) else part.content)
        for part in parts
        if isinstance(part, ToolCallPart | ToolReturnPart)
    ]


@on('padded', 'paged', 'mlx', 'llamacpp', 'vllm')
async def test_an_agent_calls_its_tool_and_responds(make: Callable[..., Any], trained_path: Path) -> None:
    result = await Agent(make(trained_path), tools=[weather]).run('Weather in Oslo?')
    assert result.output == 'It is rainy in Oslo.'
    assert calls_in(result.all_messages()) == [('weather', {'city': 'Oslo'}), ('weather', 'rainy')]
    assert result.usage().requests == 2
    reasons = [message.finish_reason for message in result.all_messages() if isinstance(message, ModelResponse)]
    assert reasons == ['tool_call', 'stop']


@on('transformers', 'mlx', 'llamacpp', 'vllm')
async def test_an_agent_gives_a_structured_output(make: Callable[..., Any], trained_path: Path) -> None:
    result = await Agent(make(trained_path), tools=[weather], output_type=Report).run('Weather in Oslo?')
    assert result.output == Report(city='Oslo', weather='rainy')
    assert [name for name, _ in calls_in(result.all_messages())][:2] == ['weather', 'weather']


@on('transformers', 'mlx', 'llamacpp', 'vllm')
async def test_an_agent_on_a_random_model_gives_a_valid_output(make: Callable[..., Any]) -> None:
    settings: Any = {'temperature': 1.0, 'seed': 2, 'max_tokens': 200}
    native = await Agent(make(), output_type=NativeOutput(Choice)).run('Which?', model_settings=settings)
    assert isinstance(native.output, Choice)
    by_tool = await Agent(make(), output_type=Choice).run('Which?', model_settings=settings)
    assert isinstance(by_tool.output, Choice)


@on('transformers', 'mlx', 'llamacpp', 'vllm')
async def test_an_agent_streams(make: Callable[..., Any], engine: Engine, trained_path: Path) -> None:
    agent = Agent(make(trained_path))
    for prompt in ('Say it in Chinese.', 'Where is Oslo?'):
        async with agent.run_stream(prompt) as result:
            texts = [text async for text in result.stream_text(delta=True, debounce_by=None)]
        assert ''.join(texts) == tiny.RESPONSES[prompt]
    assert len(texts) > 1 or engine.is_fast  # of the long response: the other one can be there before it is read


async def test_an_agent_streams_after_a_tool_call(make: Callable[..., Any], trained_path: Path) -> None:
    async with Agent(make(trained_path), tools=[weather]).run_stream('Weather in Oslo?') as result:
        texts = [text async for text in result.stream_text(delta=True, debounce_by=None)]
    assert ''.join(texts) == 'It is rainy in Oslo.'
    assert len(texts) > 2


@on('transformers', 'mlx', 'llamacpp')
def test_an_agent_runs_without_a_loop(engine: Engine, trained_path: Path) -> None:
    agent = Agent(f'{engine.system}:{trained_path}')
    assert agent.run_sync('Say hi.').output == tiny.RESPONSES['Say hi.']
    assert isinstance(agent.model, engine.model_class)
    assert agent.run_sync('Say it in Chinese.').output == tiny.RESPONSES['Say it in Chinese.']
