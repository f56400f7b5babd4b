"""The steps of the tour. The screen shows the source of these functions, without their `return`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from ..agent import Agent, AgentRunResult
from ..direct import model_request
from ..messages import ModelResponse
from ..models import Model

__all__ = ('STEPS', 'Forecast', 'Show', 'Step', 'StepError', 'temperature', 'wind')


class Show(Protocol):
    """Shows a text or an object on the screen, which displays its calls as those of `print`."""

    def __call__(self, value: object, end: str = '\n') -> None: ...


async def ask(model: Model, other: Model, show: Show) -> ModelResponse:
    """Send one request and show the text of the response."""
    response = await model_request(model, 'Do I need a coat?')
    show(response.text)
    return response


async def stream_response(model: Model, other: Model, show: Show) -> ModelResponse:
    """Show a response while it is written."""
    agent = Agent(model)
    async with agent.run_stream('And in Oslo?') as run:
        async for text in run.stream_text(delta=True, debounce_by=0):
            show(text, end='')
    return run.response


async def temperature(city: str) -> float:
    """The temperature in a city, in degrees Celsius."""
    return 24.5


async def wind(city: str) -> str:
    """The wind in a city."""
    return 'a light breeze from the west'


async def call_tools(model: Model, other: Model, show: Show) -> AgentRunResult[str]:
    """Let the model call functions."""
    agent = Agent(model, tools=[wind, temperature])
    result = await agent.run('Is it a day for the beach?')
    show(result.output)
    return result


class Forecast(BaseModel):
    """The weather to expect."""

    city: str
    celsius: float


async def fill_in(model: Model, other: Model, show: Show) -> AgentRunResult[Forecast]:
    """Get the response as an object."""
    agent = Agent(model, output_type=Forecast)
    result = await agent.run('The forecast for Lisbon, please.')
    show(result.output)
    return result


async def change_vendor(model: Model, other: Model, show: Show) -> AgentRunResult[str]:
    """Continue the conversation with another vendor's model."""
    agent = Agent(model, tools=[temperature])
    first = await agent.run('How warm is it in Lisbon?')
    second = await agent.run(
        'Is that usual?',
        model=other,
        message_history=first.all_messages(),
    )
    show(second.output)
    return second


# ----------------------------------------------------------------------------------------------- expected results


class StepError(Exception):
    """Raised if a step does not have the expected result."""


@dataclass(frozen=True)
class Step:
    """One step of the tour."""

    title: str
    imports: str
    """The line above the code, which imports what is new in it."""
    code: tuple[Callable[..., Any], ...]
    """The functions and classes whose source is shown."""
    run: Callable[[Model, Model, Show], Awaitable[Any]]
    check: Callable[[Any, Sequence[str]], str]
    """Returns a note on the result and the texts that were shown; raises `StepError` if they are not as expected."""


def check_response(response: ModelResponse, shown: Sequence[str]) -> str:
    """Raise `StepError` if the response has no text."""
    if not response.text:
        raise StepError('The response has no text.')
    return ''


def check_stream(response: ModelResponse, shown: Sequence[str]) -> str:
    """Raise `StepError` unless the response arrived in several pieces that add up to its text."""
    pieces = [text for text in shown if text]
    if len(pieces) < 2 or ''.join(pieces) != response.text:
        raise StepError(f'The {len(pieces)} pieces of the stream are not the text {response.text!r}.')
    return f'in {len(pieces)} pieces'


def check_tools(result: AgentRunResult[str], shown: Sequence[str]) -> str:
    """Raise `StepError` unless both tools were called and the output has text."""
    responses = [message for message in result.all_messages() if isinstance(message, ModelResponse)]
    calls = [{call.tool_name for call in response.tool_calls} for response in responses]
    if (missing := {'temperature', 'wind'} - set().union(*calls)) or not result.output:
        raise StepError(f'The model did not call {" and ".join(sorted(missing))}, or its output has no text.')
    return f'calls wind and temperature{" at once" if len(calls[0]) > 1 else ""}'


def check_object(result: AgentRunResult[Forecast], shown: Sequence[str]) -> str:
    """Raise `StepError` if the object is about another city."""
    if 'Lisbon' not in result.output.city:
        raise StepError(f'{result.output!r} is not about Lisbon.')
    return ''


def check_vendors(result: AgentRunResult[str], shown: Sequence[str]) -> str:
    """Raise `StepError` if the last output has no text. Return the vendors in their order."""
    if not result.output:
        raise StepError('The output has no text.')
    responses = [message for message in result.all_messages() if isinstance(message, ModelResponse)]
    return ', then '.join(dict.fromkeys(str(response.provider_name) for response in responses))


STEPS = (
    Step('Ask', 'from pydantic_llm.direct import model_request', (ask,), ask, check_response),
    Step('Stream', 'from pydantic_llm import Agent', (stream_response,), stream_response, check_stream),
    Step('Let it call your functions', '', (temperature, wind, call_tools), call_tools, check_tools),
    Step('Get an object', 'from pydantic import BaseModel', (Forecast, fill_in), fill_in, check_object),
    Step('Continue with another vendor', '', (change_vendor,), change_vendor, check_vendors),
)
"""The steps, in the order of the tour."""
