"""What the tour does. The screen shows the source of these functions as it stands here, less their `return`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ..agent import Agent, AgentRunResult
from ..direct import model_request, model_request_stream
from ..messages import ModelResponse
from ..models import Model

__all__ = ('STEPS', 'Forecast', 'Show', 'Step', 'StepError', 'temperature', 'wind')

Show = Callable[[object], None]
"""Puts something on the screen: a text, an event of a stream, an object."""


async def ask(model: Model, show: Show) -> ModelResponse:
    """One request, one answer."""
    response = await model_request(model, 'Do I need a coat?')
    show(response.text)
    return response


async def stream(model: Model, show: Show) -> ModelResponse:
    """The answer as it is written."""
    async with model_request_stream(model, 'And in Oslo?') as answer:
        async for event in answer:  # a part starts, grows, ends
            show(event)
    return answer.get()


async def temperature(city: str) -> float:
    """The temperature in a city, in degrees Celsius."""
    return 24.5


async def wind(city: str) -> str:
    """The wind in a city."""
    return 'a light breeze from the west'


async def call_tools(model: Model, show: Show) -> AgentRunResult[str]:
    """The model calls functions of yours."""
    agent = Agent(model, tools=[wind, temperature])
    result = await agent.run('Is it a day for the beach?')
    show(result.output)
    return result


class Forecast(BaseModel):
    """The weather to expect."""

    city: str
    celsius: float


async def fill_in(model: Model, show: Show) -> AgentRunResult[Forecast]:
    """The answer as an object of yours."""
    agent = Agent(model, output_type=Forecast)
    result = await agent.run('The forecast for Lisbon, please.')
    show(result.output)
    return result


# --------------------------------------------------------------------------------------------- what must come of it


class StepError(Exception):
    """A step did not give what it must."""


@dataclass(frozen=True)
class Step:
    """One of the things that the tour does."""

    title: str
    """What it is."""
    code: tuple[Callable[..., Any], ...]
    """What is shown of it."""
    run: Callable[[Model, Show], Awaitable[Any]]
    """Does it."""
    check: Callable[[Any, Sequence[str]], str]
    """Gives a note on the result and on what was shown; raises `StepError` where these are not as they must be."""


def check_answer(response: ModelResponse, shown: Sequence[str]) -> str:
    """There must be an answer."""
    if not response.text:
        raise StepError('The model said nothing.')
    return ''


def check_stream(response: ModelResponse, shown: Sequence[str]) -> str:
    """The answer must have come in pieces, and the pieces must be the answer."""
    pieces = [text for text in shown if text]
    if len(pieces) < 2 or ''.join(pieces) != response.text:
        raise StepError(f'The {len(pieces)} pieces of the stream are not the answer {response.text!r}.')
    return f'in {len(pieces)} pieces'


def check_tools(result: AgentRunResult[str], shown: Sequence[str]) -> str:
    """Both tools must have been called."""
    responses = [message for message in result.all_messages() if isinstance(message, ModelResponse)]
    calls = [{call.tool_name for call in response.tool_calls} for response in responses]
    if (missing := {'temperature', 'wind'} - set().union(*calls)) or not result.output:
        raise StepError(f'The model did not call {" and ".join(sorted(missing))}, or said nothing.')
    return f'calls wind and temperature{" at once" if len(calls[0]) > 1 else ""}'


def check_object(result: AgentRunResult[Forecast], shown: Sequence[str]) -> str:
    """The object must be about the city in question."""
    if 'Lisbon' not in result.output.city:
        raise StepError(f'{result.output!r} is not of Lisbon.')
    return ''


STEPS = (
    Step('Ask', (ask,), ask, check_answer),
    Step('Stream', (stream,), stream, check_stream),
    Step('Let it call your functions', (wind, call_tools), call_tools, check_tools),
    Step('Get an object', (Forecast, fill_in), fill_in, check_object),
)
"""The steps, in order."""
