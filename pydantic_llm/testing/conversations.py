"""The requests that `ModelSuite` sends."""

from __future__ import annotations

from typing import Any

from ..messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from ..models import ModelRequestParameters
from ..tools.definition import ToolDefinition

CITY: dict[str, Any] = {'type': 'object', 'properties': {'city': {'type': 'string'}}, 'required': ['city']}

LOOK = ToolDefinition('look', CITY, 'Look at the weather in a city.')
OUTPUT = ToolDefinition('final_result', CITY, 'Return the city.', kind='output')

VENDOR = 'another-vendor'


def ask(text: str) -> list[ModelMessage]:
    """Return a conversation of one prompt."""
    return [ModelRequest.user_text_prompt(text)]


HELLO = ask('Hello')


def tool_parameters(*, output: bool = False) -> ModelRequestParameters:
    """Return parameters with a tool; if `output`, with an output tool in place of text."""
    if output:
        return ModelRequestParameters([LOOK], output_mode='tool', output_tools=[OUTPUT], allow_text_output=False)
    return ModelRequestParameters([LOOK])


def with_results(response: ModelResponse) -> list[ModelMessage]:
    """Return a response and the request after it: results for its tool calls, and a prompt."""
    results: list[ModelRequestPart] = [
        ToolReturnPart(call.tool_name, 'It is cold.', call.tool_call_id) for call in response.tool_calls
    ]
    return [response, ModelRequest([*results, UserPromptPart('Go on.')])]


def foreign_history() -> list[ModelMessage]:
    """Return a history of another vendor, with what goes wrong in conversations, which ends with a prompt."""
    return [
        ModelRequest([SystemPromptPart('Be brief.'), UserPromptPart('How cold is it in Oslo?')]),
        ModelResponse(
            [
                ThinkingPart('Let me look.', signature='c2lnbmVk', provider_name=VENDOR),
                NativeToolCallPart('web_search', {'query': 'Oslo'}, 'native_1', provider_name=VENDOR),
                NativeToolReturnPart('web_search', [{'url': 'https://oslo.example'}], 'native_1', provider_name=VENDOR),
                ToolCallPart('look', '{"city": "Oslo"}', 'call:odd/id with spaces and more than forty characters'),
                ToolCallPart('look', '{"city": ', 'call_2'),
            ],
            provider_name=VENDOR,
            model_name='other-1',
        ),
        ModelRequest(
            [
                ToolReturnPart('look', {'degrees': -3}, 'call:odd/id with spaces and more than forty characters'),
                RetryPromptPart('The arguments are not JSON.', tool_name='look', tool_call_id='call_2'),
            ]
        ),
        ModelResponse([TextPart(''), TextPart('It is -3 °C.')], provider_name=VENDOR),
        ModelRequest([UserPromptPart('And in Rome?')]),
        ModelResponse([ToolCallPart('look', {'city': 'Rome'}, 'call_without_a_result')], provider_name=VENDOR),
        ModelRequest([UserPromptPart('Never mind.')]),
        ModelResponse([TextPart('It was inter')], provider_name=VENDOR, state='interrupted'),
        ModelRequest([UserPromptPart('Go on.')]),
    ]
