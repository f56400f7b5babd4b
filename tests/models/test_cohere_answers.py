"""What the Cohere room makes of answers, whole and streamed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pydantic_llm.exceptions import ModelAPIError, ModelHTTPError, UnexpectedModelBehavior
from pydantic_llm.messages import ModelResponse, PartEndEvent, TextPart, ThinkingPart, ToolCallPart
from pydantic_llm.models import ResponseDraft
from pydantic_llm.models.cohere import CohereModel
from pydantic_llm.models.cohere.decode import decode_event
from pydantic_llm.usage import RequestUsage
from tests.models.cohere_chat import (
    END,
    PLUS,
    START,
    Json,
    body,
    call,
    check_event,
    cited,
    read,
    read_whole,
    said,
    streamed,
    text,
    thought,
)

CITATIONS = [
    cited('rain', content_index=1),
    cited('Hm.', type='THINKING_CONTENT', content_index=0),
    cited('look', type='PLAN'),
    cited('falls'),
    {**cited('x', content_index=9), 'new_field': 1},
]
EVERYTHING: Json = {
    'tool_plan': 'I will look.',
    'content': [thought('Hm. So.'), text('rain falls')],
    'tool_calls': [call('a'), call('b', '{"city": "Oslo", "day": 1}', 'time'), call('c', '')],
    'citations': CITATIONS[:4],
}
COHERES: Any = {'provider_name': 'cohere'}
PARTS = [
    ThinkingPart('I will look.', id='tool_plan', **COHERES, provider_details={'citations': [CITATIONS[2]]}),
    ThinkingPart('Hm. So.', **COHERES, provider_details={'citations': [CITATIONS[1]]}),
    TextPart('rain falls', **COHERES, provider_details={'citations': [CITATIONS[0], CITATIONS[3]]}),
    ToolCallPart('weather', '{"city": "Rome"}', 'a'),
    ToolCallPart('time', '{"city": "Oslo", "day": 1}', 'b'),
    ToolCallPart('weather', '', 'c'),
]


def test_every_field_of_a_message_becomes_a_part() -> None:
    response = read_whole(EVERYTHING, finish_reason='TOOL_CALL')
    assert response.parts == PARTS
    assert (response.provider_response_id, response.model_name) == ('r', PLUS)
    assert (response.finish_reason, response.state) == ('tool_call', 'complete')
    assert response.provider_details == {'finish_reason': 'TOOL_CALL'}
    assert (response.thinking, response.text) == ('I will look.Hm. So.', 'rain falls')


def test_a_stream_says_the_same() -> None:
    placed = {**EVERYTHING, 'citations': CITATIONS[:2]}
    events = list(streamed(placed))
    plan = said('citation-start', 9, citations=CITATIONS[2])
    response = read(*events[:-1], plan, events[-1])
    assert [replace(part, provider_details=None) for part in response.parts] == [
        replace(part, provider_details=None) for part in PARTS
    ]
    details = [part.provider_details for part in response.parts]
    assert details[:3] == [{'citations': [citation]} for citation in (CITATIONS[2], CITATIONS[1], CITATIONS[0])]
    assert (response.provider_response_id, response.state) == ('r', 'complete')


def test_a_citation_of_what_is_over_or_never_was_is_kept_with_the_answer() -> None:
    late = said('citation-start', 0, citations=CITATIONS[3])
    response = read(*list(streamed({'content': [text('rain')]}))[:-1], late, END)
    assert (response.parts, response.provider_details) == (
        [TextPart('rain')],
        {'citations': [CITATIONS[3]], 'finish_reason': 'COMPLETE'},
    )
    nothing = read_whole({'citations': [CITATIONS[0]]})
    assert (nothing.provider_details or {})['citations'] == [CITATIONS[0]]


def test_a_block_and_a_call_end_when_the_vendor_says_so() -> None:
    draft = ResponseDraft(PLUS, 'cohere')
    ended: list[Any] = []
    for event in streamed({'content': [thought('Hm.'), text('a')], 'tool_calls': [call('c')]}):
        decode_event(event, draft)
        happened = [each for each in draft.parts.take_events() if isinstance(each, PartEndEvent)]
        ended += [(event['type'], each.part.part_kind) for each in happened]
    assert ended == [('content-end', 'thinking'), ('content-end', 'text'), ('tool-call-end', 'tool-call')]


def test_a_block_may_hold_thoughts_and_then_text() -> None:
    response = read(
        START,
        said('content-delta', 0, content={'thinking': 'Hm.'}),
        said('content-delta', 0, content={'text': 'a', 'thinking': None}),
        END,
    )
    assert response.parts == [ThinkingPart('Hm.', provider_name='cohere'), TextPart('a')]


def test_calls_in_lists_and_whole_calls_are_read_too() -> None:
    event: Json = {'type': 'tool-call-start', 'index': 0, 'delta': {'message': {'tool_calls': [call('a')]}}}
    assert read(START, event, END).parts == [ToolCallPart('weather', '{"city": "Rome"}', 'a')]
    unnumbered = [said('tool-call-start', tool_calls=call(id)) for id in 'ab']
    end = {'type': 'tool-call-end'}
    assert [each.tool_call_id for each in read(START, unnumbered[0], end, unnumbered[1], end, END).tool_calls] == [
        'a',
        'b',
    ]


def test_an_answer_that_is_one_text_is_read_too() -> None:
    assert CohereModel(PLUS, api_key='k')
    draft = ResponseDraft(PLUS, 'cohere')
    CohereModel(PLUS, api_key='k').new_decoder(draft).decode(body({'content': 'a'}))
    assert draft.get().parts == [TextPart('a')]


# ---------------------------------------------------------------------- what is said of the answer


@pytest.mark.parametrize(
    ('usage', 'read_as'),
    [
        (
            {
                'billed_units': {'input_tokens': 41.0, 'output_tokens': 25, 'search_units': 1.0, 'classifications': 0},
                'tokens': {'input_tokens': 1441.0, 'output_tokens': 54},
                'cached_tokens': 144,
            },
            RequestUsage(
                input_tokens=1441,
                output_tokens=54,
                cache_read_tokens=144,
                details={'billed_input_tokens': 41, 'billed_output_tokens': 25, 'billed_search_units': 1},
            ),
        ),
        (
            {'billed_units': {'input_tokens': 4, 'output_tokens': 2}},
            RequestUsage(
                input_tokens=4, output_tokens=2, details={'billed_input_tokens': 4, 'billed_output_tokens': 2}
            ),
        ),
        ({'tokens': {'input_tokens': None}, 'billed_units': None, 'cached_tokens': None}, RequestUsage()),
        (None, RequestUsage()),
    ],
)
def test_the_tokens_that_were_read_count_and_the_bill_is_a_detail(usage: Any, read_as: RequestUsage) -> None:
    assert read_whole({}, usage=usage).usage == read_as
    end = {'type': 'message-end', 'delta': {'finish_reason': 'COMPLETE', 'usage': usage}}
    check_event(end)
    assert read(START, end).usage == read_as


LOGPROBS = [
    {'text': 'a', 'token_ids': [1], 'logprobs': [-0.5]},
    {'text': ' b', 'token_ids': [2, 3], 'logprobs': [0, 0]},
]


def test_log_probabilities_are_kept_whole_and_streamed() -> None:
    whole = read_whole({'content': [text('a b')]}, logprobs=LOGPROBS)
    deltas = [{**said('content-delta', 0, content={'text': item['text']}), 'logprobs': item} for item in LOGPROBS]
    for response in (whole, read(START, *deltas, END)):
        assert (response.provider_details or {})['logprobs'] == LOGPROBS


def test_the_prompt_that_a_debug_event_shows_is_kept() -> None:
    event = {'type': 'debug', 'prompt': '<BOS_TOKEN>'}
    check_event(event)
    assert read(START, event, END).provider_details == {'prompt': '<BOS_TOKEN>', 'finish_reason': 'COMPLETE'}


# ---------------------------------------------------------------------- failures


@pytest.mark.parametrize(('reason', 'status'), [('ERROR', 500), ('TIMEOUT', 504), (None, 500), ('NEW', 500)])
def test_a_failure_in_a_stream_that_is_explained_is_an_error(reason: str | None, status: int) -> None:
    end = {'type': 'message-end', 'delta': {'finish_reason': reason, 'error': 'the generation failed'}}
    check_event(end)
    with pytest.raises(ModelHTTPError, match='the generation failed') as caught:
        read(START, said('content-delta', 0, content={'text': 'a'}), end)
    assert (caught.value.status_code, caught.value.in_stream, caught.value.retryable) == (status, True, True)


def test_a_failure_without_a_word_is_how_the_answer_ended() -> None:
    for word in ('ERROR', 'TIMEOUT'):
        for response in (read_whole({}, finish_reason=word), read(START, {**END, 'delta': {'finish_reason': word}})):
            assert (response.finish_reason, response.provider_details) == ('error', {'finish_reason': word})


def test_the_body_of_an_error_in_the_place_of_an_event_or_an_answer_is_an_error() -> None:
    failure: Json = {'id': 'x', 'message': 'internal server error'}
    with pytest.raises(ModelAPIError, match='internal server error'):
        read(START, failure)
    reader = CohereModel(PLUS, api_key='k').new_reader()
    with pytest.raises(ModelAPIError, match='internal server error'):
        reader.decode(failure)


@pytest.mark.parametrize(
    'wrong',
    [
        {},
        {'message': None},
        {'message': []},
        {'message': {'content': 7}},
        {'message': {'content': [7]}},
        {'message': {'content': [{'type': 'text', 'text': 7}]}},
        {'message': {'tool_calls': [{'id': 'a'}]}},
        {'message': {'tool_calls': [{'id': 7, 'function': {'name': 'x', 'arguments': '{}'}}]}},
        {'message': {'tool_calls': [{'id': 'a', 'function': {'name': 'x', 'arguments': [1]}}]}},
        {'message': {'tool_plan': ['x']}},
        {'message': {'citations': ['x']}},
        {'message': {}, 'usage': {'tokens': {'input_tokens': 'many'}}},
        {'message': {}, 'finish_reason': {'x': 1}},
    ],
)
def test_what_has_the_wrong_shape_is_no_answer(wrong: Json) -> None:
    reader = CohereModel(PLUS, api_key='k').new_reader()
    with pytest.raises(UnexpectedModelBehavior):
        reader.decode(wrong)


def test_a_stream_that_is_cut_is_incomplete_and_its_call_is_kept() -> None:
    events = [event for event in streamed(EVERYTHING) if event['type'] not in ('message-end', 'tool-call-end')]
    response = read(*events, complete=False)
    assert (response.state, response.finish_reason) == ('incomplete', None)
    assert isinstance(response, ModelResponse)
    assert [part.part_kind for part in response.parts] == ['thinking', 'thinking', 'text', *['tool-call'] * 3]
