"""The Responses API from the server's side: our decoder and the SDK decode what the server sends."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from openai._models import construct_type_unchecked
from openai._types import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent
from pydantic_core import from_json, to_json

from pydantic_llm.exceptions import LLMError, ModelHTTPError
from pydantic_llm.messages import (
    BinaryContent,
    FilePart,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ToolCallPart,
    ToolCallPartDelta,
)
from pydantic_llm.models import ResponseDraft
from pydantic_llm.models.openai import OpenAIResponsesModel
from pydantic_llm.models.openai.responses.decode import ResponsesDecoder
from pydantic_llm.models.openai.responses.serve import (
    StreamEncoder,
    encode_response,
)
from pydantic_llm.testing.changes import assert_valid, damage
from pydantic_llm.wire.serving import ServedRequest
from pydantic_llm.wire.text_arguments import TextArguments
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
    PROFILE,
    SEARCH,
    SHELL,
    SHELL_OUTPUT,
    TOOL_SEARCH,
    TOOLS,
    call,
    check_events,
    check_response,
    make_body,
    make_events,
    message,
    read,
    reasoning,
)
from tests.providers.server import Json
from tests.wire.recordings import Case, parameters
from tests.wire.vendors.openai_responses import VENDORS


def make_request(**more: Any) -> ServedRequest:
    return ServedRequest('served', [], **more)


def json(value: Any) -> Any:
    """Return a value as it is after the wire."""
    return from_json(to_json(value))


def encode_whole_parts(response: ModelResponse, request: ServedRequest | None = None) -> list[Json]:
    """Encode a stream whose parts arrive in one piece."""
    encoder = TextArguments(StreamEncoder(request or make_request(begun=replace(response, parts=[]))))
    found = list(encoder.begin())
    for index, part in enumerate(response.parts):
        for part_event in (PartStartEvent(index, part), PartEndEvent(index, part)):
            found += encoder.event(part_event)
    return check_on_the_wire([*found, *encoder.end(response)])


def forward_events(found: list[Json]) -> list[Json]:
    """Encode events of OpenAI again while they are decoded, as a gateway does."""
    draft, request = ResponseDraft('asked', 'openai'), make_request()
    decoder = ResponsesDecoder(draft, PROFILE)
    encoder = StreamEncoder(request)
    written: list[Json] = []
    for event in found:
        decoder.decode_event(event)
        if event is found[-1]:
            draft.parts.end(complete=draft.state == 'complete')
        for part_event in draft.parts.take_events():
            if request.begun is None:
                request.begun = draft.get()
                written += encoder.begin()
            written += encoder.event(part_event)
    request.begun = request.begun or draft.get()
    return check_on_the_wire([*(written or encoder.begin()), *encoder.end(draft.get())])


def check_on_the_wire(found: list[Json]) -> list[Json]:
    """Return the events as they are after the wire; check them with the SDK's types and the SDK's own stream."""
    found = json(found)
    check_events(found)
    state = ResponseStreamState(input_tools=omit, text_format=omit)
    for event in found:
        state.handle_event(construct_type_unchecked(type_=ResponseStreamEvent, value=event))  # type: ignore[arg-type]
    return found


def get_facts(response: ModelResponse) -> tuple[Any, ...]:
    parts = [
        {item.name: getattr(part, item.name) for item in fields(part) if item.name != 'timestamp'}
        for part in response.parts
    ]
    details = {
        name: value for name, value in (response.provider_details or {}).items() if name in ('refusal', 'service_tier')
    }
    return (parts, response.usage, response.finish_reason, response.state, response.provider_response_id, details)


# ------------------------------------------------------------------------------------------ whole responses and streams

NOTE = {'type': 'url_citation', 'url': 'https://example.com', 'title': 'E', 'start_index': 0, 'end_index': 2}
LOGPROBS = [{'token': 'Hi', 'logprob': -0.1, 'bytes': [72, 105], 'top_logprobs': []}]
RAW_THINKING = [{'type': 'reasoning_text', 'text': 'At length.'}]
TWO_TEXTS = {
    **message(''),
    'content': [{'type': 'output_text', 'text': text, 'annotations': []} for text in ('A', 'B')],
}

ITEMS: list[Json] = [
    reasoning('Hm. Well.', 'So.', encrypted_content='sealed'),
    reasoning(id='rs_2', encrypted_content='sealed'),
    reasoning(id='rs_3', content=RAW_THINKING),
    {**message('Hello there.', 'msg_0'), 'phase': 'commentary'},
    SEARCH,
    FILES,
    CODE,
    DRAWING,
    TOOLS,
    ASKED,
    APPROVAL,
    TOOL_SEARCH,
    FOUND_TOOLS,
    SHELL,
    SHELL_OUTPUT,
    COMPACTION,
    TWO_TEXTS,
    message('Hi', 'msg_2', annotations=[NOTE], logprobs=LOGPROBS),
    call(id='a'),
    call(id='b', arguments='{}', namespace='n'),
]
"""An item of each type, and more of the types that several parts become."""

USAGE = {
    'input_tokens': 10,
    'input_tokens_details': {'cached_tokens': 3, 'cache_write_tokens': 2},
    'output_tokens': 5,
    'output_tokens_details': {'reasoning_tokens': 4},
    'total_tokens': 15,
}
ANSWERS = {
    'everything': make_body(*ITEMS, usage=USAGE, service_tier='flex'),
    'nothing': make_body(),
    'refusal': make_body({**message(''), 'content': [{'type': 'refusal', 'refusal': 'I cannot.'}]}),
    'cut short': make_body(message('Hel'), status='incomplete', incomplete_details={'reason': 'max_output_tokens'}),
    'filtered': make_body(status='incomplete', incomplete_details={'reason': 'content_filter'}),
}
each = pytest.mark.parametrize('name', ANSWERS)


@each
def test_a_served_response_is_decoded_as_it_was(name: str) -> None:
    expected = read(ANSWERS[name])
    body = json(encode_response(expected, make_request()))
    check_response(body)
    assert get_facts(read(body)) == get_facts(expected)
    assert get_facts(read(*encode_whole_parts(expected))) == get_facts(expected)


@each
def test_a_forwarded_stream_is_decoded_as_it_was(name: str) -> None:
    found = make_events(ANSWERS[name])
    written = forward_events(found)
    assert get_facts(read(*written)) == get_facts(read(*found))
    whole = json(encode_response(read(*found), make_request()))
    assert [item['type'] for item in whole['output']] == [item['type'] for item in written[-1]['response']['output']]


def test_native_items_are_served_unchanged() -> None:
    served = {item['id']: item for item in json(encode_response(read(ANSWERS['everything']), make_request()))['output']}
    assert [served[item['id']] for item in ITEMS[4:16]] == ITEMS[4:16]


@pytest.mark.parametrize('name', ['everything', 'refusal'])
def test_a_stream_sends_everything_three_times(name: str) -> None:
    found = forward_events(make_events(ANSWERS[name]))
    items = found[-1]['response']['output']
    for kind in ('added', 'done'):
        seen = [event for event in found if event['type'] == f'response.output_item.{kind}']
        assert [event['output_index'] for event in seen] == list(range(len(items)))
        assert [event['item']['id'] for event in seen] == [item['id'] for item in items]
    assert [event['item'] for event in found if event['type'] == 'response.output_item.done'] == items
    assert found[0]['type'] == 'response.created'
    assert {event['response']['id'] for event in found if 'response' in event} == {'resp_1'}
    assert 'response' not in ''.join(event.get('item_id', '') for event in found)


def kinds(*parts: Any) -> list[str]:
    found = encode_whole_parts(ModelResponse(list(parts), provider_name='openai', finish_reason='stop'))
    return [event['type'].removeprefix('response.') for event in found[2:-1]]


def test_the_events_of_a_text_have_this_order() -> None:
    part = TextPart('Hi', id='msg_1', provider_details={'annotations': [NOTE]})
    assert kinds(part) == [
        'output_item.added',
        'content_part.added',
        'output_text.delta',
        'output_text.annotation.added',
        'output_text.done',
        'content_part.done',
        'output_item.done',
    ]


def test_the_events_of_thinking_have_this_order() -> None:
    assert kinds(ThinkingPart('Hm.', id='rs_1'), ThinkingPart('So.', id='rs_1', signature='s')) == [
        'output_item.added',
        'reasoning_summary_part.added',
        'reasoning_summary_text.delta',
        'reasoning_summary_text.done',
        'reasoning_summary_part.done',
        'reasoning_summary_part.added',
        'reasoning_summary_text.delta',
        'reasoning_summary_text.done',
        'reasoning_summary_part.done',
        'output_item.done',
    ]
    assert kinds(ThinkingPart('Hm.', provider_details={'raw': True})) == [
        'output_item.added',
        'content_part.added',
        'reasoning_text.delta',
        'reasoning_text.done',
        'content_part.done',
        'output_item.done',
    ]
    assert kinds(ThinkingPart('', id='rs_1', signature='s')) == ['output_item.added', 'output_item.done']


@pytest.mark.parametrize('args', ['{"a": 1}', {'a': 1}, '', None])
def test_the_events_of_a_tool_call_have_this_order(args: Any) -> None:
    assert kinds(ToolCallPart('f', args, 'c')) == [
        'output_item.added',
        'function_call_arguments.delta',
        'function_call_arguments.done',
        'output_item.done',
    ]


@pytest.mark.parametrize(
    ('item', 'steps'),
    [
        (SEARCH, ['web_search_call.in_progress', 'web_search_call.searching', 'web_search_call.completed']),
        (
            CODE,
            [
                'code_interpreter_call.in_progress',
                'code_interpreter_call_code.delta',
                'code_interpreter_call_code.done',
                'code_interpreter_call.interpreting',
                'code_interpreter_call.completed',
            ],
        ),
        (
            ASKED,
            ['mcp_call.in_progress', 'mcp_call_arguments.delta', 'mcp_call_arguments.done', 'mcp_call.completed'],
        ),
        (
            {**ASKED, 'error': {'type': 'mcp_protocol_error', 'code': 1, 'message': 'no'}},
            ['mcp_call.in_progress', 'mcp_call_arguments.delta', 'mcp_call_arguments.done', 'mcp_call.failed'],
        ),
        (APPROVAL, []),
        (SHELL, []),
    ],
    ids=lambda given: given['type'] if isinstance(given, dict) else None,
)
def test_the_events_of_a_native_item_have_this_order(item: Json, steps: list[str]) -> None:
    assert kinds(*read(make_body(item)).parts) == ['output_item.added', *steps, 'output_item.done']


def test_partial_images_are_served() -> None:
    sketch = {
        'type': 'response.image_generation_call.partial_image',
        'item_id': 'ig_1',
        'output_index': 0,
        'partial_image_index': 0,
        'partial_image_b64': 'AAAA',
        'output_format': 'png',
    }
    found = make_events(make_body(DRAWING))
    written = forward_events([*found[:2], sketch, *found[2:]])
    [partial] = [event for event in written if event['type'] == sketch['type']]
    assert {name: partial[name] for name in sketch} == sketch
    assert read(*written).images == [IMAGE]


def test_tool_calls_that_grow_in_parallel_are_separate_items() -> None:
    encoder = StreamEncoder(make_request())
    calls = [ToolCallPart('f', '', 'a'), ToolCallPart('g', '', 'b')]
    found = list(encoder.begin())
    for index, part in enumerate(calls):
        found += encoder.event(PartStartEvent(index, part))
    for piece in ('{"x"', ': 1}'):
        for index in (0, 1):
            found += encoder.event(PartDeltaEvent(index, ToolCallPartDelta(piece)))
    whole = [replace(part, args='{"x": 1}') for part in calls]
    for index in (1, 0):
        found += encoder.event(PartEndEvent(index, whole[index]))
    response = ModelResponse(whole, finish_reason='tool_call')
    written = check_on_the_wire([*found, *encoder.end(response)])
    assert [part.args for part in read(*written).tool_calls] == ['{"x": 1}', '{"x": 1}']
    done = [event for event in written if event['type'] == 'response.output_item.done']
    assert [event['output_index'] for event in done] == [1, 0]


def test_a_part_that_ends_after_the_next_started_is_served_once() -> None:
    encoder = StreamEncoder(make_request())
    text, thinking = TextPart('Hi', id='m', provider_name='openai'), ThinkingPart('Hm.', id='r', provider_name='openai')
    found = [*encoder.begin(), *encoder.event(PartStartEvent(0, thinking)), *encoder.event(PartStartEvent(1, text))]
    found += encoder.event(PartDeltaEvent(1, TextPartDelta(' you')))
    text = replace(text, content='Hi you')
    found += [*encoder.event(PartEndEvent(1, text)), *encoder.event(PartEndEvent(0, thinking))]
    response = ModelResponse([thinking, text], finish_reason='stop')
    assert read(*check_on_the_wire([*found, *encoder.end(response)])).parts == [thinking, text]


def test_made_up_ids_are_the_same_for_one_response() -> None:
    response = ModelResponse(
        [ThinkingPart('Hm.'), TextPart('Hi'), ToolCallPart('f', '{}', 'c')], finish_reason='tool_call'
    )
    first, second = make_request(), make_request()
    ids = [[item['id'] for item in encode_response(response, request)['output']] for request in (first, second, first)]
    assert ids[0] == ids[2]
    assert not {*ids[0]} & {*ids[1]}
    assert [id.partition('_')[0] for id in ids[0]] == ['rs', 'msg', 'fc']


def test_a_stream_keeps_its_first_id() -> None:
    response = ModelResponse([TextPart('Hi')], provider_response_id='late', finish_reason='stop')
    found = encode_whole_parts(response, make_request())
    assert len({event['response']['id'] for event in found if 'response' in event}) == 1


def test_parts_that_the_api_does_not_have_are_dropped() -> None:
    origin: Any = {'provider_name': 'anthropic'}
    response = ModelResponse(
        [
            NativeToolCallPart('web_search', {'query': 'x'}, 'a', **origin),
            NativeToolReturnPart('web_search', [], 'a', **origin),
            FilePart(BinaryContent(b'x', media_type='image/png'), **origin),
            TextPart('Hi', **origin),
        ],
        finish_reason='stop',
    )
    assert [item['type'] for item in encode_response(response, make_request())['output']] == ['message']
    found = encode_whole_parts(response)
    assert [event['output_index'] for event in found if event['type'] == 'response.output_item.done'] == [0]


def test_a_truncated_response_is_served_truncated() -> None:
    response = ModelResponse([TextPart('half')], state='incomplete')
    assert encode_whole_parts(response)[-1]['type'] == 'response.output_item.done'
    assert encode_response(response, make_request())['status'] == 'incomplete'
    waiting = ModelResponse([], state='incomplete', provider_details={'finish_reason': 'queued'})
    assert encode_response(waiting, make_request())['status'] == 'queued'


def is_ours(case: Case) -> bool:
    return case.vendor in VENDORS


def test_a_failed_response_is_served_as_failed() -> None:
    response = ModelResponse([TextPart('Hel')], finish_reason='error')
    check_response(json(encode_response(response, make_request())))
    for found in ([json(encode_response(response, make_request()))], encode_whole_parts(response)):
        with pytest.raises(ModelHTTPError, match='The model failed'):
            read(*found)


MODEL = OpenAIResponsesModel('gpt-5', api_key='k')


@settings(max_examples=100)
@given(data=st.data())
def test_damaged_items_raise_our_errors_or_can_be_served_and_sent(data: st.DataObject) -> None:
    items = data.draw(st.lists(st.sampled_from(ITEMS), min_size=1, max_size=3, unique_by=lambda item: item['id']))
    found = make_events(make_body(*items))
    number = data.draw(st.integers(0, len(found)))
    damaged = [damage(data, make_body(*items))]
    if number < len(found):
        damaged = [*found[:number], damage(data, found[number]), *found[number + 1 :]]
    model, reader = MODEL, MODEL.new_reader()
    draft = reader.draft
    try:
        for event in damaged:
            (reader.decode if len(damaged) == 1 else reader.decode_event)(event)
        draft.parts.end(complete=draft.state == 'complete')
    except LLMError:
        return
    response = draft.get()
    assert_valid(response)
    json(encode_response(response, make_request()))
    json(encode_events(response))
    with suppress(LLMError):
        model.encode(model.prepare([*HELLO, response, *HELLO]))


RECORDED = [param for param in parameters('decode') if param.values[0] is None or is_ours(param.values[0])]


@pytest.mark.parametrize('case', RECORDED)
async def test_a_recorded_response_is_served_as_it_was(case: Case) -> None:
    """Decode every recorded response of the API, and serve it again."""
    content = case.content()
    recorded = content['exchanges'][0]['response']
    if recorded['status'] != 200:
        return
    reader = MODEL.new_reader()
    draft = reader.draft
    try:
        if recorded['body_kind'] == 'json':
            reader.decode(json(recorded['body']))
        else:
            for line in recorded['body'].splitlines():
                if line.startswith('data: ') and line != 'data: [DONE]':
                    reader.decode_event(from_json(line.removeprefix('data: ')))
            draft.parts.end(complete=draft.state == 'complete')
    except (LLMError, ValueError):
        return
    expected = draft.get()
    if expected.state == 'complete':
        assert get_facts(read(*json(encode_events(expected)))) == get_facts(expected)


def encode_events(response: ModelResponse) -> list[Json]:
    encoder = StreamEncoder(make_request(begun=replace(response, parts=[])))
    found = list(encoder.begin())
    for index, part in enumerate(response.parts):
        found += [*encoder.event(PartStartEvent(index, part)), *encoder.event(PartEndEvent(index, part))]
    return [*found, *encoder.end(response)]
