"""Tests of token counts: odd values, usage that is repeated in a stream, tokens that a server counts apart."""

from __future__ import annotations

from typing import Any

import pytest

from pydantic_llm.models.openai import OpenAIModel, OpenAIResponsesModel
from pydantic_llm.testing.changes import Change, change_counts, change_usages
from pydantic_llm.testing.exchange import decode_body, decode_events, encode_body, encode_events
from pydantic_llm.testing.room import Room
from pydantic_llm.testing.samples import make_response, make_text
from pydantic_llm.usage import REPORTED, RequestUsage
from pydantic_llm.wire.counts import decode_count, merge_usage, reconcile
from tests.conformance.rooms import ROOMS

rooms = pytest.mark.parametrize('room', ROOMS, ids=repr)


def read_both(room: Room, change: Change) -> list[Any]:
    """Return the responses of a body and of a stream whose usages were changed."""
    sent = make_response(room, make_text(room, 'Hello.'))
    started, ended = encode_events(room, sent, lambda text: [text])
    return [
        decode_body(room, change_usages(encode_body(room, sent), change)),
        decode_events(room, change_usages([*started, *ended], change))[0],
    ]


# ---------------------------------------------------------------------- values that are no counts


@rooms
def test_reported_counts_are_exact(room: Room) -> None:
    for response in read_both(room, lambda usage: usage):
        assert [response.usage.source(name) for name in REPORTED] == ['exact', 'exact']


@rooms
def test_a_response_without_usage_says_that_it_is_missing(room: Room) -> None:
    for response in read_both(room, lambda usage: None):
        assert (response.text, response.usage) == ('Hello.', RequestUsage())
        assert [response.usage.source(name) for name in REPORTED] == ['missing', 'missing']
        assert response.usage.unmeasured_requests == 1


@rooms
@pytest.mark.parametrize('odd', [None, '', 3, [1], 'n/a'], ids=repr)
def test_details_that_are_no_objects_do_not_lose_the_response(room: Room, odd: Any) -> None:
    def change(usage: Any) -> Any:
        return {name: value if type(value) is int else odd for name, value in usage.items()}

    for response in read_both(room, change):
        assert (response.text, response.state) == ('Hello.', 'complete')


# ---------------------------------------------------------------------- streams


@rooms
def test_repeated_usage_is_counted_once(room: Room) -> None:
    sent = make_response(room, make_text(room, 'Hello.'))
    started, ended = encode_events(room, sent, lambda text: [text])
    events = [event for event in [*started, *ended] for _ in range(1 + has_usage_alone(event))]
    response, _ = decode_events(room, events)
    assert (response.usage.input_tokens, response.usage.output_tokens) == (5, 3)


def has_usage_alone(event: Any) -> bool:
    """Return whether an event has a usage, and no text that must not be repeated."""
    return 'usage' in repr(event).lower() and 'Hello' not in repr(event)


@rooms
def test_a_later_usage_of_zeros_does_not_replace_the_counts(room: Room) -> None:
    sent = make_response(room, make_text(room, 'Hello.'))
    started, ended = encode_events(room, sent, lambda text: [text])
    events = [*started, *ended]
    last = next(event for event in reversed(events) if has_usage_alone(event))
    zeros = change_usages(last, lambda usage: change_counts(usage, lambda _: 0))
    if room.name in ('cohere', 'bedrock', 'openai-responses', 'acme'):
        pytest.skip('the API sends usage in its last event only')
    response, _ = decode_events(room, [*events, zeros])
    assert (response.usage.input_tokens, response.usage.output_tokens) == (5, 3)


def test_later_counts_replace_earlier_ones() -> None:
    known = merge_usage({}, {'a': 1, 'b': 2, 'd': {'x': 1}, 's': None})
    assert merge_usage(known, {'a': 3, 'b': 0, 'c': None, 'd': {'y': 2}}) == {'a': 3, 'b': 2, 'd': {'x': 1, 'y': 2}}
    assert merge_usage(known, 'odd') == known


# ---------------------------------------------------------------------- thinking

NO_COUNT_OF_THINKING = {
    'bedrock',  # `TokenUsage` in botocore's model of the service
    'cohere',  # `Usage` in cohere 7.3
    'acme',  # an example
}
"""Rooms whose API has no count of thinking."""


@rooms
def test_the_tokens_of_thinking_are_a_count_of_their_own(room: Room) -> None:
    sent = make_response(room, make_text(room, 'Hello.'))
    sent.usage = RequestUsage(input_tokens=5, output_tokens=9, output_reasoning_tokens=4)
    started, ended = encode_events(room, sent, lambda text: [text])
    whole, streamed = decode_body(room, encode_body(room, sent)), decode_events(room, [*started, *ended])[0]
    expected = 0 if room.name in NO_COUNT_OF_THINKING else 4
    for response in (whole, streamed):
        assert (response.usage.output_tokens, response.usage.reasoning_tokens) == (9, expected)


# ---------------------------------------------------------------------- the rule


@pytest.mark.parametrize(
    ('counts', 'more', 'expected'),
    [
        ((10120, 1499), {'thinking': 2809, 'cached': 128, 'total': 14428}, (10120, 4308)),  # xAI
        ((9, 20), {'thinking': 15, 'total': 29}, (9, 20)),  # OpenAI
        ((9, 20), {'thinking': 15}, (9, 20)),
        ((21, 0), {'thinking': 60, 'total': 81}, (21, 60)),
        ((21, 0), {'thinking': 60}, (21, 60)),
        ((10, 5), {'cached': 1000, 'total': 1015}, (1010, 5)),
        ((10, 5), {'cached': 1000, 'total': 15}, (10, 5)),
        ((10, 5), {'cached': 1000}, (1010, 5)),
        ((10, 5), {'cached': 8, 'thinking': 7, 'total': 30}, (18, 12)),
        ((10, 5), {'total': 3}, (10, 5)),
        ((10, 5), {'total': 900}, (10, 5)),
        ((10, 5), {'cached': 4, 'thinking': 2, 'total': 900}, (10, 5)),
        ((10, 5), {'thinking': 3, 'is_apart': True}, (10, 8)),
        ((10, 5), {'thinking': 3, 'total': 15, 'is_apart': True}, (10, 5)),
    ],
)
def test_the_total_decides_which_tokens_are_counted_apart(
    counts: tuple[int, int], more: Any, expected: tuple[int, int]
) -> None:
    assert reconcile(*counts, **more) == expected


@pytest.mark.parametrize(
    ('value', 'count'), [(3, 3), (3.0, 3), ('3', 3), (' 3 ', 3), ('3.0', 3), (-1, 0), ('nan', 0), (2**60, 0)]
)
def test_a_count_is_a_whole_number_from_0_on(value: object, count: int) -> None:
    assert decode_count(value) == count


# ---------------------------------------------------------------------- compatible servers


CHAT = OpenAIModel('some-model', api_key='k')
RESPONSES = OpenAIResponsesModel('some-model', api_key='k')
GEMINI = OpenAIModel('gemini-2.5-pro', api_key='k')

COMPATIBLE: dict[str, tuple[Any, Any, Any]] = {
    'xAI': (
        CHAT,
        {
            'prompt_tokens': 32,
            'completion_tokens': 9,
            'total_tokens': 135,
            'completion_tokens_details': {'reasoning_tokens': 94},
        },
        {'input_tokens': 32, 'output_tokens': 103, 'output_reasoning_tokens': 94, 'details': {'reasoning_tokens': 94}},
    ),
    'Gemini at its OpenAI endpoint': (
        GEMINI,
        {'prompt_tokens': 35, 'completion_tokens': 12, 'total_tokens': 109},
        {'input_tokens': 35, 'output_tokens': 74, 'output_reasoning_tokens': 62},
    ),
    'DeepSeek without details': (
        CHAT,
        {'prompt_tokens': 100, 'completion_tokens': 20, 'prompt_cache_hit_tokens': 40, 'prompt_cache_miss_tokens': 60},
        {
            'input_tokens': 100,
            'output_tokens': 20,
            'cache_read_tokens': 40,
            'details': {'prompt_cache_hit_tokens': 40, 'prompt_cache_miss_tokens': 60},
        },
    ),
    'Moonshot': (
        CHAT,
        {'prompt_tokens': 1336, 'completion_tokens': 31, 'total_tokens': 1367, 'cached_tokens': 1280},
        {'input_tokens': 1336, 'output_tokens': 31, 'cache_read_tokens': 1280},
    ),
    'names of the other API': (
        CHAT,
        {'input_tokens': 10, 'output_tokens': 4, 'input_tokens_details': {'cached_tokens': 6}},
        {'input_tokens': 10, 'output_tokens': 4, 'cache_read_tokens': 6},
    ),
    'names of Chat Completions in Responses': (
        RESPONSES,
        {'prompt_tokens': 10, 'completion_tokens': 4, 'completion_tokens_details': {'reasoning_tokens': 2}},
        {'input_tokens': 10, 'output_tokens': 4, 'output_reasoning_tokens': 2, 'details': {'reasoning_tokens': 2}},
    ),
    'a gateway before Claude': (
        CHAT,
        {
            'prompt_tokens': 3,
            'completion_tokens': 4,
            'total_tokens': 7,
            'cache_read_input_tokens': 2,
            'prompt_tokens_details': {'cache_creation_tokens': 1},
        },
        {'input_tokens': 3, 'output_tokens': 4, 'cache_read_tokens': 2, 'cache_write_tokens': 1},
    ),
    'Perplexity': (
        CHAT,
        {
            'prompt_tokens': 33,
            'completion_tokens': 7163,
            'total_tokens': 7196,
            'citation_tokens': 20016,
            'num_search_queries': 31,
            'reasoning_tokens': 73997,
        },
        {
            'input_tokens': 33,
            'output_tokens': 7163,
            'output_reasoning_tokens': 73997,
            'details': {'citation_tokens': 20016, 'num_search_queries': 31, 'reasoning_tokens': 73997},
        },
    ),
    'counts of images': (
        CHAT,
        {
            'prompt_tokens': 33,
            'completion_tokens': 2,
            'total_tokens': 35,
            'prompt_tokens_details': {'image_tokens': 30, 'audio_tokens': 1, 'text_tokens': 2.0},
        },
        {
            'input_tokens': 33,
            'output_tokens': 2,
            'input_audio_tokens': 1,
            'details': {'input_image_tokens': 30, 'input_text_tokens': 2},
        },
    ),
}


@pytest.mark.parametrize('server', COMPATIBLE)
def test_the_counts_of_compatible_servers_are_known(server: str) -> None:
    model, usage, expected = COMPATIBLE[server]
    reader = model.new_reader()
    choice = {'index': 0, 'message': {'content': 'x'}, 'finish_reason': 'stop'}
    reader.decode({'choices': [choice], 'output': [], 'status': 'completed', 'usage': usage})
    assert reader.draft.usage == RequestUsage(**expected)


@pytest.mark.parametrize('place', ['choices', 'event', 'both'])
def test_usage_inside_the_choice_is_found(place: str) -> None:
    usage = {'prompt_tokens': 19, 'completion_tokens': 13, 'total_tokens': 32}
    reader = CHAT.new_reader()
    reader.decode_event({'choices': [{'index': 0, 'delta': {'content': 'x'}}]})
    choice = {'index': 0, 'delta': {}, 'finish_reason': 'stop', **({} if place == 'event' else {'usage': usage})}
    reader.decode_event({'choices': [choice], **({} if place == 'choices' else {'usage': usage})})
    assert reader.draft.usage == RequestUsage(input_tokens=19, output_tokens=13)


def test_cumulative_usage_in_each_chunk_is_not_added_up() -> None:
    reader = CHAT.new_reader()
    for count in (1, 2, 3):
        usage = {'prompt_tokens': 7, 'completion_tokens': count, 'total_tokens': 7 + count}
        reader.decode_event({'choices': [{'index': 0, 'delta': {'content': 'x'}}], 'usage': usage})
    assert reader.draft.usage == RequestUsage(input_tokens=7, output_tokens=3)
