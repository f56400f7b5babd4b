"""Tests of Responses streams of other servers: ids that change, indexes that repeat, events that are missing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from pydantic_core import to_json

from pydantic_llm.messages import ModelResponse, TextPart, ThinkingPart, ToolCallPart
from pydantic_llm.models.openai import OpenAIResponsesModel
from pydantic_llm.testing.exchange import end_stream
from tests.replay import replay

Json = dict[str, Any]

MODEL = OpenAIResponsesModel('gpt-5-mini', api_key='k')

REASONING: Json = {
    'type': 'reasoning',
    'id': 'rs_1',
    'summary': [{'type': 'summary_text', 'text': 'thinking'}],
    'encrypted_content': 'ENC',
}
MESSAGE: Json = {
    'type': 'message',
    'id': 'msg_1',
    'role': 'assistant',
    'status': 'completed',
    'content': [{'type': 'output_text', 'text': 'Hello', 'annotations': []}],
}
CALL: Json = {'type': 'function_call', 'id': 'fc_1', 'call_id': 'call_1', 'name': 'f', 'arguments': '{"x":"1"}'}
OTHER_CALL: Json = {'type': 'function_call', 'id': 'fc_2', 'call_id': 'call_2', 'name': 'g', 'arguments': '{"y":"2"}'}
OTHER_MESSAGE: Json = {
    **MESSAGE,
    'id': 'msg_2',
    'content': [{'type': 'output_text', 'text': 'Goodbye', 'annotations': []}],
}
OUTPUT = [REASONING, MESSAGE, CALL, OTHER_CALL, OTHER_MESSAGE]


def split(text: str) -> list[str]:
    return [text[at : at + 3] for at in range(0, len(text), 3)]


def item_events(item: Json, index: int) -> Iterator[Json]:
    """Yield the events of one item, as OpenAI sends them."""
    place: Json = {'output_index': index, 'item_id': item['id']}
    empty: Json = {**item, **{name: list[Json]() for name in ('summary', 'content') if name in item}}
    if 'arguments' in item:
        empty['arguments'] = ''
    yield {'type': 'response.output_item.added', 'output_index': index, 'item': empty}
    match item['type']:
        case 'reasoning':
            start, more, texts = 'response.reasoning_summary_text', {'summary_index': 0}, item['summary']
        case 'message':
            start, more, texts = 'response.output_text', {'content_index': 0}, item['content']
        case _:
            start, more, texts = 'response.function_call_arguments', {}, [{'text': item['arguments']}]
    whole = 'arguments' if item['type'] == 'function_call' else 'text'
    for delta in split(texts[0]['text']):
        yield {'type': f'{start}.delta', **place, **more, 'delta': delta}
    yield {'type': f'{start}.done', **place, **more, whole: texts[0]['text']}
    if item['type'] == 'message':
        yield {'type': 'response.content_part.done', **place, **more, 'part': texts[0]}
    yield {'type': 'response.output_item.done', 'output_index': index, 'item': item}


def last_event(output: list[Json]) -> Json:
    response = {'id': 'resp_1', 'model': 'm', 'status': 'completed', 'output': output}
    return {'type': 'response.completed', 'response': {**response, 'usage': {'input_tokens': 5, 'output_tokens': 6}}}


def stream_events(output: list[Json]) -> list[Json]:
    events = [event for index, item in enumerate(output) for event in item_events(item, index)]
    return deepcopy([{'type': 'response.created', 'response': {'id': 'resp_1', 'output': []}}, *events])


def decode(events: list[Json]) -> ModelResponse:
    reader = MODEL.new_reader()
    emitted: list[Any] = []
    for event in events:
        reader.decode_event(event)
        emitted += reader.draft.parts.take_events()
    end_stream(reader)
    emitted += reader.draft.parts.take_events()
    response = reader.draft.get()
    assert replay(emitted) == response.parts
    return response


def contents(response: ModelResponse) -> list[Any]:
    """Return what the parts contain, without ids of items."""
    found: list[Any] = []
    for part in response.parts:
        match part:
            case ToolCallPart():
                found.append((part.tool_name, part.tool_call_id, part.args))
            case ThinkingPart():
                found.append((part.content, part.signature))
            case TextPart():
                found.append(part.content)
            case _:
                raise AssertionError(part)
    return found


EXPECTED = [
    ('thinking', 'ENC'),
    'Hello',
    ('f', 'call_1', '{"x":"1"}'),
    ('g', 'call_2', '{"y":"2"}'),
    'Goodbye',
]


# ---------------------------------------------------------------------- changes of a whole stream


def set_ids(events: list[Json], make: Callable[[], str | None]) -> list[Json]:
    """Replace each id of an item."""

    def set_id(holder: Json, name: str) -> None:
        if (id := make()) is None:
            holder.pop(name, None)
        else:
            holder[name] = id

    for event in events:
        if 'item_id' in event:
            set_id(event, 'item_id')
        if 'item' in event:
            set_id(event['item'], 'id')
        for item in event.get('response', {}).get('output', ()):
            set_id(item, 'id')
    return events


def set_indexes(events: list[Json], index: int | None) -> list[Json]:
    for event in events:
        if 'output_index' in event:
            event.pop('output_index')
            if index is not None:
                event['output_index'] = index
    return events


def drop(*ends: str) -> Callable[[list[Json]], list[Json]]:
    return lambda events: [event for event in events if not event['type'].endswith(ends)]


def drop_field(name: str) -> Callable[[list[Json]], list[Json]]:
    return lambda events: [{key: value for key, value in event.items() if key != name} for event in events]


def number_ids() -> Callable[[], str]:
    numbers = itertools.count()
    return lambda: f'id_{next(numbers)}'


CHANGES: dict[str, Callable[[list[Json]], list[Json]]] = {
    'nothing': lambda events: events,
    'another id in each event': lambda events: set_ids(events, number_ids()),
    'no ids': lambda events: set_ids(events, lambda: None),
    'empty ids': lambda events: set_ids(events, lambda: ''),
    'the same id for all items': lambda events: set_ids(events, lambda: 'msg_0'),
    'all items numbered 0': lambda events: set_indexes(events, 0),
    'no indexes': lambda events: set_indexes(events, None),
    'no indexes and no ids': lambda events: set_ids(set_indexes(events, None), lambda: None),
    'no indexes and another id in each event': lambda events: set_ids(set_indexes(events, None), number_ids()),
    'all items numbered 0 and no ids': lambda events: set_ids(set_indexes(events, 0), lambda: None),
    'no announcements': drop('output_item.added'),
    'no announcements and another id in each event': lambda events: set_ids(
        drop('output_item.added')(events), number_ids()
    ),
    'no whole items': drop('output_item.done'),
    'no item events': drop('output_item.added', 'output_item.done'),
    'no deltas': drop('.delta'),
    'whole items only': drop('.delta', 'output_text.done', 'arguments.done', 'part.done', 'text.done', 'added'),
    'deltas and announcements only': drop('.done'),
    'no index of the content': drop_field('content_index'),
    'no index of the summary': drop_field('summary_index'),
    'each whole item twice': lambda events: [
        each for event in events for each in [event] * (1 + event['type'].endswith('output_item.done'))
    ],
}

ENDS: dict[str, Callable[[], list[Json]]] = {
    'the same items': lambda: [last_event(deepcopy(OUTPUT))],
    'other ids': lambda: set_ids([last_event(deepcopy(OUTPUT))], number_ids()),
    'no ids': lambda: set_ids([last_event(deepcopy(OUTPUT))], lambda: None),
    'no items': lambda: [last_event([])],
}


@pytest.mark.parametrize('end', ENDS)
@pytest.mark.parametrize('change', CHANGES)
def test_a_stream_of_another_server_is_decoded_once_and_completely(change: str, end: str) -> None:
    if change == 'no item events' and end == 'no items':
        pytest.skip('no event has the names of the tools')
    response = decode([*CHANGES[change](stream_events(OUTPUT)), *ENDS[end]()])
    if change in ('deltas and announcements only', 'no whole items', 'no item events') and end == 'no items':
        assert [each for each in contents(response) if each != ('thinking', None)] == EXPECTED[1:]
    else:
        assert sorted(map(repr, contents(response))) == sorted(map(repr, EXPECTED))
        if change != 'no item events':
            assert contents(response) == EXPECTED
    assert (response.finish_reason, response.state) == ('stop', 'complete')


# ---------------------------------------------------------------------- single situations


def test_deltas_after_the_end_of_their_item_are_not_lost() -> None:
    events = stream_events([MESSAGE])
    deltas = [event for event in events if event['type'].endswith('.delta')]
    early = {**MESSAGE, 'content': [{'type': 'output_text', 'text': 'Hel'}]}
    done = {'type': 'response.output_item.done', 'output_index': 0, 'item': early}
    response = decode([events[0], events[1], deltas[0], done, deltas[1], last_event([MESSAGE])])
    assert [part.content for part in response.parts if isinstance(part, TextPart)] == ['Hello']


def test_deltas_after_a_whole_item_that_contains_them_are_not_added_again() -> None:
    events = stream_events([MESSAGE, CALL])
    late = [event for event in events if event['type'].endswith('.delta')]
    others = [event for event in events if not event['type'].endswith('.delta')]
    response = decode([*others, *late, last_event([MESSAGE, CALL])])
    assert contents(response) == ['Hello', ('f', 'call_1', '{"x":"1"}')]


def test_a_second_sealed_reasoning_item_of_one_index_is_kept() -> None:
    sealed: list[Json] = [
        {'type': 'reasoning', 'id': f'rs_{number}', 'summary': [], 'encrypted_content': f'ENC{number}'}
        for number in (1, 2)
    ]
    events = [{'type': 'response.output_item.done', 'output_index': 0, 'item': item} for item in sealed]
    for end in ([*sealed], []):
        response = decode([*deepcopy(events), last_event(end)])
        assert [(part.id, part.signature) for part in response.parts if isinstance(part, ThinkingPart)] == [
            ('rs_1', 'ENC1'),
            ('rs_2', 'ENC2'),
        ]


def test_encrypted_thinking_keeps_the_id_that_came_with_it() -> None:
    events = set_ids(stream_events([REASONING]), number_ids())
    whole = next(event['item'] for event in events if event['type'].endswith('output_item.done'))
    other = {**REASONING, 'id': 'another', 'encrypted_content': 'OTHER'}
    [part] = decode([*events, last_event([other])]).parts
    assert isinstance(part, ThinkingPart)
    assert (part.id, part.signature) == (whole['id'], 'ENC')


def test_encrypted_arguments_are_replaced_by_the_whole_ones() -> None:
    events = stream_events([CALL])
    for event in events:
        if 'delta' in event:
            event['delta'] = 'ciphertext'
    assert contents(decode([*events, last_event([])])) == [('f', 'call_1', '{"x":"1"}')]


def test_a_content_that_is_numbered_over_all_items_is_added_once() -> None:
    events = stream_events([MESSAGE])
    for event in events:
        if 'content_index' in event:
            event['content_index'] = 4
    assert contents(decode([*events, last_event([MESSAGE])])) == ['Hello']


def test_two_texts_of_one_item_that_share_an_index_are_added_once() -> None:
    texts = [{'type': 'output_text', 'text': text} for text in ('Hel', 'lo')]
    item = {**MESSAGE, 'content': texts}
    events = stream_events([MESSAGE])[:-3]
    events.append({'type': 'response.output_item.done', 'output_index': 0, 'item': item})
    assert decode([*events, last_event([item])]).text == 'Hello'


def test_parallel_tool_calls_whose_deltas_alternate_are_told_apart_by_their_ids() -> None:
    streams = [list(item_events(call, 0)) for call in (CALL, OTHER_CALL)]
    events = [event for pair in zip(*streams, strict=True) for event in pair]
    expected = [('f', 'call_1', '{"x":"1"}'), ('g', 'call_2', '{"y":"2"}')]
    assert contents(decode([*deepcopy(events), last_event([CALL, OTHER_CALL])])) == expected


def test_thinking_in_the_item_of_a_chat_bridge_is_added_once() -> None:
    """LiteLLM streams thinking as a summary, and ends with the same thinking as content."""
    item = {'type': 'reasoning', 'id': 'rs_1', 'content': [{'type': 'reasoning_text', 'text': 'thinking'}]}
    events = stream_events([REASONING])[:-1]
    events.append({'type': 'response.output_item.done', 'output_index': 0, 'item': item})
    assert contents(decode([*events, last_event([item])])) == [('thinking', None)]


def test_a_last_event_may_be_the_response_itself() -> None:
    deltas = [event for event in stream_events([MESSAGE]) if event['type'].endswith('.delta')]
    response = decode([*deltas, {'type': 'response.completed', 'output': [{**MESSAGE, 'id': None}]}])
    assert (contents(response), response.finish_reason, response.state) == (['Hello'], 'stop', 'complete')


def test_the_index_of_an_items_end_may_be_that_of_the_next_item() -> None:
    """vLLM has counted the index before it ended an item: vllm#31761."""
    events = stream_events([MESSAGE, OTHER_MESSAGE])
    for event in events:
        if event['type'].endswith('.done'):
            event['output_index'] += 1
    assert contents(decode([*events, last_event([])])) == ['Hello', 'Goodbye']


def test_done_ends_a_stream_without_its_last_event() -> None:
    reader = MODEL.new_reader()
    for event in stream_events([MESSAGE]):
        reader.feed(b'data: ' + to_json(event) + b'\n\n')
    reader.feed(b'data: [DONE]\n\n')
    reader.end_stream({})
    response = reader.draft.get()
    assert (response.text, response.finish_reason, response.state) == ('Hello', None, 'complete')


@pytest.mark.parametrize(
    ('type', 'finish_reason'),
    [('completed', 'stop'), ('done', 'stop'), ('failed', 'error'), ('incomplete', None)],
)
def test_the_last_event_tells_the_status_if_its_response_has_none(type: str, finish_reason: str | None) -> None:
    event = last_event([MESSAGE])
    del event['response']['status']
    response = decode([*stream_events([MESSAGE]), {**event, 'type': f'response.{type}'}])
    assert (response.text, response.finish_reason) == ('Hello', finish_reason)
