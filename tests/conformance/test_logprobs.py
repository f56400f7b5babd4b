"""Tests of log probabilities: in one place and one shape, whichever API sends them."""

from __future__ import annotations

from typing import Any

import pytest

from pydantic_llm.messages import ModelMessagesTypeAdapter, ModelResponse, TextPart, ToolCallPart
from pydantic_llm.testing.exchange import decode_body, decode_events, encode_body, encode_events
from pydantic_llm.testing.room import Room
from pydantic_llm.testing.samples import make_response, make_text
from pydantic_llm.wire.logprobs import decode_logprobs
from tests.conformance.rooms import ROOMS

TOKENS: list[Any] = [
    {
        'token': 'Hel',
        'logprob': -0.1,
        'bytes': [72, 101, 108],
        'top_logprobs': [{'token': 'Hal', 'logprob': -2.0, 'bytes': [72, 97, 108]}],
    },
    {'token': 'lo', 'logprob': -0.2, 'bytes': [108, 111], 'top_logprobs': []},
]

GEMINI: Any = {
    'chosenCandidates': [
        {'token': 'Hel', 'tokenId': 1, 'logProbability': -0.1},
        {'token': 'lo', 'logProbability': -0.2},
    ],
    'topCandidates': [{'candidates': [{'token': 'Hal', 'logProbability': -2.0}]}, {}],
}
COMPLETIONS: Any = {
    'tokens': ['Hel', 'lo'],
    'token_logprobs': [-0.1, -0.2],
    'top_logprobs': [{'Hal': -2.0}, None],
}
COHERE: list[Any] = [
    {'text': 'Hel', 'token_ids': [1], 'logprobs': [-0.1]},
    {'text': 'lo', 'token_ids': [2], 'logprobs': [-0.2]},
]
PLAIN: list[Any] = [{**token, 'top_logprobs': []} for token in TOKENS]

CHAT_ROOMS = ('openai-chat', 'groq', 'huggingface', 'litellm', 'mistral', 'acme_chat')


def add_logprobs(room: Room, body: Any) -> list[Any]:
    """Add log probabilities to a body in the API's form; return those that the text should have."""
    match room.name:
        case 'openai-responses':
            body['output'][0]['content'][0]['logprobs'] = TOKENS
        case 'gemini':
            body['candidates'][0]['logprobsResult'] = GEMINI
        case 'cohere':
            body['logprobs'] = COHERE
            return PLAIN
        case _:
            body['choices'][0]['logprobs'] = {'content': TOKENS, 'refusal': None}
    return TOKENS


HAVE_LOGPROBS = [room for room in ROOMS if room.name in (*CHAT_ROOMS, 'openai-responses', 'gemini', 'cohere')]
rooms = pytest.mark.parametrize('room', HAVE_LOGPROBS, ids=repr)


def test_the_rooms_without_log_probabilities_are_known() -> None:
    assert {room.name for room in ROOMS} - {room.name for room in HAVE_LOGPROBS} == {'anthropic', 'bedrock', 'acme'}


@rooms
def test_log_probabilities_are_in_the_text_in_one_shape(room: Room) -> None:
    sent = make_response(room, make_text(room, 'Hello'))
    body = encode_body(room, sent)
    expected = add_logprobs(room, body)
    response = decode_body(room, body)
    [part] = response.parts
    assert isinstance(part, TextPart)
    assert (part.content, (part.provider_details or {})['logprobs'], response.logprobs) == ('Hello', expected, expected)
    assert ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json([response])) == [response]


@rooms
def test_log_probabilities_of_a_stream_are_in_the_text_too(room: Room) -> None:
    sent = make_response(room, make_text(room, 'Hello'))
    started, ended = encode_events(room, sent, lambda text: ['Hel', 'lo'])
    events, left = [*started, *ended], [0, 1]
    for event in events:
        if left and add_to_event(room, event, left[0]):
            left.pop(0)
    assert left == []
    response, _ = decode_events(room, events)
    [part] = response.parts
    assert isinstance(part, TextPart)
    expected = PLAIN if room.name == 'cohere' else TOKENS
    assert (part.content, (part.provider_details or {})['logprobs'], response.logprobs) == ('Hello', expected, expected)


def add_to_event(room: Room, event: Any, number: int) -> bool:
    """Add the log probability of a token to the event with its text; return whether this is the event."""
    text = TOKENS[number]['token']
    match event:
        case {'type': 'response.output_text.delta', 'delta': delta} if delta == text:
            event['logprobs'] = [TOKENS[number]]
        case {'type': 'content-delta', 'delta': {'message': {'content': {'text': delta}}}} if delta == text:
            event['logprobs'] = COHERE[number]
        case {'candidates': [{'content': {'parts': [{'text': delta}]}} as candidate]} if delta == text:
            candidate['logprobsResult'] = {
                'chosenCandidates': GEMINI['chosenCandidates'][number : number + 1],
                'topCandidates': GEMINI['topCandidates'][number : number + 1],
            }
        case {'choices': [{'delta': {'content': delta}} as choice]} if delta == text:
            choice['logprobs'] = {'content': [TOKENS[number]]}
        case _:
            return False
    return True


@pytest.mark.parametrize(
    ('value', 'expected'),
    [
        (TOKENS, TOKENS),
        ({'content': TOKENS, 'refusal': None}, TOKENS),
        (GEMINI, TOKENS),
        (COMPLETIONS, TOKENS),
        (COHERE, PLAIN),
        (None, []),
        ({'content': None}, []),
        ({'tokens': [], 'token_logprobs': []}, []),
        ('odd', []),
        (-0.003, []),
        ([1, {'odd': True}], []),
    ],
)
def test_the_form_of_each_api_becomes_one_shape(value: object, expected: list[Any]) -> None:
    assert decode_logprobs(value) == expected


@pytest.mark.parametrize('room', [room for room in ROOMS if room.name in ('openai-chat', 'openai-responses')], ids=repr)
def test_the_gateway_sends_the_log_probabilities_of_any_vendor(room: Room) -> None:
    text = make_text(room, 'Hello')
    text.provider_details = {'logprobs': TOKENS}
    [part] = decode_body(room, encode_body(room, make_response(room, text))).parts
    assert isinstance(part, TextPart)
    assert (part.provider_details or {})['logprobs'] == TOKENS


@pytest.mark.parametrize('room', [room for room in ROOMS if room.name in CHAT_ROOMS], ids=repr)
def test_tokens_without_text_of_their_own_belong_to_the_text(room: Room) -> None:
    """The first bytes of a character, and the end of the response, are tokens in events without text."""
    tokens: list[Any] = [{'token': name, 'logprob': -0.1} for name in ('<a>', 'Hi', '<b>', '!', '<end>')]
    deltas: list[Any] = [{'role': 'assistant', 'content': ''}, {'content': 'Hi'}, {'content': ''}, {'content': '!'}, {}]
    events = [
        {'choices': [{'index': 0, 'delta': delta, 'logprobs': {'content': [token]}}]}
        for delta, token in zip(deltas, tokens, strict=True)
    ]
    events[-1]['choices'][0]['finish_reason'] = 'stop'
    thinking = {'reasoning_content': 'Hm', 'content': ''}
    hidden = {'choices': [{'index': 0, 'delta': thinking, 'logprobs': {'content': [{'token': 'Hm', 'logprob': -1}]}}]}
    response, _ = decode_events(room, [hidden, *events])
    [text] = [part for part in response.parts if isinstance(part, TextPart)]
    assert [token['token'] for token in (text.provider_details or {})['logprobs']] == [t['token'] for t in tokens]


def test_the_log_probabilities_of_several_texts_are_one_list() -> None:
    texts = [TextPart('Hel', provider_details={'logprobs': TOKENS[:1]}), TextPart('?'), ToolCallPart('look')]
    last = TextPart('lo', provider_details={'logprobs': [*TOKENS[1:], 'odd', {'odd': 1}]})
    assert ModelResponse([*texts, last], provider_details={'logprobs': TOKENS}).logprobs == TOKENS
    assert ModelResponse([ToolCallPart('look')], provider_details={'logprobs': TOKENS}).logprobs == TOKENS
    assert ModelResponse([TextPart('x')], provider_details={'logprobs': GEMINI}).logprobs == []
