"""What the Gemini room makes of answers, whole and streamed, and how they go back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pydantic_llm.exceptions import (
    AuthenticationError,
    ContextLengthError,
    ModelHTTPError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    UnexpectedModelBehavior,
)
from pydantic_llm.messages import (
    BinaryContent,
    FilePart,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_llm.transport.errors import error_from_response
from pydantic_llm.usage import RequestUsage
from pydantic_llm.wire.reader import DECODING_ERRORS
from tests.models.gemini_contents import (
    CODE,
    FOUND,
    PARTS,
    PIXEL,
    RESULT,
    SEARCH,
    WEATHER,
    Json,
    Sent,
    as_json,
    ask,
    call,
    chunk,
    read,
    read_whole,
    streamed,
    what_counts,
)

OWN: Json = {'provider_name': 'google-gla'}


def signed(signature: str, **more: Any) -> Json:
    return {**OWN, 'provider_details': {'thought_signature': signature, **more}}


# ---------------------------------------------------------------------- parts


def test_whole_and_streamed_answers_are_read_alike() -> None:
    whole, stream = read_whole(chunk(*PARTS, finish='STOP')), read(*streamed(PARTS))
    assert what_counts(whole) == what_counts(stream)
    assert (stream.state, stream.finish_reason, stream.model_name) == ('complete', 'stop', 'answered')


def test_the_parts_of_an_answer() -> None:
    parts = read_whole(chunk(*PARTS, finish='STOP')).parts
    calls = [part for part in parts if not isinstance(part, NativeToolReturnPart)]
    assert calls == [
        ThinkingPart('Let me think.', **OWN),
        ThinkingPart('Signed thoughts.', **signed('c2ln')),
        TextPart('So it is. '),
        TextPart('Signed words.', **signed('d29y')),
        TextPart('And more.'),
        ToolCallPart('weather', {'city': 'Rome'}, 'c1', **signed('Y2Fs')),
        ToolCallPart('weather', {'city': 'Bonn'}, 'c2', **OWN),
        NativeToolCallPart('web_search', {'queries': ['q']}, 's1', **signed('c2Vh', tool_type='GOOGLE_SEARCH_WEB')),
        NativeToolCallPart('google_maps', {}, 'm1', **OWN, provider_details={'tool_type': 'GOOGLE_MAPS'}),
        NativeToolCallPart('code_execution', CODE['executableCode'], 'x1', **OWN),
        FilePart(BinaryContent(PIXEL.data, media_type='image/png'), **signed('aW1n')),
        TextPart('', **signed('bGFzdA==')),
    ]
    returned = [
        (part.tool_name, part.tool_call_id, part.content) for part in parts if isinstance(part, NativeToolReturnPart)
    ]
    assert returned == [
        ('web_search', 's1', FOUND['toolResponse']['response']),
        ('google_maps', 'm1', {'places': []}),
        ('code_execution', 'x1', RESULT['codeExecutionResult']),
    ]


@pytest.mark.parametrize('make', [lambda: read_whole(chunk(*PARTS, finish='STOP')), lambda: read(*streamed(PARTS))])
def test_every_part_goes_back_as_it_came(make: Any) -> None:
    answers = ask(ToolReturnPart('weather', 'x', 'c1'), ToolReturnPart('weather', 'x', 'c2'))
    sent = Sent([ask('hi'), make(), answers], function_tools=[WEATHER])
    assert sent.body['contents'][1] == {'role': 'model', 'parts': as_json(PARTS)}
    assert sent.warnings == []


def test_text_goes_on_until_something_else_comes_and_empty_pieces_say_nothing() -> None:
    pieces = [
        {'text': 'a'},
        {'text': ''},
        {'text': 'b'},
        {'text': '', 'thought': True},
        {'text': 'c'},
        call(),
        {'text': 'd'},
    ]
    texts = [part.content for part in read(*map(chunk, pieces)).parts if isinstance(part, TextPart)]
    assert texts == ['abc', 'd']


def test_a_signature_behind_the_text_is_a_part_of_its_own() -> None:
    response = read(
        chunk({'text': 'a'}), chunk({'text': '', 'thoughtSignature': 's'}), chunk({'text': 'b'}, finish='STOP')
    )
    assert response.parts == [TextPart('a'), TextPart('', **signed('s')), TextPart('b')]
    assert response.text == 'ab'
    alone = read(chunk({'text': 'a'}), chunk({'thoughtSignature': 's'}, finish='STOP'))
    assert alone.parts == [TextPart('a'), TextPart('', **signed('s'))]


def test_sketches_and_parts_that_nobody_knows_are_passed_over() -> None:
    sketch = {'inlineData': {'mimeType': 'image/png', 'data': 'AAAA'}, 'thought': True, 'thoughtSignature': 's'}
    response = read_whole(chunk(sketch, {'hologram': {}, 'thoughtSignature': 's'}, {'text': 'x', 'functionCall': None}))
    assert response.parts == [TextPart('x')]


def test_speech_is_a_file() -> None:
    [part] = read_whole(chunk({'inlineData': {'mimeType': 'audio/L16;codec=pcm;rate=24000', 'data': 'AAAA'}})).parts
    assert isinstance(part, FilePart)
    assert (part.content.media_type, part.content.data) == ('audio/L16;codec=pcm;rate=24000', b'\0\0\0')


def test_code_and_its_result_share_an_id_that_is_made_up_where_there_is_none() -> None:
    parts: Any = read_whole(
        chunk({'executableCode': {'code': '1'}}, {'codeExecutionResult': {'outcome': 'OUTCOME_OK'}})
    ).parts
    assert [part.tool_call_id for part in parts] == ['code_execution_0', 'code_execution_0']


def test_a_call_without_an_id_gets_one_and_without_a_name_is_no_call() -> None:
    [part] = read_whole(chunk({'functionCall': {'name': 'weather'}})).tool_calls
    assert (part.tool_name, part.args, bool(part.tool_call_id)) == ('weather', {}, True)
    with pytest.raises(KeyError):
        read_whole(chunk({'functionCall': {'args': {'a': 1}}}))


def test_only_the_first_candidate_is_read() -> None:
    second: Json = {'index': 1, 'content': {'parts': [{'text': 'no'}]}, 'finishReason': 'SAFETY'}
    response = read(
        {'candidates': [second]}, {'candidates': [second, chunk({'text': 'yes'}, finish='STOP')['candidates'][0]]}
    )
    assert (response.text, response.finish_reason) == ('yes', 'stop')


# ---------------------------------------------------------------------- what metadata tells

WEB = {'webSearchQueries': ['q'], 'groundingChunks': [{'web': {'uri': 'u', 'title': 't'}}], 'searchEntryPoint': {}}
MAPS = {'groundingChunks': [{'maps': {'uri': 'u', 'title': 't'}}]}
STORES = {'groundingChunks': [{'retrievedContext': {'title': 'a.pdf', 'text': 'x'}}]}


@pytest.mark.parametrize(
    ('metadata', 'name', 'args', 'content'),
    [
        (WEB, 'web_search', {'queries': ['q']}, [{'uri': 'u', 'title': 't'}]),
        (MAPS, 'google_maps', {}, [{'uri': 'u', 'title': 't'}]),
        (STORES, 'file_search', {}, [{'title': 'a.pdf', 'text': 'x'}]),
    ],
)
def test_a_search_that_only_metadata_speaks_of_is_told_at_the_end(
    metadata: Json, name: str, args: Json, content: Any
) -> None:
    whole = read_whole(chunk({'text': 'So.'}, finish='STOP', groundingMetadata=metadata))
    stream = read(chunk({'text': 'So'}), chunk({'text': '.'}), chunk(finish='STOP', groundingMetadata=metadata))
    assert what_counts(whole) == what_counts(stream)
    text, asked, found = whole.parts
    told: Json = {**OWN, 'provider_details': {'source': 'grounding_metadata'}}
    assert asked == NativeToolCallPart(name, args, f'{name}_0', **told)
    assert isinstance(found, NativeToolReturnPart)
    assert (text, found.content, found.tool_call_id) == (TextPart('So.'), content, f'{name}_0')
    assert (whole.provider_details or {})['grounding_metadata'] == metadata


def test_pages_that_were_read_are_told_before_the_text() -> None:
    pages = [{'retrievedUrl': 'https://x.org', 'urlRetrievalStatus': 'URL_RETRIEVAL_STATUS_SUCCESS'}]
    response = read(
        chunk({'text': 'So'}, urlContextMetadata={'urlMetadata': pages}), chunk({'text': '.'}, finish='STOP')
    )
    assert [part.part_kind for part in response.parts] == ['builtin-tool-call', 'builtin-tool-return', 'text']
    [(asked, found)] = response.native_tool_calls
    assert found is not None
    assert (asked.tool_name, asked.args, found.content) == ('web_fetch', {'urls': ['https://x.org']}, pages)


def test_where_parts_speak_of_a_tool_metadata_does_not_tell_it_again() -> None:
    pages = {'urlMetadata': [{'retrievedUrl': 'https://x.org'}]}
    whole = chunk(SEARCH, FOUND, {'text': 'So.'}, finish='STOP', groundingMetadata=WEB, urlContextMetadata=pages)
    assert [part.part_kind for part in read_whole(whole).parts] == ['builtin-tool-call', 'builtin-tool-return', 'text']


def test_what_a_search_in_files_found_comes_later_and_goes_into_its_part() -> None:
    asked = {'toolCall': {'toolType': 'FILE_SEARCH', 'args': {'query': 'q'}, 'id': 'f1'}}
    empty = {'toolResponse': {'toolType': 'FILE_SEARCH', 'id': 'f1'}}
    whole = read_whole(chunk(asked, empty, {'text': 'So.'}, finish='STOP', groundingMetadata=STORES))
    stream = read(chunk(asked, empty), chunk({'text': 'So.'}), chunk(finish='STOP', groundingMetadata=STORES))
    assert what_counts(whole) == what_counts(stream)
    [(_, found)] = whole.native_tool_calls
    assert found is not None
    assert found.content == [{'title': 'a.pdf', 'text': 'x'}]
    assert Sent([ask('hi'), whole, ask('go on')]).body['contents'][1]['parts'][:2] == [asked, empty]
    [(_, never)] = read_whole(chunk(asked, empty, finish='STOP')).native_tool_calls
    assert never is not None
    assert never.content is None


def test_what_is_said_of_a_candidate_is_kept_and_pieces_are_joined() -> None:
    response = read(
        chunk({'text': 'a'}, logprobsResult={'chosenCandidates': [1]}, safetyRatings=[{'blocked': False}]),
        chunk(
            {'text': 'b'},
            logprobsResult={'chosenCandidates': [2]},
            citationMetadata={'citationSources': [{'uri': 'u'}]},
        ),
        chunk(
            finish='STOP', finishMessage='Done.', avgLogprobs=-0.5, citationMetadata={'citationSources': [{'uri': 'v'}]}
        ),
    )
    assert response.provider_details == {
        'finish_reason': 'STOP',
        'finish_message': 'Done.',
        'avg_logprobs': -0.5,
        'safety_ratings': [{'blocked': False}],
        'logprobs': {'chosenCandidates': [1, 2]},
        'citation_metadata': {'citationSources': [{'uri': 'u'}, {'uri': 'v'}]},
    }


# ---------------------------------------------------------------------- the end


def test_a_stream_whose_last_chunk_names_no_reason_was_cut() -> None:
    response = read(chunk({'text': 'a'}), chunk({'text': 'b'}, usage={'promptTokenCount': 1}))
    assert (response.text, response.state, response.finish_reason) == ('ab', 'incomplete', None)


@pytest.mark.parametrize('make', [read, read_whole], ids=['streamed', 'whole'])
def test_a_prompt_that_is_blocked_is_a_content_filter(make: Any) -> None:
    ratings = [{'category': 'c', 'probability': 'HIGH'}]
    feedback = {'blockReason': 'MODEL_ARMOR', 'blockReasonMessage': 'No.', 'safetyRatings': ratings}
    response: ModelResponse = make({'promptFeedback': feedback, 'usageMetadata': {'promptTokenCount': 7}})
    assert (response.parts, response.finish_reason, response.state) == ([], 'content_filter', 'complete')
    assert response.provider_details == {
        'block_reason': 'MODEL_ARMOR',
        'block_reason_message': 'No.',
        'safety_ratings': ratings,
    }
    assert response.usage.input_tokens == 7
    assert make({'promptFeedback': {'blockReason': 'OTHER'}}).provider_details == {'block_reason': 'OTHER'}


@pytest.mark.parametrize('make', [read, read_whole], ids=['streamed', 'whole'])
def test_a_candidate_without_content_says_why(make: Any) -> None:
    response: ModelResponse = make({'candidates': [{'finishReason': 'MODEL_ARMOR', 'finishMessage': 'Blocked.'}]})
    assert (response.parts, response.finish_reason, response.state) == ([], 'content_filter', 'complete')
    assert (response.provider_details or {})['finish_message'] == 'Blocked.'


def test_an_answer_without_a_candidate_is_empty_and_a_body_without_any_field_is_none() -> None:
    response = read_whole({'usageMetadata': {'promptTokenCount': 3}, 'modelVersion': 'm'})
    assert (response.parts, response.finish_reason, response.usage.input_tokens) == ([], None, 3)
    with pytest.raises(UnexpectedModelBehavior, match='no candidates'):
        read_whole({'choices': []})


def test_a_server_that_sends_the_chunks_as_a_list_is_understood() -> None:
    response = read_whole([chunk({'text': 'a'}), chunk({'text': 'b'}, finish='MAX_TOKENS')])
    assert (response.text, response.finish_reason) == ('ab', 'length')
    with pytest.raises(UnexpectedModelBehavior, match='no candidates'):
        read_whole([])


@pytest.mark.parametrize(
    'part',
    [
        {'text': 3},
        {'functionCall': {'args': {}}},
        {'functionCall': 'f'},
        {'inlineData': {'mimeType': 'image/png'}},
        {'inlineData': {'mimeType': 'image/png', 'data': '***'}},
        {'inlineData': {'mimeType': 'image/png', 'data': 'AAAAA'}},
        {'executableCode': 'print()'},
        'text',
    ],
    ids=repr,
)
def test_a_part_of_a_wrong_shape_is_no_answer(part: Any) -> None:
    for make in (read, read_whole):
        with pytest.raises(DECODING_ERRORS):
            make(chunk(part, finish='STOP'))


def test_who_answered_and_when() -> None:
    facts = {'responseId': 'r', 'createTime': '2026-01-02T03:04:05.678901234Z'}
    response = read({**chunk({'text': 'a'}), **facts}, chunk(finish='STOP'))
    assert (response.model_name, response.provider_response_id) == ('answered', 'r')
    assert response.timestamp == datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
    assert read({**chunk(finish='STOP'), 'createTime': 'noon'}).finish_reason == 'stop'


# ---------------------------------------------------------------------- usage

USAGE: Json = {
    'promptTokenCount': 100,
    'cachedContentTokenCount': 40,
    'candidatesTokenCount': 20,
    'thoughtsTokenCount': 30,
    'toolUsePromptTokenCount': 7,
    'totalTokenCount': 157,
    'promptTokensDetails': [{'modality': 'TEXT', 'tokenCount': 60}, {'modality': 'AUDIO', 'tokenCount': 40}],
    'cacheTokensDetails': [{'modality': 'AUDIO', 'tokenCount': 15}, {'modality': 'TEXT', 'tokenCount': 25}],
    'candidatesTokensDetails': [{'modality': 'AUDIO', 'tokenCount': 20}],
    'toolUsePromptTokensDetails': [{'modality': 'TEXT', 'tokenCount': 7}],
    'trafficType': 'ON_DEMAND',
}
COUNTED = RequestUsage(
    input_tokens=107,
    cache_read_tokens=40,
    output_tokens=50,
    input_audio_tokens=40,
    cache_audio_read_tokens=15,
    output_audio_tokens=20,
    details={
        'thoughts_tokens': 30,
        'tool_use_prompt_tokens': 7,
        'text_prompt_tokens': 60,
        'audio_prompt_tokens': 40,
        'audio_cache_tokens': 15,
        'text_cache_tokens': 25,
        'audio_candidates_tokens': 20,
        'text_tool_use_prompt_tokens': 7,
    },
)


def test_tokens_are_counted_by_modality_and_thoughts_are_output() -> None:
    response = read_whole(chunk({'text': 'a'}, finish='STOP', usage=USAGE))
    assert response.usage == COUNTED
    assert (response.provider_details or {})['traffic_type'] == 'ON_DEMAND'


def test_each_chunk_counts_the_answer_so_far_and_what_it_leaves_out_stays() -> None:
    response = read(
        chunk({'text': 'a'}, usage=USAGE),
        chunk({'text': 'b'}, usage={'promptTokenCount': 100, 'candidatesTokenCount': 25, 'thoughtsTokenCount': 30}),
        chunk(finish='STOP', usage={}),
    )
    usage = response.usage
    assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens) == (100, 40, 55)
    assert usage.details == COUNTED.details


# ---------------------------------------------------------------------- errors


def error(status: int, code: str, message: str, *details: Json) -> ModelHTTPError:
    body: Json = {'error': {'code': status, 'message': message, 'status': code, 'details': list(details)}}
    content = str(body).replace("'", '"').encode()
    return error_from_response(status, {}, content, model_name='m', provider_name='google-gla')


RETRY = {'@type': 'type.googleapis.com/google.rpc.RetryInfo', 'retryDelay': '34.5s'}
BAD_KEY = {'@type': 'type.googleapis.com/google.rpc.ErrorInfo', 'reason': 'API_KEY_INVALID', 'domain': 'googleapis.com'}


@pytest.mark.parametrize(
    ('found', 'kind', 'retry_after', 'retryable'),
    [
        (error(400, 'INVALID_ARGUMENT', 'API key expired.', BAD_KEY), AuthenticationError, None, False),
        (error(403, 'PERMISSION_DENIED', 'No.'), AuthenticationError, None, False),
        (error(429, 'RESOURCE_EXHAUSTED', 'You exceeded your current quota.', RETRY), RateLimitError, 34.5, True),
        (error(429, 'RESOURCE_EXHAUSTED', 'You exceeded your current quota.'), QuotaExceededError, None, False),
        (error(429, 'RESOURCE_EXHAUSTED', 'Resource exhausted.'), RateLimitError, None, True),
        (error(503, 'UNAVAILABLE', 'The model is overloaded.'), OverloadedError, None, True),
        (
            error(
                400, 'INVALID_ARGUMENT', 'The input token count (9) exceeds the maximum number of tokens allowed (8).'
            ),
            ContextLengthError,
            None,
            False,
        ),
        (error(400, 'INVALID_ARGUMENT', 'Request contains an invalid argument.'), ModelHTTPError, None, False),
    ],
)
def test_googles_words_for_errors(
    found: ModelHTTPError, kind: type, retry_after: float | None, retryable: bool
) -> None:
    assert (type(found), found.retry_after, found.retryable) == (kind, retry_after, retryable)


@pytest.mark.parametrize('make', [read, lambda *events: read_whole(list(events))])
def test_an_error_inside_an_answer_is_raised(make: Any) -> None:
    event = {'error': {'code': 429, 'message': 'Slowly.', 'status': 'RESOURCE_EXHAUSTED', 'details': [RETRY]}}
    with pytest.raises(RateLimitError, match='Slowly') as caught:
        make(chunk({'text': 'a'}), event)
    assert (caught.value.status_code, caught.value.retry_after, caught.value.in_stream) == (429, 34.5, True)
