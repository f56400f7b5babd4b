"""The responses of the Messages room, whole and streamed, and how they are sent back."""

from __future__ import annotations

from typing import Any

import pytest

from pydantic_llm.exceptions import ModelAPIError, ModelHTTPError, OverloadedError, UnexpectedModelBehavior
from pydantic_llm.messages import (
    CompactionPart,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.usage import RequestUsage
from tests.models.anthropic_messages import (
    CALLED,
    CITATION,
    CONTENT,
    SONNET,
    STOP,
    TIME,
    UNKNOWN_BLOCKS,
    WEATHER,
    Json,
    Sent,
    ask,
    block_delta,
    block_start,
    block_stop,
    decode_stream,
    decode_whole,
    field_names,
    say,
    stream_blocks,
    text,
    tool_call,
    with_parsed_args,
)
from tests.models.cited import cite
from tests.providers.server import Server

pytestmark = pytest.mark.filterwarnings('ignore:TypedDict class:UserWarning')


@pytest.mark.parametrize('content', [CONTENT, UNKNOWN_BLOCKS], ids=['known', 'unknown'])
def test_whole_and_streamed_answers_are_read_alike(content: list[Json]) -> None:
    whole, stream = decode_whole(content), decode_stream(*stream_blocks(content))

    def comparable_parts(response: ModelResponse) -> list[Json]:
        known = [
            {name: getattr(part, name) for name in field_names(part) if name != 'timestamp'}
            for part in with_parsed_args(response)
        ]
        return [
            {**part, 'tool_call_id': None} if str(part.get('tool_call_id')).startswith('call_') else part
            for part in known
        ]

    assert comparable_parts(whole) == comparable_parts(stream)
    assert len(whole.parts) == len(content)
    assert (stream.state, stream.finish_reason) == ('complete', 'stop')


def test_the_parts_of_a_response() -> None:
    own: Json = {'provider_name': 'anthropic'}
    called_by_code = {'anthropic_caller': CALLED}
    expected = [
        ThinkingPart('hm hm', signature='sig', **own),
        ThinkingPart('', id='redacted_thinking', signature='data', **own),
        TextPart('so it is'),
        cite(
            TextPart('cited words', provider_details={'citations': [CITATION, {**CITATION, 'cited_text': 'd'}]}, **own)
        ),
        ToolCallPart('weather', {'city': 'Rome'}, 'toolu_1'),
        ToolCallPart('weather', {}, 'toolu_2', provider_details=called_by_code, **own),
        NativeToolCallPart('web_search', {'query': 'q'}, 'a', provider_details=called_by_code, **own),
        NativeToolCallPart(
            'code_execution',
            {'command': 'ls'},
            'b',
            provider_details={'anthropic_tool_name': 'bash_code_execution'},
            **own,
        ),
        NativeToolCallPart(
            'tool_search',
            {'pattern': 'w.*', 'limit': 5},
            'c',
            provider_details={'anthropic_tool_name': 'tool_search_tool_regex'},
            **own,
        ),
        NativeToolCallPart(
            'mcp_server:wiki', {'action': 'call_tool', 'tool_name': 'ask "it"', 'tool_args': {'q': ['x']}}, 'd', **own
        ),
        NativeToolCallPart(
            'mcp_server:wiki', {'action': 'call_tool', 'tool_name': 'list', 'tool_args': {}}, 'e', **own
        ),
    ]
    parts = decode_whole(CONTENT).parts
    assert [part for part in parts if not isinstance(part, NativeToolReturnPart)][1:-1] == expected
    returned = [
        (part.tool_name, part.tool_call_id, part.content) for part in parts if isinstance(part, NativeToolReturnPart)
    ]
    assert [(name, id) for name, id, _ in returned] == [
        ('web_search', 'a'),
        ('code_execution', 'b'),
        ('tool_search', 'c'),
        ('mcp_server:wiki', 'd'),
        ('mcp_server:wiki', 'e'),
    ]
    assert returned[-1][2] == {'content': 'no', 'is_error': True}


@pytest.mark.parametrize(
    'make', [decode_whole, lambda content: decode_stream(*stream_blocks(content))], ids=['whole', 'streamed']
)
def test_every_block_is_sent_back_unchanged(make: Any) -> None:
    response = make(CONTENT)
    later = ask(ToolReturnPart('weather', 'x', 'toolu_1'), ToolReturnPart('weather', 'x', 'toolu_2'))
    sent = Sent([ask('hi'), response, later], function_tools=[WEATHER])
    assert sent.body['messages'][0]['content'] == CONTENT
    assert sent.warnings == []


@pytest.mark.parametrize(
    'make', [decode_whole, lambda content: decode_stream(*stream_blocks(content))], ids=['whole', 'streamed']
)
def test_blocks_of_unknown_types_are_sent_back_unchanged(make: Any) -> None:
    model = AnthropicModel(SONNET, api_key='k')
    body = model.encode(model.prepare([ask('hi'), make(UNKNOWN_BLOCKS), ask('go on')]))
    assert body['messages'][1]['content'] == UNKNOWN_BLOCKS


def test_fields_that_the_api_rejects_in_requests_are_not_sent_back() -> None:
    code_call = {'type': 'server_tool_use', 'id': 'a', 'name': 'code_execution', 'input': {'code': '1'}}
    given: Json = {'type': 'code_execution_result', 'stdout': '', 'stderr': '', 'return_code': 0, 'content': []}
    response = decode_whole(
        [
            text('x', citations=[{**CITATION, 'file_id': None}]),
            code_call,
            {'type': 'code_execution_tool_result', 'tool_use_id': 'a', 'content': {**given, 'abort_reason': None}},
        ]
    )
    assert Sent([ask('hi'), response, ask('go on')]).body['messages'][1]['content'] == [
        text('x', citations=[CITATION]),
        code_call,
        {'type': 'code_execution_tool_result', 'tool_use_id': 'a', 'content': given},
    ]


def test_tools_that_a_search_found_are_sent_back_only_if_they_are_defined() -> None:
    found = Sent([ask('hi'), decode_whole(CONTENT[11:13]), ask('go on')], function_tools=[TIME]).turns[1][2]
    assert found['content']['tool_references'] == []


def test_a_history_in_the_form_that_vendors_share_is_encoded() -> None:
    details: Json = {'provider_name': 'anthropic', 'provider_details': {'strategy': 'bm25'}}
    parts = [
        NativeToolCallPart('tool_search', {'queries': ['rain', 'sun']}, 'c', **details),
        NativeToolReturnPart(
            'tool_search', {'discovered_tools': [{'name': 'weather'}, {'name': 'gone'}]}, 'c', **details
        ),
        NativeToolCallPart(
            'code_execution',
            {'command': 'ls'},
            'b',
            provider_name='anthropic',
            provider_details={'anthropic_tool_name': 'bash_code_execution'},
        ),
        NativeToolReturnPart(
            'code_execution',
            {'type': 'bash_code_execution_tool_result_error', 'error_code': 'unavailable'},
            'b',
            provider_name='anthropic',
        ),
    ]
    blocks = Sent([ask('hi'), say(*parts), ask('go on')], function_tools=[WEATHER]).turns[1][1:]
    assert blocks[0] == {
        'type': 'server_tool_use',
        'id': 'c',
        'name': 'tool_search_tool_bm25',
        'input': {'query': 'rain sun'},
    }
    assert [item['tool_name'] for item in blocks[1]['content']['tool_references']] == ['weather']
    assert blocks[3]['type'] == 'bash_code_execution_tool_result'


def test_the_advisor_is_sent_back_only_if_the_request_defines_it() -> None:
    advice = [
        {'type': 'server_tool_use', 'id': 'a', 'name': 'advisor', 'input': {}},
        {
            'type': 'advisor_tool_result',
            'tool_use_id': 'a',
            'content': {'type': 'advisor_result', 'text': 't', 'stop_reason': None},
        },
        text('so'),
    ]
    history = [ask('hi'), decode_whole(advice), ask('go on')]
    assert Sent(history).turns[1] == ('assistant', 'so')
    defined = {'extra_body': {'tools': [{'type': 'advisor_20260301', 'name': 'advisor', 'model': 'm'}]}}
    assert Sent(history, defined).body['messages'][1]['content'] == advice


def test_unknown_events_and_fields_are_skipped() -> None:
    response = decode_stream(
        {'type': 'message_start', 'message': {'id': 'm', 'model': 'x', 'usage': {}, 'mood': 'good'}},
        {'type': 'ping'},
        {'type': 'weather_report', 'rain': True},
        block_start(0, {'type': 'text', 'text': 'a', 'font': 'serif'}),
        block_delta(0, type='colour_delta', colour='red'),
        block_delta(0, type='text_delta', text='b'),
        block_stop(0),
        {'type': 'message_delta', 'delta': {'stop_reason': 'bored'}},
        STOP,
    )
    assert (response.parts, response.finish_reason, response.state) == ([TextPart('ab')], None, 'complete')
    assert response.provider_details == {'finish_reason': 'bored'}


def test_content_in_the_start_of_a_block_is_kept() -> None:
    response = decode_stream(
        block_start(0, {'type': 'server_tool_use', 'id': 'a', 'name': 'web_fetch', 'input': {'url': 'u'}}),
        block_stop(0),
        block_start(1, tool_call('b', city='Rome')),
        block_delta(1, type='input_json_delta', partial_json='{"city": '),
        block_delta(1, type='input_json_delta', partial_json='"Oslo"}'),
        block_stop(1),
        block_start(2, {'type': 'mcp_tool_use', 'id': 'c', 'name': 'n', 'server_name': 's', 'input': {'q': 1}}),
        block_delta(2, type='input_json_delta', partial_json='{"q": 2}'),
        block_stop(2),
        block_start(3, {'type': 'thinking', 'thinking': 't', 'signature': 's'}),
        block_stop(3),
    )
    args = [part.args_as_dict() for part in response.parts if isinstance(part, (ToolCallPart, NativeToolCallPart))]
    assert args == [{'url': 'u'}, {'city': 'Oslo'}, {'action': 'call_tool', 'tool_name': 'n', 'tool_args': {'q': 2}}]
    assert response.parts[-1] == ThinkingPart('t', signature='s', provider_name='anthropic')


def test_a_summary_is_sent_back_with_permission_for_another() -> None:
    summary = {'type': 'compaction', 'content': 'So far.'}
    sent = Sent([ask('hi'), decode_whole([summary, text('on')]), ask('go on')])
    assert sent.turns[0] == ('assistant', summary, 'on')
    assert sent.body['context_management'] == {'edits': [{'type': 'compact_20260112'}]}
    assert sent.betas == ['compact-2026-01-12']


def test_a_caller_is_kept_if_it_is_not_the_model_itself() -> None:
    response = decode_whole([{**tool_call('a', city='Rome'), 'caller': {'type': 'direct'}}])
    assert response.parts == [ToolCallPart('weather', {'city': 'Rome'}, 'a')]


def test_a_compaction_can_be_streamed() -> None:
    response = decode_stream(
        block_start(0, {'type': 'compaction', 'content': None}),
        block_delta(0, type='compaction_delta', content='sum', encrypted_content=None),
        block_delta(0, type='compaction_delta', content='mary', encrypted_content='e'),
        block_stop(0),
    )
    assert response.parts == [
        CompactionPart('summary', provider_name='anthropic', provider_details={'encrypted_content': 'e'})
    ]


def test_a_signed_summary_needs_another_beta_and_permits_no_other_summary() -> None:
    summary = {'type': 'compaction', 'content': 'So far.', 'signature': 's', 'tool_changes': []}
    sent = Sent([ask('hi'), decode_whole([summary]), ask('go on')])
    assert sent.turns == [('assistant', summary), ('user', 'go on')]
    assert 'context_management' not in sent.body
    assert sent.betas == ['compact-2026-09-04']


def test_other_edits_are_sent_with_the_one_that_a_summary_demands_or_excludes() -> None:
    clear, compact = {'type': 'clear_tool_uses_20250919'}, {'type': 'compact_20260112'}
    summary = {'type': 'compaction', 'content': 'So far.'}
    settings: Any = {'anthropic_context_management': {'edits': [clear]}}
    sent = Sent([decode_whole([summary]), ask('go on')], settings)
    assert sent.body['context_management'] == {'edits': [clear, compact]}
    signed = decode_whole([{**summary, 'signature': 's'}])
    settings = {'anthropic_context_management': {'edits': [clear, compact]}}
    sent = Sent([signed, ask('go on')], settings)
    assert sent.body['context_management'] == {'edits': [clear]}
    assert sent.warnings == [
        'the edit that makes summaries was not sent: the API does not accept it with a signed summary'
    ]
    sent = Sent([signed, ask('go on')], {'anthropic_context_management': {'edits': [compact]}})
    assert 'context_management' not in sent.body


def test_a_paused_turn_with_a_summary_is_sent_back_unchanged() -> None:
    summary = {'type': 'compaction', 'content': 'So far.'}
    sent = Sent([ask('hi'), decode_whole([summary], stop_reason='compaction')])
    assert sent.turns == [('user', 'hi'), ('assistant', summary)]


def test_system_prompts_before_a_summary_are_sent() -> None:
    first = ModelRequest([SystemPromptPart('Be brief.'), UserPromptPart('hi')])
    sent = Sent([first, decode_whole([{'type': 'compaction', 'content': 'So far.'}, text('on')]), ask('go on')])
    assert sent.body['system'] == 'Be brief.'


def test_a_failed_summary_stands_for_nothing() -> None:
    failed = decode_whole([{'type': 'compaction', 'content': None}, text('on')])
    sent = Sent([ask('hi'), failed, ask('go on')])
    assert sent.turns == [('user', 'hi'), ('assistant', 'on'), ('user', 'go on')]


def test_a_turn_that_began_with_a_summary_and_thinking_continues_to_think() -> None:
    thinking = {'type': 'thinking', 'thinking': 't', 'signature': 's'}
    summary = {'type': 'compaction', 'content': 'So far.'}
    response = decode_whole([summary, thinking, tool_call('a', city='Rome')])
    sent = Sent([response, ask(ToolReturnPart('weather', 'x', 'a'))], {'thinking': 'low'}, function_tools=[WEATHER])
    assert sent.body['thinking']['type'] == 'enabled'
    assert sent.warnings == []


def test_a_stream_without_its_end_is_incomplete() -> None:
    response = decode_stream(*list(stream_blocks([text('half')]))[:-2])
    assert (response.parts, response.state, response.finish_reason) == ([TextPart('half')], 'incomplete', None)


@pytest.mark.parametrize('blocks', [[], [text('')]])
def test_a_response_may_be_empty(blocks: list[Json]) -> None:
    assert decode_whole(blocks).parts == []
    assert decode_stream(*stream_blocks(blocks)).parts == []


@pytest.mark.parametrize(
    ('raw', 'ours'),
    [
        ('end_turn', 'stop'),
        ('stop_sequence', 'stop'),
        ('compaction', 'stop'),
        ('max_tokens', 'length'),
        ('model_context_window_exceeded', 'length'),
        ('tool_use', 'tool_call'),
        ('refusal', 'content_filter'),
        ('pause_turn', None),
        ('something_new', None),
    ],
)
def test_finish_reasons(raw: str, ours: str | None) -> None:
    response = decode_whole([], stop_reason=raw)
    assert (response.finish_reason, response.provider_details) == (ours, {'finish_reason': raw})
    assert response.state == ('suspended' if raw in ('pause_turn', 'compaction') else 'complete')


def test_facts_about_a_response_are_kept_in_its_details() -> None:
    refusal = {'type': 'refusal', 'category': 'cyber', 'explanation': 'No.'}
    container = {'id': 'container_1', 'expires_at': '2026-01-01T00:00:00Z'}
    facts: Json = {'stop_reason': 'refusal', 'stop_sequence': 'END', 'stop_details': refusal, 'container': container}
    details = {
        'finish_reason': 'refusal',
        'stop_sequence': 'END',
        'stop_details': refusal,
        'refusal': 'No.',
        'container': container,
        'container_id': 'container_1',
    }
    assert decode_whole([], **facts, usage={'service_tier': 'batch'}).provider_details == {
        **details,
        'service_tier': 'batch',
    }
    assert decode_stream({'type': 'message_delta', 'delta': facts, 'usage': {'speed': 'fast'}}).provider_details == {
        **details,
        'speed': 'fast',
    }


def test_cached_tokens_are_part_of_the_input() -> None:
    usage = {
        'input_tokens': 1,
        'cache_read_input_tokens': 20,
        'cache_creation_input_tokens': 300,
        'output_tokens': 4,
        'cache_creation': {'ephemeral_5m_input_tokens': 100, 'ephemeral_1h_input_tokens': 200},
        'output_tokens_details': {'thinking_tokens': 3},
        'server_tool_use': {'web_search_requests': 2, 'web_fetch_requests': 0},
    }
    assert decode_whole([], usage=usage).usage == RequestUsage(
        input_tokens=321,
        cache_read_tokens=20,
        cache_write_tokens=300,
        output_tokens=4,
        output_reasoning_tokens=3,
        details={'thinking_tokens': 3, 'ephemeral_1h_input_tokens': 200, 'web_search_requests': 2},
    )


def test_a_later_count_of_a_stream_replaces_an_earlier_one() -> None:
    first = {
        'input_tokens': 100,
        'cache_read_input_tokens': 50,
        'output_tokens': 1,
        'cache_creation': {'ephemeral_1h_input_tokens': 7},
    }
    last = {'input_tokens': 80, 'cache_read_input_tokens': None, 'output_tokens': 9}
    start: Json = {'type': 'message_start', 'message': {'id': 'm', 'model': 'x', 'usage': first}}
    assert decode_stream(start).usage.output_tokens == 1
    end: Json = {'type': 'message_delta', 'delta': {}, 'usage': last}
    assert decode_stream(start, end).usage == RequestUsage(
        input_tokens=130, cache_read_tokens=50, output_tokens=9, details={'ephemeral_1h_input_tokens': 7}
    )


def test_tokens_of_a_compaction_count_and_those_of_an_advisor_do_not() -> None:
    reports = [
        {'type': 'message', 'input_tokens': 1, 'output_tokens': 2},
        {'type': 'compaction', 'input_tokens': 10, 'output_tokens': 20, 'cache_read_input_tokens': 5},
        {'type': 'advisor_message', 'input_tokens': 100, 'output_tokens': 200},
    ]
    usage = decode_whole([], usage={'input_tokens': 1, 'output_tokens': 2, 'iterations': reports}).usage
    assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens) == (16, 5, 22)
    assert usage.details == {
        'compaction_iterations': 1,
        'compaction_input_tokens': 10,
        'compaction_output_tokens': 20,
        'advisor_iterations': 1,
        'advisor_input_tokens': 100,
        'advisor_output_tokens': 200,
    }


@pytest.mark.parametrize(
    ('kind', 'status'),
    [
        ('invalid_request_error', 400),
        ('billing_error', 402),
        ('request_too_large', 413),
        ('rate_limit_error', 429),
        ('api_error', 500),
        ('timeout_error', 504),
        ('overloaded_error', 529),
    ],
)
def test_an_error_inside_a_stream_has_the_status_of_its_type(kind: str, status: int) -> None:
    error: Json = {'type': 'error', 'error': {'type': kind, 'message': 'm'}, 'request_id': 'req_1'}
    with pytest.raises(ModelHTTPError) as streamed_error:
        decode_stream(error)
    with pytest.raises(ModelHTTPError) as whole_error:
        decode_whole([], **error)
    for raised in (streamed_error, whole_error):
        assert (raised.value.status_code, raised.value.request_id) == (status, 'req_1')
        assert isinstance(raised.value, OverloadedError) == (status == 529)


def test_an_error_of_an_unknown_type_has_no_status() -> None:
    with pytest.raises(ModelAPIError, match='mystery') as raised:
        decode_stream({'type': 'error', 'error': {'type': 'new_error', 'message': 'mystery'}})
    assert not isinstance(raised.value, ModelHTTPError)


@pytest.mark.parametrize(
    'body', [{}, [], {'content': None}, {'content': [1]}, {'choices': []}, {'content': [{'text': 'x'}]}], ids=repr
)
def test_a_body_that_is_not_a_message_is_unexpected(body: Any) -> None:
    model = AnthropicModel(SONNET, api_key='k')
    with pytest.raises(UnexpectedModelBehavior, match='did not answer with a message'):
        model.new_reader().decode(body)


async def test_a_conversation_is_summarised_on_demand() -> None:
    summary = {'type': 'compaction', 'content': 'They met.', 'signature': 's'}
    body = {'type': 'message', 'role': 'assistant', 'content': [summary], 'stop_reason': 'compaction'}
    server = Server({**body, 'model': SONNET, 'usage': {'input_tokens': 9, 'output_tokens': 2}})
    model = AnthropicModel(SONNET, provider=AnthropicProvider(api_key='k', http_client=server.client()))
    settings: Any = {'stop_sequences': ['x'], 'tool_choice': 'required', 'anthropic_effort': 'low'}
    output = OutputObjectDefinition(WEATHER.parameters_json_schema)
    parameters = ModelRequestParameters([WEATHER], output_mode='native', output_object=output)
    response = await model.compact_messages([ask('hi')], settings, parameters, instructions='Names.')
    assert server.body['compaction'] == {'type': 'summarize', 'instructions': 'Names.'}
    assert not server.body.keys() & {'stop_sequences', 'context_management', 'tool_choice'}
    assert server.body['output_config'] == {'effort': 'low'}
    assert server.request.headers['anthropic-beta'] == 'compact-2026-09-04'
    assert response.parts == [
        CompactionPart('They met.', provider_name='anthropic', provider_details={'signature': 's'})
    ]


async def test_a_response_without_the_summary_that_was_asked_for_is_an_error() -> None:
    server = Server({'type': 'message', 'content': [text('Hi')], 'stop_reason': 'end_turn'})
    model = AnthropicModel(SONNET, provider=AnthropicProvider(api_key='k', http_client=server.client()))
    with pytest.raises(UnexpectedModelBehavior, match='has no summary'):
        await model.compact_messages([ask('hi')])
