"""The rules of OpenAI's Responses: https://platform.openai.com/docs/api-reference/responses/create."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from openai.types.responses import ResponseInputParam
from openai.types.responses.response_create_params import ResponseCreateParamsBase

from tests.conformance.validators import shapes
from tests.conformance.validators.rules import (
    NAME,
    Json,
    check_arguments,
    check_both,
    check_json,
    check_pattern,
    check_unique,
)

CALL_ID = re.compile(r'.{1,64}', re.DOTALL)
"""openclaw/openclaw#875: ids of at most 64 characters at this API."""

ID_PREFIXES = {'message': 'msg', 'function_call': 'fc', 'custom_tool_call': 'ctc'}
"""Type of item → how its id begins: openai/codex#33176, Wei-Shaw/sub2api#3981, Alishahryar1/free-claude-code#1826."""

ID_LENGTH = 64

CONTINUING = {'previous_response_id', 'conversation'}
"""Parameters with which the server holds earlier items."""

IN_PRACTICE = (
    # recording openai-responses__test_openai_responses_image_generation_with_tool_output__1_b90d6e
    r"ImageGenerationCall needs the field '(result|status)'",
    # recording openai-responses__test_openai_responses_model_simple_response_with_tool_call__1_7af246
    r'\.status: None is none of',
)
"""Differences from the SDK's types that the API accepts."""


def validate(body: Json) -> list[str]:
    """Return every rule that the body breaks."""
    items: Any = body.get('input')
    shape = [
        *check_json(body),
        *(
            f'body: there is no parameter {name!r}'
            for name in body.keys() - ResponseCreateParamsBase.__annotations__.keys() - {'stream'}
        ),
        *(
            line
            for line in shapes.check(items, str | ResponseInputParam, 'input')
            if not any(re.search(accepted, line) for accepted in IN_PRACTICE)
        ),
        *(
            line
            for index, tool in enumerate(body.get('tools') or ())
            if tool.get('type') == 'function'
            for line in check_pattern(tool.get('name'), NAME, f'tools[{index}].name')
        ),
    ]
    continues = bool(CONTINUING & body.keys())
    return check_both(shape, _check_items(items, continues=continues)) if isinstance(items, list) else shape


def _check_items(items: list[Json], *, continues: bool) -> Iterator[str]:
    if not items and not continues:
        yield 'input: empty'
    for index, item in enumerate(items):
        yield from _check_item(item, f'input[{index}]')
    # earendil-works/pi#5149: "Duplicate item found with id msg_4"
    yield from check_unique([item['id'] for item in items if item.get('id')], 'input: ids')
    yield from _check_results(items, continues=continues)
    yield from _check_reasoning(items)


def _check_item(item: Json, path: str) -> Iterator[str]:
    kind = item.get('type', 'message')
    id = item.get('id')
    prefix = ID_PREFIXES.get(kind, '')
    if id is not None and not (isinstance(id, str) and id.startswith(prefix) and len(id) <= ID_LENGTH):
        yield f'{path}.id: {id!r} does not begin with {prefix!r}, or is too long'
    match kind:
        case 'function_call':
            # the pattern of chat's names: mcp-use/mcp-use#90
            yield from check_pattern(item.get('name'), NAME, f'{path}.name')
            yield from check_pattern(item.get('call_id'), CALL_ID, f'{path}.call_id')
            yield from check_arguments(item.get('arguments'), f'{path}.arguments')
        case 'function_call_output':
            yield from check_pattern(item.get('call_id'), CALL_ID, f'{path}.call_id')
        case 'message':
            if item.get('content') == []:
                yield f'{path}.content: empty'
            for number, part in enumerate(item['content'] if isinstance(item.get('content'), list) else ()):
                yield from _check_part(part, f'{path}.content[{number}]')
        case _:
            return


def _check_part(part: Json, path: str) -> Iterator[str]:
    """Recording openai-responses__test_multimodal_tool_return_matrix_tool_return_content-url_force_downl__2_f18b64."""
    data = part.get('file_data')
    if data is not None and not re.match(r'data:(?!audio/|video/)[\w.+-]+/[\w.+-]+;base64,', str(data)):
        yield f'{path}.file_data: {str(data)[:40]!r} is not a data URL of a file'


def _check_results(items: list[Json], *, continues: bool) -> Iterator[str]:
    """Yield tool calls without an output after them, and outputs without a call before them.

    Recording deepseek-responses__test_deepseek_responses_rejects_interleaved_function_calls__0_3cb335 has the message:
    "No tool output found for tool call"; that server also wants the outputs right after the calls.
    """
    calls: dict[Any, int] = {}
    answered: list[Any] = []
    for index, item in enumerate(items):
        match item.get('type'):
            case 'function_call' | 'custom_tool_call' | 'tool_search_call' if _is_of_application(item):
                if item.get('call_id') in calls:
                    yield f'input[{index}]: the call id {item.get("call_id")!r} was there before'
                calls[item.get('call_id')] = index
            case 'function_call_output' | 'custom_tool_call_output' | 'tool_search_output' if _is_of_application(item):
                if item.get('call_id') in answered or (item.get('call_id') not in calls and not continues):
                    yield f'input[{index}]: no tool call waits for the output {item.get("call_id")!r}'
                answered.append(item.get('call_id'))
            case _:
                # an application's message between a call and its output leaves the call without one
                waiting = calls.keys() - set(answered)
                if item.get('role') in ('user', 'system', 'developer') and waiting:
                    yield f'input[{index}]: no output yet for the tool calls {sorted(map(str, waiting))}'
    for id in calls.keys() - set(answered):
        yield f'input[{calls[id]}]: the tool call {id!r} has no output'


def _is_of_application(item: Json) -> bool:
    """Return whether the application executes the call: the tools of OpenAI itself need no output."""
    return item.get('execution', 'client') == 'client'


def _check_reasoning(items: list[Json]) -> Iterator[str]:
    """Yield reasoning that no item of the model follows.

    Recording openai-responses__test_openai_responses_thinking_with_modified_history__1_b0bf6f: "Item 'rs_...' of type
    'reasoning' was provided without its required following item".
    """
    for index, item in enumerate(items):
        if item.get('type') == 'reasoning' and item.get('id'):
            after = items[index + 1] if index + 1 < len(items) else {}
            is_of_user = after.get('role') in ('user', 'system', 'developer')
            if not after or is_of_user or after.get('type') == 'function_call_output':
                yield f'input[{index}]: reasoning {item["id"]!r} without its following item'
