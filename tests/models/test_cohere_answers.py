"""The responses of the Cohere room, whole and streamed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pydantic_llm.exceptions import ModelAPIError, ModelHTTPError, UnexpectedModelBehavior
from pydantic_llm.messages import ModelResponse, PartEndEvent, TextPart, ThinkingPart, ToolCallPart
from pydantic_llm.models import ResponseDraft
from pydantic_llm.models.cohere import CohereModel
from pydantic_llm.usage import RequestUsage
from tests.models.cited import cite
from tests.models.cohere_chat import (
    END,
    PLUS,
    START,
    Json,
    check_event,
    citation_of,
    decode_stream,
    decode_whole,
    message_event,
    new_decoder,
    response_body,
    stream_message,
    text,
    thinking_block,
    tool_call,
)

CITATIONS = [
    citation_of('rain', content_index=1),
    citation_of('Hm.', type='THINKING_CONTENT', content_index=0),
    citation_of('look', type='PLAN'),
    citation_of('falls'),
    {**citation_of('x', content_index=9), 'new_field': 1},
]
EVERYTHING: Json = {
    'tool_plan': 'I will look.',
    'content': [thinking_block('Hm. So.'), text('rain falls')],
    'tool_calls': [tool_call('a'), tool_call('b', '{"city": "Oslo", "day": 1}', 'time'), tool_call('c', '')],
    'citations': CITATIONS[:4],
}
OWN: Any = {'provider_name': 'cohere'}
PARTS = [
    ThinkingPart('I will look.', id='tool_plan', **OWN, provider_details={'citations': [CITATIONS[2]]}),
    ThinkingPart('Hm. So.', **OWN, provider_details={'citations': [CITATIONS[1]]}),
    cite(TextPart('rain falls', **OWN, provider_details={'citations': [CITATIONS[0], CITATIONS[3]]})),
    ToolCallPart('weather', '{"city": "Rome"}', 'a'),
    ToolCallPart('time', '{"city": "Oslo", "day": 1}', 'b'),
    ToolCallPart('weather', '', 'c'),
]


def test_every_field_of_a_message_becomes_a_part() -> None:
    response = decode_whole(EVERYTHING, finish_reason='TOOL_CALL')
    assert response.parts == PARTS
    assert (response.provider_response_id, response.model_name) == ('r', PLUS)
    assert (response.finish_reason, response.state) == ('tool_call', 'complete')
    assert response.provider_details == {'finish_reason': 'TOOL_CALL'}
    assert (response.thinking, response.text) == ('I will look.\n\nHm. So.', 'rain falls')


def drop_citations(part: Any) -> Any:
    return replace(part, provider_details=None, **({'citations': ()} if isinstance(part, TextPart) else {}))


def test_a_stream_has_the_same_parts() -> None:
    placed = {**EVERYTHING, 'citations': CITATIONS[:2]}
    events = list(stream_message(placed))
    plan = message_event('citation-start', 9, citations=CITATIONS[2])
    response = decode_stream(*events[:-1], plan, events[-1])
    assert [drop_citations(part) for part in response.parts] == [drop_citations(part) for part in PARTS]
    details = [part.provider_details for part in response.parts]
    assert details[:3] == [{'citations': [citation]} for citation in (CITATIONS[2], CITATIONS[1], CITATIONS[0])]
    assert (response.provider_response_id, response.state) == ('r', 'complete')


def test_a_citation_without_an_open_part_is_kept_in_the_details_of_the_response() -> None:
    late = message_event('citation-start', 0, citations=CITATIONS[3])
    response = decode_stream(*list(stream_message({'content': [text('rain')]}))[:-1], late, END)
    assert (response.parts, response.provider_details) == (
        [TextPart('rain')],
        {'citations': [CITATIONS[3]], 'finish_reason': 'COMPLETE'},
    )
    nothing = decode_whole({'citations': [CITATIONS[0]]})
    assert (nothing.provider_details or {})['citations'] == [CITATIONS[0]]


def test_a_block_and_a_tool_call_end_with_the_events_of_the_vendor() -> None:
    decoder = new_decoder()
    ended: list[Any] = []
    for event in stream_message({'content': [thinking_block('Hm.'), text('a')], 'tool_calls': [tool_call('c')]}):
        decoder.decode_event(event)
        ends = [each for each in decoder.draft.parts.take_events() if isinstance(each, PartEndEvent)]
        ended += [(event['type'], each.part.part_kind) for each in ends]
    assert ended == [('content-end', 'thinking'), ('content-end', 'text'), ('tool-call-end', 'tool-call')]


def test_a_block_may_contain_thinking_and_then_text() -> None:
    response = decode_stream(
        START,
        message_event('content-delta', 0, content={'thinking': 'Hm.'}),
        message_event('content-delta', 0, content={'text': 'a', 'thinking': None}),
        END,
    )
    assert response.parts == [ThinkingPart('Hm.', provider_name='cohere'), TextPart('a')]


def test_tool_calls_in_lists_and_whole_tool_calls_are_decoded() -> None:
    event: Json = {'type': 'tool-call-start', 'index': 0, 'delta': {'message': {'tool_calls': [tool_call('a')]}}}
    assert decode_stream(START, event, END).parts == [ToolCallPart('weather', '{"city": "Rome"}', 'a')]
    unnumbered = [message_event('tool-call-start', tool_calls=tool_call(id)) for id in 'ab']
    end = {'type': 'tool-call-end'}
    assert [
        each.tool_call_id for each in decode_stream(START, unnumbered[0], end, unnumbered[1], end, END).tool_calls
    ] == [
        'a',
        'b',
    ]


def test_a_message_that_is_one_text_is_decoded() -> None:
    assert CohereModel(PLUS, api_key='k')
    draft = ResponseDraft(PLUS, 'cohere')
    CohereModel(PLUS, api_key='k').new_decoder(draft).decode(response_body({'content': 'a'}))
    assert draft.get().parts == [TextPart('a')]


# ---------------------------------------------------------------------- facts about the response


@pytest.mark.parametrize(
    ('usage', 'expected'),
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
def test_tokens_are_counted_and_billed_ones_are_details(usage: Any, expected: RequestUsage) -> None:
    assert decode_whole({}, usage=usage).usage == expected
    end = {'type': 'message-end', 'delta': {'finish_reason': 'COMPLETE', 'usage': usage}}
    check_event(end)
    assert decode_stream(START, end).usage == expected


LOGPROBS = [
    {'text': 'a', 'token_ids': [1], 'logprobs': [-0.5]},
    {'text': ' b', 'token_ids': [2, 3], 'logprobs': [0, 0]},
]


def test_log_probabilities_are_kept_whole_and_streamed() -> None:
    whole = decode_whole({'content': [text('a b')]}, logprobs=LOGPROBS)
    deltas = [
        {**message_event('content-delta', 0, content={'text': item['text']}), 'logprobs': item} for item in LOGPROBS
    ]
    for response in (whole, decode_stream(START, *deltas, END)):
        assert (response.provider_details or {})['logprobs'] == LOGPROBS


def test_the_prompt_of_a_debug_event_is_kept() -> None:
    event = {'type': 'debug', 'prompt': '<BOS_TOKEN>'}
    check_event(event)
    assert decode_stream(START, event, END).provider_details == {'prompt': '<BOS_TOKEN>', 'finish_reason': 'COMPLETE'}


# ---------------------------------------------------------------------- failures


@pytest.mark.parametrize(('reason', 'status'), [('ERROR', 500), ('TIMEOUT', 504), (None, 500), ('NEW', 500)])
def test_an_explained_failure_in_a_stream_is_an_error(reason: str | None, status: int) -> None:
    end = {'type': 'message-end', 'delta': {'finish_reason': reason, 'error': 'the generation failed'}}
    check_event(end)
    with pytest.raises(ModelHTTPError, match='the generation failed') as caught:
        decode_stream(START, message_event('content-delta', 0, content={'text': 'a'}), end)
    assert (caught.value.status_code, caught.value.in_stream, caught.value.retryable) == (status, True, True)


def test_an_unexplained_failure_is_a_finish_reason() -> None:
    for word in ('ERROR', 'TIMEOUT'):
        for response in (
            decode_whole({}, finish_reason=word),
            decode_stream(START, {**END, 'delta': {'finish_reason': word}}),
        ):
            assert (response.finish_reason, response.provider_details) == ('error', {'finish_reason': word})


def test_an_error_body_instead_of_an_event_or_a_response_is_an_error() -> None:
    failure: Json = {'id': 'x', 'message': 'internal server error'}
    with pytest.raises(ModelAPIError, match='internal server error'):
        decode_stream(START, failure)
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
    ],
)
def test_a_body_of_the_wrong_shape_is_unexpected(wrong: Json) -> None:
    reader = CohereModel(PLUS, api_key='k').new_reader()
    with pytest.raises(UnexpectedModelBehavior):
        reader.decode(wrong)


def test_a_truncated_stream_is_incomplete_and_its_tool_call_is_kept() -> None:
    events = [event for event in stream_message(EVERYTHING) if event['type'] not in ('message-end', 'tool-call-end')]
    response = decode_stream(*events, complete=False)
    assert (response.state, response.finish_reason) == ('incomplete', None)
    assert isinstance(response, ModelResponse)
    assert [part.part_kind for part in response.parts] == ['thinking', 'thinking', 'text', *['tool-call'] * 3]
