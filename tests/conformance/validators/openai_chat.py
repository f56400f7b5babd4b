"""The rules of OpenAI's Chat Completions: https://platform.openai.com/docs/api-reference/chat/create."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolUnionParam
from openai.types.chat.completion_create_params import CompletionCreateParamsBase

from tests.conformance.validators import shapes
from tests.conformance.validators.rules import (
    NAME,
    Json,
    check_arguments,
    check_json,
    check_pairs,
    check_pattern,
)

ID = re.compile(r'.{1,40}', re.DOTALL)
"""vercel/ai#5171: "string too long. Expected a string with maximum length 40"."""

ANY_ID = re.compile(r'.+', re.DOTALL)
"""The ids of other servers: any that can be told apart."""

THINKING_FIELDS = ("has no field 'reasoning'", "has no field 'reasoning_content'")
"""OpenAI's models send no thinking here. Servers of this API that do want it back in the field where it was."""

DESCRIPTION_LENGTH = 1024
"""whoz-oss/coday#6: a tool's description with more characters is refused."""


def validate(body: Json) -> list[str]:
    """Return every rule that the body breaks."""
    return [
        *validate_chat(body, id=ID),
        *(
            line
            for line in shapes.check(body.get('messages'), list[ChatCompletionMessageParam], 'messages')
            if not line.endswith(THINKING_FIELDS)
        ),
        *shapes.check(body.get('tools', []), list[ChatCompletionToolUnionParam], 'tools'),
        # pydantic/pydantic-ai#155: an empty array of tools is refused
        *(('tools: empty',) if body.get('tools', True) in ([], None) else ()),
        # 400 "Unknown parameter": the API refuses what it does not know
        *(
            f'body: there is no parameter {name!r}'
            for name in body.keys() - CompletionCreateParamsBase.__annotations__.keys() - {'stream'}
        ),
    ]


def validate_chat(body: Json, *, id: re.Pattern[str] = ANY_ID, name: re.Pattern[str] = NAME) -> Iterator[str]:
    """Yield the rules that every server of this API has, with its patterns of ids and names."""
    yield from check_json(body)
    messages: list[Json] = body.get('messages') or []
    # microsoft/agent-framework#2384: "Invalid 'messages': empty array"
    if not messages:
        yield 'messages: empty'
    for index, tool in enumerate(body.get('tools') or ()):
        function = tool.get('function', {})
        yield from check_pattern(function.get('name'), name, f'tools[{index}].function.name')
        if len(function.get('description') or '') > DESCRIPTION_LENGTH:
            yield f'tools[{index}].function.description: over {DESCRIPTION_LENGTH} characters'
    for index, message in enumerate(messages):
        yield from _check_message(message, f'messages[{index}]', id, name)
    yield from check_tool_results(messages)


def _check_message(message: Json, path: str, id: re.Pattern[str], name: re.Pattern[str]) -> Iterator[str]:
    content, calls = message.get('content'), message.get('tool_calls')
    # mlflow/mlflow#14410: an empty array of tool calls is refused in requests
    if calls == []:
        yield f'{path}.tool_calls: empty'
    # langchain4j/langchain4j#1105: "Invalid value for 'content': expected a string, got null"
    if content is None and not calls and 'audio' not in message:
        yield f'{path}.content: null, without tool calls'
    if content == []:
        yield f'{path}.content: empty'
    for number, call in enumerate(calls or ()):
        yield from check_tool_call(call, f'{path}.tool_calls[{number}]', id, name)
    if message.get('role') == 'tool':
        yield from check_pattern(message.get('tool_call_id'), id, f'{path}.tool_call_id')


def check_tool_call(call: Json, path: str, id: re.Pattern[str], name: re.Pattern[str]) -> Iterator[str]:
    yield from check_pattern(call.get('id'), id, f'{path}.id')
    # mcp-use/mcp-use#90: "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'"
    function: Any = call.get('function', {})
    yield from check_pattern(function.get('name'), name, f'{path}.function.name')
    yield from check_arguments(function.get('arguments'), f'{path}.function.arguments')


def check_tool_results(messages: Sequence[Json]) -> Iterator[str]:
    """Yield the tool calls that no tool message follows at once, and tool messages without a call.

    agno-agi/agno#3105 ("must be followed by tool messages responding to each 'tool_call_id'"), earendil-works/pi#5884.
    """
    index = 0
    while index < len(messages):
        calls = [call.get('id') for call in messages[index].get('tool_calls') or ()]
        start, results = index, list[Any]()
        index += 0 if messages[index].get('role') == 'tool' else 1
        while index < len(messages) and messages[index].get('role') == 'tool':
            results.append(messages[index].get('tool_call_id'))
            index += 1
        yield from check_pairs(calls, results, f'messages[{start}]')
