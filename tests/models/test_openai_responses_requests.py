"""The Responses room, encoding: tools, outputs, messages and past responses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    FilePart,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition
from pydantic_llm.native_tools import (
    CodeExecutionTool,
    FileSearchTool,
    ImageGenerationTool,
    MCPServerTool,
    MemoryTool,
    WebFetchTool,
    WebSearchTool,
    WebSearchUserLocation,
)
from pydantic_llm.tools.definition import ToolDefinition
from tests.models.openai_responses import (
    ANSWER,
    APPROVAL,
    ASKED,
    CITY,
    CODE,
    COMPACTION,
    DRAWING,
    FILES,
    FOUND_TOOLS,
    HELLO,
    HELLO_ITEM,
    HI_RESPONSE,
    NEWEST,
    OURS,
    SEARCH,
    SHELL,
    SHELL_OUTPUT,
    STRICT_CITY,
    TIME,
    TOOL_SEARCH,
    TOOLS,
    WEATHER,
    body,
    call,
    get_sent_items,
    make_body,
    message,
    model,
    read,
    reasoning,
    warnings,
)
from tests.providers.server import Json, Server

# ---------------------------------------------------------------------------------------------------------------- tools


def tool(name: str, **more: Any) -> Json:
    described = {'name': name, 'description': '', 'parameters': STRICT_CITY, 'strict': True}
    return {'type': 'function', **described, **more}


@pytest.mark.parametrize(
    ('choice', 'expected'),
    [
        (None, 'auto'),
        ('auto', 'auto'),
        ('none', 'none'),
        ('required', 'required'),
        (['weather'], {'type': 'function', 'name': 'weather'}),
        (['weather', 'time'], 'required'),
    ],
)
async def test_a_tool_choice_is_sent(choice: Any, expected: Any) -> None:
    settings = {} if choice is None else {'tool_choice': choice}
    sent = await body(settings, parameters=ModelRequestParameters(function_tools=[WEATHER, TIME]))
    assert sent == {'tools': [tool('weather'), tool('time')], 'tool_choice': expected}


async def test_a_choice_of_some_tools_is_a_list_of_them() -> None:
    three = ModelRequestParameters(function_tools=[WEATHER, TIME, ToolDefinition('place', dict(CITY))])
    sent = await body({'tool_choice': ['weather', 'time']}, parameters=three)
    allowed = [{'type': 'function', 'name': 'weather'}, {'type': 'function', 'name': 'time'}]
    assert sent['tool_choice'] == {'type': 'allowed_tools', 'mode': 'required', 'tools': allowed}


async def test_an_output_tool_is_required() -> None:
    parameters = ModelRequestParameters(output_tools=[ANSWER], output_mode='tool', allow_text_output=False)
    assert await body(parameters=parameters) == {'tools': [tool('answer')], 'tool_choice': 'required'}


async def test_parallel_tool_calls_is_sent_only_with_tools() -> None:
    assert await body({'parallel_tool_calls': False}) == {}
    sent = await body({'parallel_tool_calls': False}, parameters=ModelRequestParameters(function_tools=[WEATHER]))
    assert sent == {'tools': [tool('weather')], 'tool_choice': 'auto', 'parallel_tool_calls': False}


async def test_a_tool_that_cannot_be_strict_is_not() -> None:
    loose = ToolDefinition('weather', {'type': 'object', 'properties': {}, 'additionalProperties': True}, 'Returns it.')
    [sent] = (await body(parameters=ModelRequestParameters(function_tools=[loose])))['tools']
    assert (sent['strict'], sent['description']) == (False, 'Returns it.')


OSLO = WebSearchUserLocation(city='Oslo', country='NO')


@pytest.mark.parametrize(
    ('native', 'expected'),
    [
        (WebSearchTool(), {'type': 'web_search', 'search_context_size': 'medium'}),
        (
            WebSearchTool(search_context_size='low', user_location=OSLO, allowed_domains=['example.com']),
            {
                'type': 'web_search',
                'search_context_size': 'low',
                'user_location': {'type': 'approximate', 'city': 'Oslo', 'country': 'NO'},
                'filters': {'allowed_domains': ['example.com']},
            },
        ),
        (CodeExecutionTool(), {'type': 'code_interpreter', 'container': {'type': 'auto'}}),
        (FileSearchTool(['vs_1']), {'type': 'file_search', 'vector_store_ids': ['vs_1']}),
        (ImageGenerationTool(), {'type': 'image_generation'}),
        (
            ImageGenerationTool(quality='low', size='1024x1024', output_format='webp', background='opaque'),
            {
                'type': 'image_generation',
                'quality': 'low',
                'size': '1024x1024',
                'output_format': 'webp',
                'background': 'opaque',
            },
        ),
        (
            MCPServerTool(
                'wiki',
                'https://example.com/mcp',
                authorization_token='t',
                description='d',
                allowed_tools=['ask'],
                headers={'x': 'y'},
            ),
            {
                'type': 'mcp',
                'server_label': 'wiki',
                'server_url': 'https://example.com/mcp',
                'require_approval': 'never',
                'authorization': 't',
                'server_description': 'd',
                'allowed_tools': ['ask'],
                'headers': {'x': 'y'},
            },
        ),
        (
            MCPServerTool('mail', 'x-openai-connector:connector_gmail'),
            {
                'type': 'mcp',
                'server_label': 'mail',
                'connector_id': 'connector_gmail',
                'require_approval': 'never',
            },
        ),
    ],
)
async def test_a_native_tool_is_encoded(native: Any, expected: Json) -> None:
    assert await body(parameters=ModelRequestParameters(native_tools=[native])) == {'tools': [expected]}


async def test_tools_in_the_apis_own_form_are_sent_between_the_others() -> None:
    parameters = ModelRequestParameters(native_tools=[CodeExecutionTool()], function_tools=[WEATHER])
    sent = await body({'openai_native_tools': [{'type': 'local_shell'}]}, parameters=parameters)
    assert [found['type'] for found in sent['tools']] == ['code_interpreter', 'local_shell', 'function']


@pytest.mark.parametrize('native', [WebFetchTool(), MemoryTool()])
async def test_an_unsupported_native_tool_raises(native: Any) -> None:
    with pytest.raises(UserError, match=f'The Responses API has no tool {native.kind!r}'):
        await body(parameters=ModelRequestParameters(native_tools=[native]))


# -------------------------------------------------------------------------------------------------------------- outputs


async def test_a_native_output_is_a_schema() -> None:
    for output, expected in (
        (OutputObjectDefinition(CITY), {'name': 'final_result', 'schema': STRICT_CITY, 'strict': True}),
        (OutputObjectDefinition(CITY, 'City', strict=False), {'name': 'City', 'schema': CITY, 'strict': False}),
    ):
        sent = await body(parameters=ModelRequestParameters(output_mode='native', output_object=output))
        assert sent == {'text': {'format': {'type': 'json_schema', **expected}}}


async def test_a_prompted_output_is_an_instruction_before_the_conversation() -> None:
    parameters = ModelRequestParameters(
        output_mode='prompted', output_object=OutputObjectDefinition(CITY), prompted_output_template='Like {schema}!'
    )
    prompt = [SystemPromptPart('You are A.'), UserPromptPart('Hello?')]
    sent = await body(parameters=parameters, messages=[ModelRequest(prompt, instructions='Be brief.')])
    assert sent == {
        'input': [
            {'role': 'system', 'content': 'You are A.'},
            {'role': 'system', 'content': f'Be brief.\n\nLike {json.dumps(STRICT_CITY)}!'},
            HELLO_ITEM,
        ],
        'text': {'format': {'type': 'json_object'}},
    }


# ------------------------------------------------------------------------------------------------------------- messages


async def test_instructions_have_a_field_of_their_own() -> None:
    sent = await body(messages=[ModelRequest([UserPromptPart('Hello?')], instructions='Be brief.')])
    assert sent == {'instructions': 'Be brief.', 'input': [HELLO_ITEM]}


@pytest.mark.parametrize(('role', 'options'), [('system', {}), ('user', {'name': 'o1-mini'})])
async def test_system_prompts_keep_their_place(role: str, options: Json) -> None:
    parts = [UserPromptPart('Hello?'), SystemPromptPart('Be kind.')]
    assert await get_sent_items([ModelRequest(parts)], **options) == [HELLO_ITEM, {'role': role, 'content': 'Be kind.'}]


PNG = BinaryContent(b'\x89PNG', media_type='image/png', vendor_metadata={'detail': 'low'})
PDF = BinaryContent(b'%PDF', media_type='application/pdf')


@pytest.mark.parametrize(
    ('item', 'expected'),
    [
        ('Hi', [{'type': 'input_text', 'text': 'Hi'}]),
        (TextContent('Hi'), [{'type': 'input_text', 'text': 'Hi'}]),
        (PNG, [{'type': 'input_image', 'image_url': 'data:image/png;base64,iVBORw==', 'detail': 'low'}]),
        (
            ImageUrl('https://example.com/a.png'),
            [{'type': 'input_image', 'image_url': 'https://example.com/a.png', 'detail': 'auto'}],
        ),
        (
            PDF,
            [{'type': 'input_file', 'file_data': 'data:application/pdf;base64,JVBERg==', 'filename': 'filename.pdf'}],
        ),
        (
            DocumentUrl('https://example.com/a.pdf'),
            [{'type': 'input_file', 'file_url': 'https://example.com/a.pdf'}],
        ),
        (AudioUrl('https://example.com/a.mp3'), [{'type': 'input_file', 'file_url': 'https://example.com/a.mp3'}]),
        (UploadedFile('file-1', 'openai'), [{'type': 'input_file', 'file_id': 'file-1'}]),
        (
            UploadedFile('file-1', 'openai', media_type='image/png'),
            [{'type': 'input_image', 'file_id': 'file-1', 'detail': 'auto'}],
        ),
    ],
)
async def test_user_content_is_encoded(item: UserContent, expected: list[Json]) -> None:
    assert await get_sent_items([ModelRequest([UserPromptPart([item])])]) == [{'role': 'user', 'content': expected}]


@pytest.mark.parametrize(
    'item',
    [
        VideoUrl('https://example.com/a.mp4'),
        BinaryContent(b'ID3', media_type='audio/mpeg'),
        BinaryContent(b'mp4', media_type='video/mp4'),
        UploadedFile('file-1', 'anthropic'),
    ],
)
async def test_unsupported_content_raises_before_anything_is_sent(item: Any) -> None:
    server = Server(HI_RESPONSE)
    with pytest.raises(UserError, match='its Responses API has no such content'):
        await model(server).request([ModelRequest([UserPromptPart([item])])])
    assert server.requests == []


CALLED = ModelResponse([ToolCallPart('weather', {'name': 'Oslo'}, 'call_1')])
CALL_ITEM = {'type': 'function_call', 'call_id': 'call_1', 'name': 'weather', 'arguments': '{"name":"Oslo"}'}


@pytest.mark.parametrize(
    ('part', 'output'),
    [
        (ToolReturnPart('weather', 'rain', 'call_1'), 'rain'),
        (ToolReturnPart('weather', None, 'call_1'), ''),
        (ToolReturnPart('weather', {'sky': 'grey'}, 'call_1'), '{"sky":"grey"}'),
        (
            ToolReturnPart('weather', ['rain', PDF], 'call_1'),
            [
                {'type': 'input_text', 'text': 'rain'},
                {
                    'type': 'input_file',
                    'file_data': 'data:application/pdf;base64,JVBERg==',
                    'filename': 'filename.pdf',
                },
            ],
        ),
        (
            RetryPromptPart('Where?', tool_name='weather', tool_call_id='call_1'),
            RetryPromptPart('Where?', tool_name='weather').model_response(),
        ),
    ],
)
async def test_a_tool_result_is_the_output_of_its_call(part: Any, output: Any) -> None:
    sent = await get_sent_items([*HELLO, CALLED, ModelRequest([part])])
    assert sent[1:] == [CALL_ITEM, {'type': 'function_call_output', 'call_id': 'call_1', 'output': output}]


async def test_a_retry_without_a_tool_is_a_user_message() -> None:
    part = RetryPromptPart('Again.')
    assert await get_sent_items([ModelRequest([part])]) == [{'role': 'user', 'content': part.model_response()}]


async def test_an_id_that_is_too_long_is_replaced() -> None:
    long = 'x' * 65
    messages = [*HELLO, ModelResponse([ToolCallPart('weather', '{}', long)]), make_return(long)]
    sent = await get_sent_items(messages)
    assert [item['call_id'] for item in sent[1:]] == ['call_0', 'call_0']


def make_return(id: str) -> ModelRequest:
    return ModelRequest([ToolReturnPart('weather', 'rain', id)])


async def test_ids_that_were_made_unique_are_sent_as_the_server_made_them() -> None:
    calls = [f'resp_{number}:call_0' for number in range(3)]
    messages: list[ModelMessage] = []
    for number, id in enumerate(calls):
        fields: Any = {'provider_name': 'bedrock-mantle', 'provider_response_id': f'resp_{number}'}
        messages += [*HELLO, ModelResponse([ToolCallPart('weather', '{}', id)], **fields), make_return(id)]
    options: Json = {'service': 'bedrock-mantle', 'name': 'openai.gpt-5.6-luna'}
    sent = await get_sent_items(messages, **options)
    seen = [item['call_id'] for item in sent if 'call_id' in item]
    assert seen == ['call_0', 'call_0', 'resp_1:call_0', 'resp_1:call_0', 'resp_2:call_0', 'resp_2:call_0']
    assert await get_sent_items(messages, {'openai_previous_response_id': 'auto'}, **options) == [
        {'type': 'function_call_output', 'call_id': 'call_0', 'output': 'rain'}
    ]


# ------------------------------------------------------------------------------------------------------- past responses

REASONER = {'name': 'gpt-5'}
SEALED = reasoning('Hm.', 'So.', encrypted_content='sealed')
CITATION = {'type': 'url_citation', 'url': 'https://a.b', 'title': 'A', 'start_index': 4, 'end_index': 15}
REFUSED = {'type': 'container_file_citation', 'container_id': 'c', 'file_id': 'f', 'start_index': 0, 'end_index': 1}


async def send_back(*items: Json, settings: Any = None, **options: Any) -> list[Json]:
    """Return the items that the next request sends back for these items of a response."""
    messages = [*HELLO, read(make_body(*items)), *HELLO]
    return (await get_sent_items(messages, settings, **{**REASONER, **options}))[1:-1]


def without_status(item: Json) -> Json:
    return {name: value for name, value in item.items() if name != 'status'}


async def test_thinking_texts_and_tool_calls_are_sent_back_with_their_ids() -> None:
    item = message('See https://a.b', annotations=[CITATION, {**CITATION, 'url': 'https://other'}, REFUSED])
    [thinking, text, tool_call] = (await send_back(SEALED, item, call()))[:3]
    assert thinking == SEALED
    assert text == {
        'type': 'message',
        'role': 'assistant',
        'id': 'msg_1',
        'status': 'completed',
        'content': [{'type': 'output_text', 'text': 'See https://a.b', 'annotations': [CITATION]}],
    }
    assert tool_call == without_status(call())


async def test_parts_of_one_item_become_one_item() -> None:
    two = [{'type': 'output_text', 'text': text, 'annotations': []} for text in ('One.', 'Two.')]
    [text] = await send_back({**message(''), 'content': two})
    assert text['content'] == two


@pytest.mark.parametrize('options', [{'settings': {'openai_send_reasoning_ids': False}}, {'name': 'gpt-4o'}])
async def test_without_ids_thinking_is_text_and_the_rest_has_no_ids(options: Json) -> None:
    assert (await send_back(SEALED, message('Hi'), call(), **options))[:4] == [
        {'role': 'assistant', 'content': '<think>\nHm.\n</think>'},
        {'role': 'assistant', 'content': '<think>\nSo.\n</think>'},
        {'role': 'assistant', 'content': 'Hi'},
        {name: value for name, value in without_status(call()).items() if name != 'id'},
    ]


WITHOUT_ID = TextPart('Hi', provider_name='openai')


@pytest.mark.parametrize(
    ('items', 'more', 'kept'),
    [
        ([SEALED], [], ['user', 'user']),
        ([SEALED], [WITHOUT_ID], ['user', 'assistant', 'user']),
        ([SEALED, message('')], [], ['user', 'user']),
        ([SEALED, reasoning(id='rs_2', encrypted_content='s'), call()], [], ['user', 'reasoning', 'reasoning']),
        ([message('Hi'), SEALED], [], ['user', 'assistant', 'user']),
        ([SEALED, DRAWING], [], ['user', 'reasoning', 'image_generation_call']),
    ],
)
async def test_reasoning_is_sent_back_only_with_the_item_after_it(
    items: list[Json], more: list[Any], kept: list[str]
) -> None:
    response = read(make_body(*items))
    messages = [*HELLO, ModelResponse([*response.parts, *more], provider_name='openai'), *HELLO]
    sent = await get_sent_items(messages, **REASONER)
    assert [item.get('role') or item['type'] for item in sent][: len(kept)] == kept
    listed = 'thinking was left out, since the item that followed it is not in the history unchanged'
    assert (listed in await warnings(messages=messages, **REASONER)) == ('reasoning' not in kept)


async def test_raw_thinking_is_sent_back_unchanged() -> None:
    raw = reasoning(content=[{'type': 'reasoning_text', 'text': 'At length.'}])
    fields: Any = {'service': 'deepseek', 'name': 'deepseek-v4-flash'}
    messages = [*HELLO, read(make_body(raw, message('Hi')), provider_name='deepseek'), *HELLO]
    assert (await get_sent_items(messages, **fields))[1:3] == [raw, {'role': 'assistant', 'content': 'Hi'}]


@pytest.mark.parametrize(('name', 'phase'), [('gpt-5.5', {'phase': 'commentary'}), ('gpt-5', {})])
async def test_a_phase_is_sent_back_to_models_that_support_phases(name: str, phase: Json) -> None:
    [text] = await send_back({**message('Hi'), 'phase': 'commentary'}, name=name)
    assert {key: value for key, value in text.items() if key == 'phase'} == phase


SEARCH_WITHOUT_SOURCES = {**SEARCH, 'action': {'type': 'search', 'query': 'oslo'}}


@pytest.mark.parametrize('name', ['gpt-5', 'gpt-4o'])
@pytest.mark.parametrize(
    ('items', 'expected'),
    [
        ([SEARCH], [SEARCH_WITHOUT_SOURCES]),
        ([FILES], [FILES]),
        ([CODE], [CODE]),
        ([DRAWING], [{'type': 'image_generation_call', 'id': 'ig_1'}]),
        ([TOOLS, ASKED], [TOOLS, ASKED]),
        ([TOOL_SEARCH, FOUND_TOOLS], [TOOL_SEARCH, FOUND_TOOLS]),
        ([SHELL, SHELL_OUTPUT], [SHELL, SHELL_OUTPUT]),
        ([NEWEST], [NEWEST]),
    ],
    ids=lambda items: items[0]['type'],
)
async def test_native_items_are_sent_back_unchanged(items: list[Json], expected: list[Json], name: str) -> None:
    server = Server(HI_RESPONSE)
    response = await model(server, name).request([*HELLO, read(make_body(*items)), *HELLO])
    assert (server.body['input'][1:-1], response.warnings) == (expected, [])


async def test_a_compaction_is_sent_without_what_it_stands_for() -> None:
    server = Server(HI_RESPONSE)
    first = ModelRequest([SystemPromptPart('Be brief.'), UserPromptPart('Hello')])
    body = make_body(message('Before'), {**COMPACTION, 'created_by': 'x'}, message('After', 'msg_2'))
    response = await model(server).request([first, read(body), *HELLO])
    prompt, *items = server.body['input']
    assert (prompt['content'], items[0], items[1]['content']) == ('Be brief.', COMPACTION, 'After')
    assert (items[2:], response.warnings) == ([HELLO_ITEM], [])


async def test_a_conversation_is_compacted_on_demand() -> None:
    said = {'type': 'message', 'role': 'user', 'id': 'msg_u', 'content': [{'type': 'input_text', 'text': 'Hello'}]}
    body = {'id': 'resp_c', 'object': 'response.compaction', 'created_at': 1, 'output': [said, COMPACTION]}
    server = Server({**body, 'usage': {'input_tokens': 7, 'output_tokens': 2, 'total_tokens': 9}})
    compacted = await model(server).compact_messages(HELLO, {'temperature': 0.5}, instructions='Names.')
    assert str(server.requests[-1].url).endswith('/responses/compact')
    assert server.body == {'model': 'gpt-4o', 'input': [HELLO_ITEM], 'instructions': 'Names.'}
    assert (compacted.usage.input_tokens, compacted.state) == (7, 'complete')
    await model(next_server := Server(HI_RESPONSE)).request([*HELLO, compacted, *HELLO])
    assert next_server.body['input'][:2] == [said, COMPACTION]


@pytest.mark.parametrize('not_stored_by', ['by the request', 'by the response'])
async def test_an_image_that_is_not_stored_is_sent_back_whole(not_stored_by: str) -> None:
    settings = {'openai_store': False} if not_stored_by == 'by the request' else None
    response = read(make_body(DRAWING, store=not_stored_by != 'by the response'))
    server = Server(HI_RESPONSE)
    await model(server).request([*HELLO, response, *HELLO], settings)
    assert server.body['input'][1:-1] == [DRAWING]


async def test_native_items_are_sent_back_without_ids_if_the_setting_is_false() -> None:
    settings = {'openai_send_reasoning_ids': False, 'openai_store': False}
    server = Server(HI_RESPONSE)
    await model(server, 'gpt-5').request([*HELLO, read(make_body(SEARCH_WITHOUT_SOURCES, DRAWING)), *HELLO], settings)  # type: ignore[arg-type]
    assert server.body['input'][1:-1] == [
        {name: value for name, value in SEARCH_WITHOUT_SOURCES.items() if name != 'id'},
        DRAWING,
    ]


async def test_native_calls_of_another_program_are_sent_back_too() -> None:
    parts = [
        NativeToolCallPart('web_search', '{"type": "search", "query": "oslo"}', 'ws_1', id='ws_1', **OURS),
        NativeToolReturnPart('web_search', {'status': 'completed'}, 'ws_1', **OURS),
        NativeToolCallPart('mcp_server:wiki', {'action': 'list_tools'}, 'mcpl_1', id='mcpl_1', **OURS),
        NativeToolReturnPart('mcp_server:wiki', {'tools': [], 'error': None}, 'mcpl_1', **OURS),
        TextPart('Hi'),
    ]
    sent = await get_sent_items([*HELLO, ModelResponse(parts), *HELLO])
    assert sent[1:-1] == [
        SEARCH_WITHOUT_SOURCES,
        {'type': 'mcp_list_tools', 'id': 'mcpl_1', 'server_label': 'wiki', 'tools': []},
        {'role': 'assistant', 'content': 'Hi'},
    ]


DROPPED = "dropped, since the API of 'openai' cannot represent it in a past response: "


async def test_native_calls_of_other_vendors_are_dropped_and_listed() -> None:
    fields: Any = {'provider_name': 'anthropic'}
    parts = [
        NativeToolCallPart('web_search', {'query': 'oslo'}, 'a', **fields),
        NativeToolReturnPart('web_search', [], 'a', **fields),
        NativeToolCallPart('advisor', {}, 'b', provider_name='openai'),
        NativeToolReturnPart('advisor', 'Do.', 'b', provider_name='openai'),
        FilePart(PNG, **fields),
        TextPart('Hi'),
    ]
    messages = [*HELLO, ModelResponse(parts), *HELLO]
    assert (await get_sent_items(messages))[1:-1] == [{'role': 'assistant', 'content': 'Hi'}]
    assert await warnings(messages=messages) == [
        f"{DROPPED}what 'web_search', a tool of 'anthropic' itself, did",
        f"{DROPPED}what 'advisor', a tool of 'openai' itself, did",
        f"{DROPPED}a file that 'anthropic' made",
    ]


# -------------------------------------------------------------------------------- native calls that wait for the caller

COMPUTER: Json = {
    'type': 'computer_call',
    'id': 'cu_1',
    'call_id': 'call_cu',
    'status': 'completed',
    'action': {'type': 'screenshot'},
    'pending_safety_checks': [],
}
LOCAL_SEARCH = {**TOOL_SEARCH, 'call_id': 'call_ts', 'execution': 'client'}
SCREEN = {'output': {'type': 'computer_screenshot', 'image_url': 'data:image/png;base64,AAAA'}}

WAITING: list[tuple[Json, Any, Json]] = [
    (APPROVAL, {'approve': True}, {'type': 'mcp_approval_response', 'approval_request_id': 'mcpr_1', 'approve': True}),
    (COMPUTER, SCREEN, {'type': 'computer_call_output', 'call_id': 'call_cu', **SCREEN}),
    (LOCAL_SEARCH, {'tools': []}, {'type': 'tool_search_output', 'call_id': 'call_ts', 'tools': []}),
    (SHELL, {'output': []}, {'type': 'shell_call_output', 'call_id': 'call_sh', 'output': []}),
]


@pytest.mark.parametrize(('item', 'content', 'sent'), WAITING, ids=[item['type'] for item, _, _ in WAITING])
@pytest.mark.parametrize('apart', [False, True], ids=['in the response', 'in a message of its own'])
async def test_a_native_call_that_waits_for_the_caller_gets_a_result(
    item: Json, content: Any, sent: Json, apart: bool
) -> None:
    response = read(make_body(item))
    [waiting] = response.parts
    assert isinstance(waiting, NativeToolCallPart)
    given = NativeToolReturnPart(waiting.tool_name, content, waiting.tool_call_id)
    history = [response, ModelResponse([given])] if apart else [ModelResponse([*response.parts, given])]
    server = Server(HI_RESPONSE)
    found = await model(server, 'gpt-5').request([*HELLO, *history])
    assert (server.body['input'][1:], found.warnings) == ([item, sent], [])


@pytest.mark.parametrize('item', [item for item, _, _ in WAITING], ids=lambda item: item['type'])
async def test_a_native_call_without_its_result_is_dropped_and_listed(item: Json) -> None:
    messages = [*HELLO, read(make_body(item, message('Hi'))), *HELLO]
    assert [found['role'] for found in await get_sent_items(messages)] == ['user', 'assistant', 'user']
    assert [DROPPED in warning for warning in await warnings(messages=messages)] == [True]


async def test_signatures_and_details_are_sent_to_their_vendor_only() -> None:
    response = read(make_body(SEALED, {**message('Hi'), 'phase': 'commentary'}, SEARCH, call(namespace='n')))
    messages = [*HELLO, response, ModelRequest([ToolReturnPart('weather', 'rain', 'call_1')])]
    sent = json.dumps(await get_sent_items(messages, service='openrouter', name='openai/gpt-5'))
    assert [word for word in ('sealed', 'rs_1', 'msg_1', 'ws_1', 'commentary', 'namespace') if word in sent] == []


async def test_thinking_of_other_vendors_is_text_between_tags() -> None:
    parts = [ThinkingPart('Hm.', id='rs_1', signature='s', provider_name='anthropic'), TextPart('Hi')]
    messages = [*HELLO, ModelResponse(parts), *HELLO]
    assert (await get_sent_items(messages))[1] == {'role': 'assistant', 'content': '<think>\nHm.\n</think>'}
    assert await warnings(messages=messages) == ["thinking of 'anthropic' was sent as text between tags"]
