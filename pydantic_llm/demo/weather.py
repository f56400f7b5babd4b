"""The model behind the tour: a weather service with fixed responses, which depend on the prompt and the tools."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

from ..messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from ..models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel

__all__ = ('weather_model',)

FORECAST = '{"city": "Lisbon", "celsius": 24.5}'

PAUSE = 0.012
"""Seconds before each word of a stream, so that the words visibly arrive one by one."""


def weather_model() -> FunctionModel:
    """Build a model that needs no key and no network."""
    return FunctionModel(respond, stream_function=stream_words, model_name='weather-1')


def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Return the response to the last message."""
    tools = [tool.name for tool in info.function_tools]
    returned = {part.tool_name: part.content for part in messages[-1].parts if isinstance(part, ToolReturnPart)}
    if 'usual' in str(messages[-1]):
        return ModelResponse([TextPart(f'Yes, {_find_result(messages)} °C is usual for Lisbon in June.')])
    if 'final_result' in tools:
        return ModelResponse([ToolCallPart('final_result', FORECAST)])
    if info.model_request_parameters.output_object:
        return ModelResponse([TextPart(FORECAST)])
    if returned:
        return ModelResponse([TextPart(_report(returned))])
    if tools:
        return ModelResponse([ToolCallPart(tool, '{"city": "Lisbon"}') for tool in tools])
    if 'Oslo' in str(messages[-1]):
        return ModelResponse([TextPart('Oslo is cold: 3 °C, with snow until noon. Take the warm coat.')])
    return ModelResponse([TextPart('No. It is 24 °C and sunny.')])


def _report(returned: dict[str, object]) -> str:
    if 'wind' not in returned:
        return f'It is {returned["temperature"]} °C.'
    return f'Yes: {returned["temperature"]} °C, and {returned["wind"]}.'


def _find_result(messages: list[ModelMessage]) -> object:
    """Return what the last tool returned, in a conversation that may have begun with another vendor."""
    parts = [part for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]
    return parts[-1].content


async def stream_words(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
    """Yield the same response word by word."""
    for number, part in enumerate(respond(messages, info).parts):
        match part:
            case TextPart(content):
                for word in re.findall(r'\S+\s*', content):
                    await asyncio.sleep(PAUSE)
                    yield word
            case ToolCallPart(name):
                yield {number: DeltaToolCall(name, part.args_as_json_str())}
            case _:
                pass
