"""The rules of Mistral's chat, https://docs.mistral.ai/api/endpoint/chat, and of `mistral-common`, which serves it.

https://github.com/mistralai/mistral-common/blob/main/src/mistral_common/protocol/instruct/validator.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from mistralai.client.models import ChatCompletionRequestTypedDict

from tests.conformance.validators import shapes
from tests.conformance.validators.openai_chat import check_tool_call, check_tool_results
from tests.conformance.validators.rules import NAME, Json, check_json, check_pattern

ID = re.compile('[a-zA-Z0-9]{9}')
"""karthink/gptel#1203: "must be a-z, A-Z, 0-9, with a length of 9"."""

NEXT_ROLES = {
    'system': ('user', 'assistant', 'system'),
    'user': ('assistant', 'system', 'user'),
    'assistant': ('assistant', 'user', 'tool'),
    'tool': ('assistant', 'tool'),
}
"""`mistral-common`, `_validate_message_order`; anomalyco/opencode#7488, datapizza-labs/datapizza-ai#98."""

DEFAULTS = (r"tools\[\d+\]: ToolTypedDict needs the field 'type'",)
"""What the types of the SDK require and the API does not: recording
mistral__test_tool_choice_matrix_list_single-mistral__0_797aec."""


def validate(body: Json) -> list[str]:
    """Return every rule that the body breaks."""
    messages: list[Json] = body.get('messages') or []
    return [
        *check_json(body),
        *(
            line
            for line in shapes.check(body, ChatCompletionRequestTypedDict, 'body')
            if not any(re.search(default, line) for default in DEFAULTS)
        ),
        *_check_order(messages),
        *(line for index, message in enumerate(messages) for line in _check_message(message, f'messages[{index}]')),
        *check_tool_results(messages),
        *(
            line
            for index, tool in enumerate(body.get('tools') or ())
            for line in check_pattern(tool.get('function', {}).get('name'), NAME, f'tools[{index}].function.name')
        ),
    ]


def _check_order(messages: list[Json]) -> Iterator[str]:
    if not messages:
        yield 'messages: empty'
        return
    for index, (before, after) in enumerate(pairwise(messages)):
        if after['role'] not in NEXT_ROLES[before['role']]:
            yield f'messages[{index + 1}]: role {after["role"]!r} after role {before["role"]!r}'
    last = messages[-1]
    # 0xPlaygrounds/rig#1130: "Expected last role User or Tool (or Assistant with prefix True) for serving"
    if (last['role'] == 'assistant' and not last.get('prefix')) or (last['role'] == 'system' and len(messages) > 1):
        yield f'messages[-1]: the last role is {last["role"]!r}'
    if len(messages) == 1 and last['role'] not in ('user', 'system'):
        yield f'messages[0]: the only role is {last["role"]!r}'


def _check_message(message: Json, path: str) -> Iterator[str]:
    for number, call in enumerate(message.get('tool_calls') or ()):
        yield from check_tool_call(call, f'{path}.tool_calls[{number}]', ID, NAME)
    match message['role']:
        case 'assistant':
            if not message.get('content') and not message.get('tool_calls'):
                yield f'{path}: neither content nor tool calls'
        case 'tool':
            yield from check_pattern(message.get('tool_call_id'), ID, f'{path}.tool_call_id')
            if message.get('name') is not None:
                yield from check_pattern(message['name'], NAME, f'{path}.name')
        case _:
            if message.get('content') is None:
                yield f'{path}.content: null'
