"""Responses of other servers of the Messages API: what they leave out, repeat or call by another name."""

from __future__ import annotations

from typing import Any

import pytest

from pydantic_llm.exceptions import ModelAPIError
from pydantic_llm.messages import ModelRequest, ModelResponse, TextPart, ThinkingPart, ToolCallPart, ToolReturnPart
from pydantic_llm.models import ResponseDraft
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.anthropic.decode import AnthropicDecoder
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.usage import RequestUsage
from tests.models.anthropic_messages import Json, ask, decode_stream, decode_whole

MESSAGE: Json = {'id': 'm', 'type': 'message', 'role': 'assistant', 'model': 'c', 'content': []}
START: Json = {'type': 'message_start', 'message': {**MESSAGE, 'usage': {'input_tokens': 3, 'output_tokens': 1}}}
STOP: Json = {'type': 'message_stop'}


def begin(block: Json, index: int | None = 0) -> Json:
    return without_none({'type': 'content_block_start', 'index': index, 'content_block': block})


def extend(index: int | None = 0, **delta: Any) -> Json:
    kinds = {'text': 'text_delta', 'thinking': 'thinking_delta', 'signature': 'signature_delta'}
    kind = kinds.get(next(iter(delta)), 'input_json_delta')
    return without_none({'type': 'content_block_delta', 'index': index, 'delta': {'type': kind, **delta}})


def stop(index: int | None = 0) -> Json:
    return without_none({'type': 'content_block_stop', 'index': index})


def end(reason: str | None = 'end_turn', **usage: int) -> Json:
    return {'type': 'message_delta', 'delta': {'stop_reason': reason}, 'usage': usage}


def without_none(event: Json) -> Json:
    return {name: value for name, value in event.items() if value is not None}


def outline(response: ModelResponse) -> list[tuple[Any, ...]]:
    """Return the fields of the parts that a caller reads."""
    found: list[tuple[Any, ...]] = []
    for part in response.parts:
        match part:
            case TextPart(content=text):
                found.append(('text', text))
            case ThinkingPart(content=text, signature=signature):
                found.append(('thinking', text, signature))
            case ToolCallPart():
                found.append(('call', part.tool_name, part.args_as_dict(), part.tool_call_id))
            case _:
                found.append((part.part_kind,))
    return found


# ---------------------------------------------------------------------- fields that are missing


@pytest.mark.parametrize('empty', [{}, {'text': None, 'thinking': None, 'signature': None, 'input': None}], ids=repr)
def test_blocks_may_start_without_their_empty_field(empty: Json) -> None:
    """Servers written in Go omit empty fields: labring/aiproxy#604."""
    response = decode_stream(
        START,
        begin({'type': 'thinking', **empty}),
        extend(thinking='hm'),
        extend(signature='S'),
        stop(),
        begin({'type': 'text', **empty}, 1),
        extend(1, text='Hel'),
        extend(1, text='lo'),
        stop(1),
        begin({'type': 'tool_use', 'id': 't', 'name': 'f', **empty}, 2),
        extend(2, partial_json='{"x":'),
        extend(2, partial_json='1}'),
        stop(2),
        end('tool_use'),
        STOP,
    )
    assert outline(response) == [('thinking', 'hm', 'S'), ('text', 'Hello'), ('call', 'f', {'x': 1}, 't')]


def test_blocks_of_a_body_may_lack_their_empty_field() -> None:
    call: Json = {'type': 'tool_use', 'id': 't', 'name': 'f'}
    response = decode_whole([{'type': 'thinking'}, {'type': 'text'}, {'type': 'thinking', 'signature': 'S'}, call])
    assert outline(response) == [('thinking', '', 'S'), ('call', 'f', {}, 't')]


@pytest.mark.parametrize('block', [{}, {'id': None}, {'id': ''}], ids=repr)
def test_a_call_without_an_id_gets_one(block: Json) -> None:
    call = {'type': 'tool_use', 'name': 'f', 'input': {'x': 1}, **block}
    for response in (decode_whole([call, call]), decode_stream(START, begin(call), stop(), begin(call, 1), STOP)):
        first, second = (part for part in response.parts if isinstance(part, ToolCallPart))
        assert first.tool_call_id
        assert first.tool_call_id != second.tool_call_id


@pytest.mark.parametrize('content', ['Hello', [{'type': 'text', 'text': 'Hello'}]], ids=repr)
def test_the_content_of_a_body_may_be_a_text(content: Any) -> None:
    assert outline(decode_whole(content)) == [('text', 'Hello')]


def test_the_content_of_a_body_may_be_null() -> None:
    assert decode_whole(None, type='message').parts == []


# ---------------------------------------------------------------------- blocks that do not start, or do not stop


def test_blocks_without_a_start_are_started_by_their_deltas() -> None:
    response = decode_stream(START, extend(thinking='hm'), extend(signature='S'), extend(1, text='Hello'), end(), STOP)
    assert outline(response) == [('thinking', 'hm', 'S'), ('text', 'Hello')]
    assert isinstance(part := response.parts[0], ThinkingPart)
    assert part.provider_name == 'anthropic'


def test_blocks_without_a_stop_end_with_the_next_one() -> None:
    """invergent-ai/surogate#113"""
    call = {'type': 'tool_use', 'id': 't', 'name': 'f', 'input': {}}
    response = decode_stream(
        START,
        begin({'type': 'text', 'text': ''}),
        extend(text='Hello'),
        begin(call, 1),
        extend(1, partial_json='{}'),
        end('tool_use'),
        STOP,
    )
    assert outline(response) == [('text', 'Hello'), ('call', 'f', {}, 't')]


@pytest.mark.parametrize('index', [0, None])
@pytest.mark.parametrize('stops', [True, False])
def test_all_blocks_may_have_one_index(index: int | None, stops: bool) -> None:
    blocks: list[list[Json]] = [
        [begin({'type': 'thinking', 'thinking': ''}, index), extend(index, thinking='hm')],
        [begin({'type': 'text', 'text': ''}, index), extend(index, text='Hello')],
        *(
            [
                begin({'type': 'tool_use', 'id': id, 'name': 'f', 'input': {}}, index),
                extend(index, partial_json='{"x": 1}'),
            ]
            for id in 'ab'
        ),
    ]
    events = [event for block in blocks for event in [*block, *([stop(index)] if stops else [])]]
    calls = [('call', 'f', {'x': 1}, 'a'), ('call', 'f', {'x': 1}, 'b')]
    assert outline(decode_stream(START, *events, end(), STOP)) == [('thinking', 'hm', None), ('text', 'Hello'), *calls]


def test_a_delta_of_another_kind_starts_a_part() -> None:
    """looplj/axonhub#1677: a proxy goes from text to thinking inside one block."""
    deltas = [extend(text='\n'), extend(thinking='hm'), extend(thinking='!'), extend(text='Hello')]
    response = decode_stream(START, begin({'type': 'text', 'text': ''}), *deltas, stop(), end(), STOP)
    assert outline(response) == [('text', '\n'), ('thinking', 'hm!', None), ('text', 'Hello')]


def test_empty_thinking_between_pieces_of_text_does_not_split_the_text() -> None:
    """farion1231/cc-switch#7227"""
    events: list[Json] = []
    for number, piece in enumerate(['Hel', 'lo']):
        events += [begin({'type': 'text', 'text': ''}, 2 * number), extend(2 * number, text=piece), stop(2 * number)]
        empty = {'type': 'thinking', 'thinking': '', 'signature': ''}
        events += [begin(empty, 2 * number + 1), extend(2 * number + 1, thinking=''), stop(2 * number + 1)]
    assert decode_stream(START, *events, end(), STOP).text == 'Hello'


def test_arguments_with_another_index_belong_to_the_call_that_is_open() -> None:
    call = {'type': 'tool_use', 'id': 't', 'name': 'f', 'input': {}}
    response = decode_stream(START, begin(call, 1), extend(0, partial_json='{"x": 1}'), stop(1), end(), STOP)
    assert outline(response) == [('call', 'f', {'x': 1}, 't')]


# ---------------------------------------------------------------------- arguments


@pytest.mark.parametrize('value', ['{"x": 1}', {'x': 1}], ids=repr)
def test_arguments_may_be_text_and_may_come_at_the_start(value: Any) -> None:
    call = {'type': 'tool_use', 'id': 't', 'name': 'f', 'input': value}
    expected = [('call', 'f', {'x': 1}, 't')]
    assert outline(decode_whole([call])) == expected
    assert outline(decode_stream(START, begin(call), stop(), end(), STOP)) == expected
    repeated = decode_stream(START, begin(call), extend(partial_json='{"x": '), extend(partial_json='1}'), stop(), STOP)
    assert outline(repeated) == expected


# ---------------------------------------------------------------------- the end


def test_a_stop_reason_completes_a_response_without_message_stop() -> None:
    response = decode_stream(START, extend(text='Hello'), end(output_tokens=2))
    assert (response.state, response.finish_reason) == ('complete', 'stop')


def test_message_stop_completes_a_response_whose_stop_reason_is_null() -> None:
    response = decode_stream(START, extend(text='Hello'), end(None), STOP)
    assert (response.state, response.finish_reason) == ('complete', None)


def test_a_stream_with_neither_is_incomplete() -> None:
    assert decode_stream(START, extend(text='Hello'), end(None)).state == 'incomplete'


@pytest.mark.parametrize(
    ('raw', 'ours'),
    [('stop', 'stop'), ('length', 'length'), ('tool_calls', 'tool_call'), ('content_filter', 'content_filter')],
)
def test_finish_reasons_of_chat_completions_are_known(raw: str, ours: str) -> None:
    for response in (decode_whole([], stop_reason=raw), decode_stream(START, end(raw), STOP)):
        assert (response.finish_reason, response.provider_details) == (ours, {'finish_reason': raw})


# ---------------------------------------------------------------------- usage

EXPECTED = RequestUsage(input_tokens=30, cache_read_tokens=10, output_tokens=5)
INPUT = {'input_tokens': 20, 'cache_read_input_tokens': 10}
ZEROS = dict.fromkeys(['input_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens'], 0)


@pytest.mark.parametrize(
    ('first', 'last'),
    [
        (None, {**INPUT, 'output_tokens': 5}),
        ({}, {**INPUT, 'output_tokens': 5}),
        ({**ZEROS, 'output_tokens': 0}, {**INPUT, 'output_tokens': 5}),
        ({**INPUT, 'output_tokens': 1}, {'output_tokens': 5}),
        ({**INPUT, 'output_tokens': 1}, {**ZEROS, 'output_tokens': 5}),
        ({**INPUT, 'output_tokens': 1}, {'input_tokens': 0, 'output_tokens': 5}),
        ({**INPUT, 'output_tokens': 1}, {'input_tokens': None, 'output_tokens': 5}),
        ({**INPUT, 'output_tokens': 1}, {**INPUT, 'output_tokens': 5}),
        ({'input_tokens': 30, 'output_tokens': 1}, {**INPUT, 'output_tokens': 5}),
    ],
    ids=repr,
)
def test_the_input_is_counted_at_either_end_of_a_stream(first: Json | None, last: Json) -> None:
    """envoyproxy/ai-gateway#1631, sgl-project/sglang#20678 and #33419"""
    message = MESSAGE if first is None else {**MESSAGE, 'usage': first}
    start: Json = {'type': 'message_start', 'message': message}
    final: Json = {'type': 'message_delta', 'delta': {'stop_reason': 'end_turn'}, 'usage': last}
    assert decode_stream(start, extend(text='Hi'), final, STOP).usage == EXPECTED


def test_usage_may_come_with_message_stop() -> None:
    last = {'type': 'message_stop', 'usage': {**INPUT, 'output_tokens': 5}}
    assert decode_stream(START, extend(text='Hi'), end(), last).usage == EXPECTED


# ---------------------------------------------------------------------- errors and keep-alives


@pytest.mark.parametrize(
    'event',
    [
        {'type': 'error', 'error': {'type': 'overloaded_error', 'message': 'busy'}},
        {'error': {'type': 'overloaded_error', 'message': 'busy'}},
        {'error': {'message': 'busy', 'code': 529}},
        {'type': 'error', 'message': 'busy'},
        {'type': 'error', 'error': 'busy'},
        {'error': 'busy'},
    ],
    ids=repr,
)
def test_errors_of_every_shape_are_raised(event: Json) -> None:
    for decode in (AnthropicDecoder.decode, AnthropicDecoder.decode_event):
        with pytest.raises(ModelAPIError, match='busy'):
            decode(AnthropicDecoder(ResponseDraft('m', 'anthropic')), event)


@pytest.mark.parametrize('ping', [{'type': 'ping'}, {'type': 'ping', 'error': None}, {}, {'type': 'message_delta'}])
def test_pings_and_empty_events_are_skipped(ping: Json) -> None:
    response = decode_stream(ping, START, ping, extend(text='Hello'), ping, end(), STOP, ping)
    assert (response.text, response.state) == ('Hello', 'complete')


# ---------------------------------------------------------------------- thinking goes back to the server that sent it

DEEPSEEK, CLAUDE = 'https://api.deepseek.com/anthropic', 'https://api.anthropic.com'


def think_again(
    model_name: str, url: str, *, of: str = 'deepseek-v4', at: str | None = DEEPSEEK, signature: str | None = None
) -> list[str]:
    """Return the types of the blocks that a model gets of a response with thinking and a tool call."""
    model = AnthropicModel(model_name, provider=AnthropicProvider(api_key='k', base_url=url))
    parts = [
        ThinkingPart('hm', signature=signature, provider_name='anthropic'),
        ToolCallPart('f', {}, 't', provider_name='anthropic'),
    ]
    response = ModelResponse(parts, model_name=of, provider_name='anthropic', provider_url=at)
    history = [ask('?'), response, ModelRequest([ToolReturnPart('f', 'r', 't')])]
    request = model.prepare(history, {'unsupported_settings': 'warn'})
    blocks = model.encode(request)['messages'][1]['content']
    assert bool(request.warnings) == (blocks[0]['type'] == 'text')
    return [block['type'] for block in blocks]


THINKING, TEXT = ['thinking', 'tool_use'], ['text', 'tool_use']


@pytest.mark.parametrize('signature', [None, '', 'S'])
@pytest.mark.parametrize('at', [DEEPSEEK, None])
def test_thinking_goes_back_to_the_server_that_sent_it_signed_or_not(signature: str | None, at: str | None) -> None:
    """NousResearch/hermes-agent#17510, #22313"""
    assert think_again('deepseek-v4-pro', DEEPSEEK, at=at, signature=signature) == THINKING


@pytest.mark.parametrize('url', [CLAUDE, DEEPSEEK])
@pytest.mark.parametrize('signature', [None, '', 'S'])
def test_thinking_of_another_server_is_text(url: str, signature: str | None) -> None:
    """DeepSeek signs with the id of its response, which Anthropic rejects: NousResearch/hermes-agent#21048."""
    model, at = ('claude-sonnet-4-5', DEEPSEEK) if url == CLAUDE else ('deepseek-v4-pro', 'https://api.moonshot.cn')
    assert think_again(model, url, at=at, signature=signature) == TEXT


@pytest.mark.parametrize('model_name', ['claude-sonnet-4-5', 'some-alias'])
@pytest.mark.parametrize('signature', [None, ''])
def test_anthropic_gets_no_thinking_without_a_signature(model_name: str, signature: str | None) -> None:
    assert think_again(model_name, CLAUDE, of='claude-sonnet-4-5', at=CLAUDE, signature=signature) == TEXT


@pytest.mark.parametrize('at', ['https://bedrock-runtime.us-east-1.amazonaws.com', 'http://proxy', CLAUDE, None])
def test_claudes_signatures_are_valid_at_every_server_of_claude(at: str | None) -> None:
    assert think_again('claude-sonnet-4-5', CLAUDE, of='claude-opus-4-6', at=at, signature='S') == THINKING
