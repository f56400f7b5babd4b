"""Gemini responses: decoded whole and streamed, and sent back."""

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
    chunk,
    comparable_parts,
    decode_body,
    decode_stream,
    split_into_chunks,
    tool_call,
)

OWN: Json = {'provider_name': 'google-gla'}


def with_signature(signature: str, **more: Any) -> Json:
    return {**OWN, 'provider_details': {'thought_signature': signature, **more}}


# ---------------------------------------------------------------------- parts


def test_whole_and_streamed_responses_are_decoded_alike() -> None:
    whole, stream = decode_body(chunk(*PARTS, finish='STOP')), decode_stream(*split_into_chunks(PARTS))
    assert comparable_parts(whole) == comparable_parts(stream)
    assert (stream.state, stream.finish_reason, stream.model_name) == ('complete', 'stop', 'answered')


def test_the_parts_of_a_response() -> None:
    parts = decode_body(chunk(*PARTS, finish='STOP')).parts
    calls = [part for part in parts if not isinstance(part, NativeToolReturnPart)]
    assert calls == [
        ThinkingPart('Let me think.', **OWN),
        ThinkingPart('Signed thoughts.', **with_signature('c2ln')),
        TextPart('So it is. '),
        TextPart('Signed words.', **with_signature('d29y')),
        TextPart('And more.'),
        ToolCallPart('weather', {'city': 'Rome'}, 'c1', **with_signature('Y2Fs')),
        ToolCallPart('weather', {'city': 'Bonn'}, 'c2', **OWN),
        NativeToolCallPart(
            'web_search', {'queries': ['q']}, 's1', **with_signature('c2Vh', tool_type='GOOGLE_SEARCH_WEB')
        ),
        NativeToolCallPart('google_maps', {}, 'm1', **OWN, provider_details={'tool_type': 'GOOGLE_MAPS'}),
        NativeToolCallPart('code_execution', CODE['executableCode'], 'x1', **OWN),
        FilePart(BinaryContent(PIXEL.data, media_type='image/png'), **with_signature('aW1n')),
        TextPart('', **with_signature('bGFzdA==')),
    ]
    native_results = [
        (part.tool_name, part.tool_call_id, part.content) for part in parts if isinstance(part, NativeToolReturnPart)
    ]
    assert native_results == [
        ('web_search', 's1', FOUND['toolResponse']['response']),
        ('google_maps', 'm1', {'places': []}),
        ('code_execution', 'x1', RESULT['codeExecutionResult']),
    ]


@pytest.mark.parametrize(
    'make', [lambda: decode_body(chunk(*PARTS, finish='STOP')), lambda: decode_stream(*split_into_chunks(PARTS))]
)
def test_every_part_is_sent_back_unchanged(make: Any) -> None:
    results = ask(ToolReturnPart('weather', 'x', 'c1'), ToolReturnPart('weather', 'x', 'c2'))
    sent = Sent([ask('hi'), make(), results], function_tools=[WEATHER])
    assert sent.body['contents'][1] == {'role': 'model', 'parts': as_json(PARTS)}
    assert sent.warnings == []


def test_text_continues_until_another_part_and_empty_fragments_are_skipped() -> None:
    pieces = [
        {'text': 'a'},
        {'text': ''},
        {'text': 'b'},
        {'text': '', 'thought': True},
        {'text': 'c'},
        tool_call(),
        {'text': 'd'},
    ]
    texts = [part.content for part in decode_stream(*map(chunk, pieces)).parts if isinstance(part, TextPart)]
    assert texts == ['abc', 'd']


def test_a_signature_after_the_text_is_a_part_of_its_own() -> None:
    response = decode_stream(
        chunk({'text': 'a'}), chunk({'text': '', 'thoughtSignature': 's'}), chunk({'text': 'b'}, finish='STOP')
    )
    assert response.parts == [TextPart('a'), TextPart('', **with_signature('s')), TextPart('b')]
    assert response.text == 'ab'
    alone = decode_stream(chunk({'text': 'a'}), chunk({'thoughtSignature': 's'}, finish='STOP'))
    assert alone.parts == [TextPart('a'), TextPart('', **with_signature('s'))]


def test_draft_images_and_unknown_parts_are_skipped() -> None:
    sketch = {'inlineData': {'mimeType': 'image/png', 'data': 'AAAA'}, 'thought': True, 'thoughtSignature': 's'}
    response = decode_body(
        chunk(sketch, {'hologram': {}, 'thoughtSignature': 's'}, {'text': 'x', 'functionCall': None})
    )
    assert response.parts == [TextPart('x')]


def test_speech_is_a_file() -> None:
    [part] = decode_body(chunk({'inlineData': {'mimeType': 'audio/L16;codec=pcm;rate=24000', 'data': 'AAAA'}})).parts
    assert isinstance(part, FilePart)
    assert (part.content.media_type, part.content.data) == ('audio/L16;codec=pcm;rate=24000', b'\0\0\0')


def test_code_and_its_result_share_an_id_that_is_generated_if_missing() -> None:
    parts: Any = decode_body(
        chunk({'executableCode': {'code': '1'}}, {'codeExecutionResult': {'outcome': 'OUTCOME_OK'}})
    ).parts
    assert [part.tool_call_id for part in parts] == ['code_execution_0', 'code_execution_0']


def test_a_tool_call_without_an_id_gets_one_and_without_a_name_is_an_error() -> None:
    [part] = decode_body(chunk({'functionCall': {'name': 'weather'}})).tool_calls
    assert (part.tool_name, part.args, bool(part.tool_call_id)) == ('weather', {}, True)
    with pytest.raises(KeyError):
        decode_body(chunk({'functionCall': {'args': {'a': 1}}}))


def test_only_the_first_candidate_is_decoded() -> None:
    second: Json = {'index': 1, 'content': {'parts': [{'text': 'no'}]}, 'finishReason': 'SAFETY'}
    response = decode_stream(
        {'candidates': [second]}, {'candidates': [second, chunk({'text': 'yes'}, finish='STOP')['candidates'][0]]}
    )
    assert (response.text, response.finish_reason) == ('yes', 'stop')


# ---------------------------------------------------------------------- tools that only metadata reports

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
def test_a_search_that_only_metadata_reports_is_added_at_the_end(
    metadata: Json, name: str, args: Json, content: Any
) -> None:
    whole = decode_body(chunk({'text': 'So.'}, finish='STOP', groundingMetadata=metadata))
    stream = decode_stream(
        chunk({'text': 'So'}), chunk({'text': '.'}), chunk(finish='STOP', groundingMetadata=metadata)
    )
    assert comparable_parts(whole) == comparable_parts(stream)
    text, native_call, found = whole.parts
    own: Json = {**OWN, 'provider_details': {'source': 'grounding_metadata'}}
    assert native_call == NativeToolCallPart(name, args, f'{name}_0', **own)
    assert isinstance(found, NativeToolReturnPart)
    assert (text, found.content, found.tool_call_id) == (TextPart('So.'), content, f'{name}_0')
    assert (whole.provider_details or {})['grounding_metadata'] == metadata


@pytest.mark.parametrize(
    'metadata',
    [
        {'groundingMetadata': [1]},
        {'groundingMetadata': {'groundingChunks': 7, 'webSearchQueries': ['q']}},
        {'groundingMetadata': {'groundingChunks': {'web': {}}}},
        {'groundingMetadata': {'groundingChunks': ['web', None, {'web': 'x', 'retrievedContext': 3}]}},
        {'urlContextMetadata': [1]},
        {'urlContextMetadata': {'urlMetadata': 'x'}},
        {'urlContextMetadata': {'urlMetadata': [1, None]}},
    ],
    ids=str,
)
def test_malformed_metadata_loses_no_text(metadata: Json) -> None:
    whole = decode_body(chunk({'text': 'So.'}, finish='STOP', **metadata))
    stream = decode_stream(chunk({'text': 'So.'}), chunk(finish='STOP', **metadata))
    assert comparable_parts(whole) == comparable_parts(stream)
    assert whole.text == 'So.'


def test_pages_that_only_metadata_reports_are_added_before_the_text() -> None:
    pages = [{'retrievedUrl': 'https://x.org', 'urlRetrievalStatus': 'URL_RETRIEVAL_STATUS_SUCCESS'}]
    response = decode_stream(
        chunk({'text': 'So'}, urlContextMetadata={'urlMetadata': pages}), chunk({'text': '.'}, finish='STOP')
    )
    assert [part.part_kind for part in response.parts] == ['builtin-tool-call', 'builtin-tool-return', 'text']
    [(native_call, found)] = response.native_tool_calls
    assert found is not None
    assert (native_call.tool_name, native_call.args, found.content) == ('web_fetch', {'urls': ['https://x.org']}, pages)


def test_metadata_adds_no_parts_if_the_response_has_parts_of_tools() -> None:
    pages = {'urlMetadata': [{'retrievedUrl': 'https://x.org'}]}
    whole = chunk(SEARCH, FOUND, {'text': 'So.'}, finish='STOP', groundingMetadata=WEB, urlContextMetadata=pages)
    assert [part.part_kind for part in decode_body(whole).parts] == ['builtin-tool-call', 'builtin-tool-return', 'text']


def test_the_passages_of_a_file_search_are_added_to_its_result() -> None:
    search = {'toolCall': {'toolType': 'FILE_SEARCH', 'args': {'query': 'q'}, 'id': 'f1'}}
    empty = {'toolResponse': {'toolType': 'FILE_SEARCH', 'id': 'f1'}}
    whole = decode_body(chunk(search, empty, {'text': 'So.'}, finish='STOP', groundingMetadata=STORES))
    stream = decode_stream(chunk(search, empty), chunk({'text': 'So.'}), chunk(finish='STOP', groundingMetadata=STORES))
    assert comparable_parts(whole) == comparable_parts(stream)
    [(_, found)] = whole.native_tool_calls
    assert found is not None
    assert found.content == [{'title': 'a.pdf', 'text': 'x'}]
    assert Sent([ask('hi'), whole, ask('go on')]).body['contents'][1]['parts'][:2] == [search, empty]
    [(_, unfilled)] = decode_body(chunk(search, empty, finish='STOP')).native_tool_calls
    assert unfilled is not None
    assert unfilled.content is None


def test_the_details_of_a_candidate_are_kept_and_fragments_are_joined() -> None:
    response = decode_stream(
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


def test_a_stream_without_a_finish_reason_is_truncated() -> None:
    response = decode_stream(chunk({'text': 'a'}), chunk({'text': 'b'}, usage={'promptTokenCount': 1}))
    assert (response.text, response.state, response.finish_reason) == ('ab', 'incomplete', None)


@pytest.mark.parametrize('make', [decode_stream, decode_body], ids=['streamed', 'whole'])
def test_a_blocked_prompt_is_a_content_filter(make: Any) -> None:
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


@pytest.mark.parametrize('make', [decode_stream, decode_body], ids=['streamed', 'whole'])
def test_a_candidate_without_content_has_a_finish_message(make: Any) -> None:
    response: ModelResponse = make({'candidates': [{'finishReason': 'MODEL_ARMOR', 'finishMessage': 'Blocked.'}]})
    assert (response.parts, response.finish_reason, response.state) == ([], 'content_filter', 'complete')
    assert (response.provider_details or {})['finish_message'] == 'Blocked.'


def test_a_response_without_candidates_is_empty_and_another_body_is_an_error() -> None:
    response = decode_body({'usageMetadata': {'promptTokenCount': 3}, 'modelVersion': 'm'})
    assert (response.parts, response.finish_reason, response.usage.input_tokens) == ([], None, 3)
    with pytest.raises(UnexpectedModelBehavior, match='no candidates'):
        decode_body({'choices': []})


def test_a_list_of_chunks_is_decoded() -> None:
    response = decode_body([chunk({'text': 'a'}), chunk({'text': 'b'}, finish='MAX_TOKENS')])
    assert (response.text, response.finish_reason) == ('ab', 'length')
    with pytest.raises(UnexpectedModelBehavior, match='no candidates'):
        decode_body([])


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
def test_a_part_of_a_wrong_shape_is_an_error(part: Any) -> None:
    for make in (decode_stream, decode_body):
        with pytest.raises(DECODING_ERRORS):
            make(chunk(part, finish='STOP'))


def test_the_response_has_its_model_id_and_time() -> None:
    facts = {'responseId': 'r', 'createTime': '2026-01-02T03:04:05.678901234Z'}
    response = decode_stream({**chunk({'text': 'a'}), **facts}, chunk(finish='STOP'))
    assert (response.model_name, response.provider_response_id) == ('answered', 'r')
    assert response.timestamp == datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
    assert decode_stream({**chunk(finish='STOP'), 'createTime': 'noon'}).finish_reason == 'stop'


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
    output_reasoning_tokens=30,
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


def test_tokens_are_counted_by_modality_and_thinking_is_output() -> None:
    response = decode_body(chunk({'text': 'a'}, finish='STOP', usage=USAGE))
    assert response.usage == COUNTED
    assert (response.provider_details or {})['traffic_type'] == 'ON_DEMAND'


def test_each_chunk_counts_the_response_so_far_and_missing_counts_are_kept() -> None:
    response = decode_stream(
        chunk({'text': 'a'}, usage=USAGE),
        chunk({'text': 'b'}, usage={'promptTokenCount': 100, 'candidatesTokenCount': 25, 'thoughtsTokenCount': 30}),
        chunk(finish='STOP', usage={}),
    )
    usage = response.usage
    assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens) == (107, 40, 55)
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
def test_errors_of_google_are_typed(
    found: ModelHTTPError, kind: type, retry_after: float | None, retryable: bool
) -> None:
    assert (type(found), found.retry_after, found.retryable) == (kind, retry_after, retryable)


@pytest.mark.parametrize('make', [decode_stream, lambda *events: decode_body(list(events))])
def test_an_error_inside_a_response_is_raised(make: Any) -> None:
    event = {'error': {'code': 429, 'message': 'Slowly.', 'status': 'RESOURCE_EXHAUSTED', 'details': [RETRY]}}
    with pytest.raises(RateLimitError, match='Slowly') as caught:
        make(chunk({'text': 'a'}), event)
    assert (caught.value.status_code, caught.value.retry_after, caught.value.in_stream) == (429, 34.5, True)
