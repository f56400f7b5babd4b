"""One conversation of three turns, as each room would have produced it, moved to every other room.

The first response is in the form of its vendor: thinking, a tool of the vendor itself, text and a tool call. Each piece
of content is a word that occurs nowhere else, so that the words in the request of another room tell what arrived.
`python -m tests.conformance.portability` prints the table of docs/messages.md.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic_llm.messages import (
    BinaryContent,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.portability import PortabilityReport, portability_report
from pydantic_llm.testing.exchange import decode_body, encode_body
from pydantic_llm.testing.room import Json, Room
from pydantic_llm.tools.definition import ToolDefinition
from tests.conformance.rooms import EXAMPLES, ROOMS

TOOL = ToolDefinition('look', {'type': 'object', 'properties': {'city': {'type': 'string'}}})
PARAMETERS = ModelRequestParameters([TOOL])
WORDS = re.compile(r'w[A-Z]+\d')
IMAGE = BinaryContent(b'wIMAGE1', media_type='image/png')
IN_BASE64 = {'d0lNQUdFMQ==': 'wIMAGE1'}

NATIVE: Mapping[str, list[Json]] = {
    # https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool
    'anthropic': [
        {'type': 'server_tool_use', 'id': 'srvtoolu_1', 'name': 'web_search', 'input': {'query': 'wQUERY1'}},
        {
            'type': 'web_search_tool_result',
            'tool_use_id': 'srvtoolu_1',
            'content': [
                {
                    'type': 'web_search_result',
                    'url': 'https://example.com',
                    'title': 'wFOUND1',
                    'encrypted_content': 'c2VhbGVk',
                    'page_age': None,
                }
            ],
        },
    ],
    # https://platform.openai.com/docs/api-reference/responses/object
    'openai-responses': [
        {
            'type': 'code_interpreter_call',
            'id': 'ci_1',
            'code': 'wQUERY1',
            'container_id': 'cntr_1',
            'outputs': [{'type': 'logs', 'logs': 'wFOUND1'}],
            'status': 'completed',
        }
    ],
    # https://ai.google.dev/api/caching#Part
    'gemini': [
        {'executableCode': {'language': 'PYTHON', 'code': 'wQUERY1'}},
        {'codeExecutionResult': {'outcome': 'OUTCOME_OK', 'output': 'wFOUND1'}},
    ],
    # https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolUseBlock.html
    'bedrock': [
        {
            'toolUse': {
                'toolUseId': 'tooluse_n',
                'name': 'nova_code_interpreter',
                'input': {'snippet': 'wQUERY1'},
                'type': 'server_tool_use',
            }
        },
        {
            'toolResult': {
                'toolUseId': 'tooluse_n',
                'content': [{'json': {'stdOut': 'wFOUND1'}}],
                'type': 'nova_code_interpreter_result',
                'status': 'success',
            }
        },
    ],
}
"""What a vendor's own tool leaves in the list of parts of a response body."""

# https://console.groq.com/docs/agentic-tooling
EXECUTED: list[Json] = [
    {'index': 0, 'type': 'search', 'arguments': '{"query": "wQUERY1"}', 'output': 'wFOUND1', 'search_results': None}
]
"""What Groq's own tools leave in its message."""


def make_body(room: Room) -> Json:
    """Return the body of the first response, in the form of the room's vendor."""
    features, system = room.features, room.build().system
    id = None if features.any_order else features.thinking_ids[0]
    signature = 'c2lnbmF0dXJl' if features.signatures else None
    thinking = ThinkingPart(
        'wTHINKING1', id='rs_1' if features.item_ids else id, signature=signature, provider_name=system
    )
    call = ToolCallPart('look', '{"city": "wCITY1"}', 'abcdefghi')
    response = ModelResponse([thinking, TextPart('wTEXT1'), call], finish_reason='tool_call', model_name='m')
    body = encode_body(room, response)
    if room.name in NATIVE:
        parts: Any = body
        for key in room.parts_path:
            parts = parts[key]
        parts[1:1] = NATIVE[room.name]
    if room.name == 'groq':
        body['choices'][0]['message']['executed_tools'] = EXECUTED
    return body


def make_history(room: Room) -> list[ModelMessage]:
    """Return the conversation, with responses that the room decoded."""
    first = decode_body(room, make_body(room))
    (call,) = first.tool_calls
    second, third = (
        decode_body(room, encode_body(room, ModelResponse([TextPart(text)]))) for text in ('wTEXT2', 'wTEXT3')
    )
    return [
        ModelRequest([UserPromptPart(['wQUESTION1', IMAGE])], instructions='wINSTRUCTIONS1'),
        first,
        ModelRequest([ToolReturnPart('look', {'sky': 'wSKY1'}, call.tool_call_id)], instructions='wINSTRUCTIONS1'),
        second,
        ModelRequest([UserPromptPart('wQUESTION2')], instructions='wINSTRUCTIONS1'),
        third,
        ModelRequest([UserPromptPart('wQUESTION3')], instructions='wINSTRUCTIONS1'),
    ]


def find_words(value: Any) -> set[str]:
    """Return the words of the conversation in a JSON value."""
    text = str(value)
    return {*WORDS.findall(text), *(word for code, word in IN_BASE64.items() if code in text)}


@cache
def report(source: Room, target: Room) -> PortabilityReport:
    """Return what the target would do with the conversation of the source."""
    return portability_report(make_history(source), target.build(), model_request_parameters=PARAMETERS)


def read(target: Room, history: list[ModelMessage]) -> set[str]:
    """Return the words that the server of the target reads in the request."""
    body = target.build().encode(target.prepare(history, None, PARAMETERS))
    served = target.decode_request(body)
    return find_words(ModelMessagesTypeAdapter.dump_python(served.messages, mode='json'))


# ---------------------------------------------------------------------- the table

MARKS = {
    ('changed', 'thinking'): 't',
    ('dropped', 'thinking'): 'T',
    ('dropped', 'builtin-tool-call'): 'n',
    ('dropped', 'builtin-tool-return'): 'n',
}
"""The mark of each effect on a kind of part."""

VALUES = 'not sent, since'
"""The beginning of an issue about values that only their vendor reads."""


def mark(source: Room, target: Room) -> str:
    """Return the marks of a pair: what happens to content, and `i` if a tool call gets another id."""
    marks: set[str] = set()
    for issue in report(source, target).issues:
        if issue.description.startswith(VALUES):
            marks |= {'i'} if 'tool_call_id' in issue.description else set()
        else:
            marks.add(MARKS.get((issue.effect, issue.part_kind or ''), '?'))
    return ' '.join(sorted(marks)) or '·'


def render() -> str:
    """Return the table of all pairs."""
    rooms = [room for room in ROOMS if room not in EXAMPLES]
    lines = [
        '| from ↓ to → | ' + ' | '.join(room.name for room in rooms) + ' |',
        '| --- ' * (len(rooms) + 1) + '|',
    ]
    lines += [
        f'| {source.name} | ' + ' | '.join('' if source is target else mark(source, target) for target in rooms) + ' |'
        for source in rooms
    ]
    return '\n'.join(lines)


if __name__ == '__main__':
    sys.stdout.write(f'{render()}\n')
