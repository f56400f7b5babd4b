"""The rules of Cohere's Chat API: https://docs.cohere.com/reference/chat."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from cohere.types import ChatMessageV2, ToolV2

from tests.conformance.validators import shapes
from tests.conformance.validators.openai_chat import check_tool_call, check_tool_results
from tests.conformance.validators.rules import NAME, Json, check_both, check_json, check_pattern

ID = re.compile(r'.+', re.DOTALL)

BODY = frozenset(
    {
        *('model', 'messages', 'stream', 'tools', 'strict_tools', 'documents', 'citation_options', 'response_format'),
        *('safety_mode', 'max_tokens', 'stop_sequences', 'temperature', 'seed', 'frequency_penalty'),
        *('presence_penalty', 'k', 'p', 'logprobs', 'tool_choice', 'thinking', 'priority', 'raw_prompting'),
    }
)
"""The parameters of `AsyncV2Client.chat`."""


def validate(body: Json) -> list[str]:
    """Return every rule that the body breaks."""
    messages: list[Json] = body.get('messages') or []
    shape = [
        *check_json(body),
        *(f'body: there is no parameter {name!r}' for name in body.keys() - BODY),
        *shapes.check(body.get('messages'), list[ChatMessageV2], 'messages'),
        *shapes.check(body.get('tools') or [], list[ToolV2], 'tools'),
        *(
            line
            for index, tool in enumerate(body.get('tools') or ())
            for line in check_pattern(tool.get('function', {}).get('name'), NAME, f'tools[{index}].function.name')
        ),
    ]
    return check_both(shape, chain(_check_messages(messages), check_tool_results(messages)))


def _check_messages(messages: list[Json]) -> Iterator[str]:
    if not messages:
        yield 'messages: empty'
    for index, message in enumerate(messages):
        path, content, calls = f'messages[{index}]', message.get('content'), message.get('tool_calls')
        for number, call in enumerate(calls or ()):
            yield from check_tool_call(call, f'{path}.tool_calls[{number}]', ID, NAME)
        # kwaroran/Risuai#504: "message must be at least 1 token long or tool results must be specified"
        if not content and not calls:
            yield f'{path}: neither content nor tool calls'
