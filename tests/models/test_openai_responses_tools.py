"""The Responses room: the items of OpenAI's own tools, as parts."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from pydantic_llm.messages import (
    BinaryContent,
    CompactionPart,
    FilePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartStartEvent,
)
from tests.models.openai_responses import (
    APPROVAL,
    ASKED,
    CODE,
    COMPACTION,
    DRAWING,
    FILES,
    FOUND_TOOLS,
    HELLO,
    IMAGE,
    NEWEST,
    OURS,
    SEARCH,
    SHELL,
    SHELL_OUTPUT,
    TOOL_SEARCH,
    TOOLS,
    decode_both_ways,
    details,
    make_body,
    make_events,
    message,
    model,
    stream,
)
from tests.providers.server import Json, Server


def native_call(name: str, args: Any, item: Json, **fields: Any) -> NativeToolCallPart:
    kept = {'type': item['type'], **({'openai_fields': fields} if fields else {})}
    return NativeToolCallPart(name, args, item['id'], id=item['id'], **details(**kept))


def native_result(name: str, content: Any, item: Json) -> NativeToolReturnPart:
    return NativeToolReturnPart(name, content, item['id'], **OURS)


ACTION = {'type': 'search', 'query': 'oslo'}
SOURCES = {'sources': [{'type': 'url', 'url': 'https://example.com'}]}
ASK = {'tool_name': 'ask', 'tool_args': {'about': 'Oslo'}}

NATIVE: list[tuple[list[Json], list[Any]]] = [
    (
        [SEARCH],
        [
            native_call('web_search', ACTION, SEARCH),
            native_result('web_search', {'status': 'completed', **SOURCES}, SEARCH),
        ],
    ),
    (
        [FILES],
        [
            native_call('file_search', {'queries': ['oslo']}, FILES),
            native_result('file_search', {'status': 'completed', 'results': FILES['results']}, FILES),
        ],
    ),
    (
        [CODE],
        [
            native_call('code_execution', {'container_id': 'c', 'code': 'print("a\\n")'}, CODE),
            FilePart(IMAGE, id='ci_1', **OURS),
            native_result('code_execution', {'status': 'completed', 'logs': ['a\n']}, CODE),
        ],
    ),
    (
        [DRAWING],
        [
            native_call('image_generation', None, DRAWING, output_format='png'),
            FilePart(IMAGE, id='ig_1', **OURS),
            native_result(
                'image_generation',
                {name: DRAWING[name] for name in ('status', 'background', 'quality', 'size', 'revised_prompt')},
                DRAWING,
            ),
        ],
    ),
    (
        [TOOLS],
        [
            native_call('mcp_server:wiki', {'action': 'list_tools'}, TOOLS),
            native_result('mcp_server:wiki', {'tools': TOOLS['tools'], 'error': None}, TOOLS),
        ],
    ),
    (
        [ASKED],
        [
            native_call(
                'mcp_server:wiki',
                {'action': 'call_tool', **ASK},
                ASKED,
                arguments='{ "about": "Oslo" }',
                error=None,
                status='completed',
                approval_request_id=None,
            ),
            native_result('mcp_server:wiki', {'output': 'A city.', 'error': None}, ASKED),
        ],
    ),
    ([APPROVAL], [native_call('mcp_server:wiki', {'action': 'request_approval', **ASK}, APPROVAL)]),
    (
        [TOOL_SEARCH, FOUND_TOOLS],
        [
            native_call(
                'tool_search', {'paths': ['weather']}, TOOL_SEARCH, status='completed', call_id=None, execution='server'
            ),
            NativeToolReturnPart('tool_search', FOUND_TOOLS, 'tsc_1', **details(openai_item='tool_search_output')),
        ],
    ),
]
"""Items, and the parts that they become."""


def without_times(parts: Any) -> list[Any]:
    return [
        NativeToolReturnPart(
            part.tool_name,
            part.content,
            part.tool_call_id,
            timestamp=HELLO[0].parts[0].timestamp,  # type: ignore[union-attr]
            provider_name=part.provider_name,
            provider_details=part.provider_details,
        )
        if isinstance(part, NativeToolReturnPart)
        else part
        for part in parts
    ]


@pytest.mark.parametrize(('items', 'parts'), NATIVE, ids=[items[0]['type'] for items, _ in NATIVE])
async def test_a_native_item_becomes_a_call_files_and_a_result(items: list[Json], parts: Any) -> None:
    for found in await decode_both_ways(make_body(*items)):
        assert without_times(found.parts) == without_times(parts)


async def test_items_of_unknown_types_are_kept_whole() -> None:
    for found in await decode_both_ways(make_body(SHELL, SHELL_OUTPUT, NEWEST)):
        assert without_times(found.parts) == without_times(
            [
                NativeToolCallPart('shell_call', SHELL, 'call_sh', id='sh_1', **details(openai_item='shell_call')),
                NativeToolReturnPart('shell_call', SHELL_OUTPUT, 'call_sh', **details(openai_item='shell_call_output')),
                NativeToolCallPart(
                    'telepathy_call', NEWEST, 'tp_1', id='tp_1', **details(openai_item='telepathy_call')
                ),
            ]
        )


async def test_a_compaction_is_a_part_of_its_own() -> None:
    item = {**COMPACTION, 'created_by': 'x'}
    for found in await decode_both_ways(make_body(item, message('Hi', 'msg_1'))):
        details = {'encrypted_content': 'sealed', 'created_by': 'x'}
        assert found.parts[0] == CompactionPart(id='cmp_1', provider_name='openai', provider_details=details)
        assert found.text == 'Hi'


async def test_an_item_without_an_id_is_kept_too() -> None:
    unnamed = {'type': 'telepathy_call', 'thought': 1}
    for found in await decode_both_ways(make_body(unnamed, {**unnamed, 'thought': 2})):
        assert [part.args for part in found.parts if isinstance(part, NativeToolCallPart)] == [
            unnamed,
            {**unnamed, 'thought': 2},
        ]


async def test_arguments_that_are_not_json_are_kept_unchanged() -> None:
    for found in await decode_both_ways(make_body({**ASKED, 'arguments': '{"cut'})):
        [asked, _] = found.parts
        assert isinstance(asked, NativeToolCallPart)
        assert asked.args == {'action': 'call_tool', 'tool_name': 'ask', 'tool_args': '{"cut'}


async def test_the_arguments_of_a_native_tool_are_streamed() -> None:
    for item in (CODE, ASKED):
        server = Server(stream(*make_events(make_body(item))))
        async with model(server).request_stream(HELLO) as streamed:
            seen = [event async for event in streamed if getattr(event, 'index', None) == 0]
        assert [event.event_kind for event in seen[:3]] == ['part_start', 'part_delta', 'part_delta']
        assert sum(isinstance(event, PartStartEvent) for event in seen) == 1


async def test_partial_images_are_streamed() -> None:
    found = make_events(make_body(DRAWING))
    partial = [
        {
            'type': 'response.image_generation_call.partial_image',
            'item_id': 'ig_1',
            'output_index': 0,
            'partial_image_index': number,
            'partial_image_b64': b64encode(sketch).decode(),
            'output_format': 'webp',
        }
        for number, sketch in enumerate((b'one', b'two'))
    ]
    server = Server(stream(*found[:2], *partial, *found[2:]))
    async with model(server).request_stream(HELLO) as streamed:
        seen = [event.part async for event in streamed if isinstance(event, PartStartEvent) and event.index == 1]
    sketches = [
        FilePart(BinaryContent(sketch, media_type='image/webp'), id='ig_1', **details(partial_image_index=number))
        for number, sketch in enumerate((b'one', b'two'))
    ]
    assert seen == [*sketches, FilePart(IMAGE, id='ig_1', **OURS)]
    assert streamed.get().images == [IMAGE]
