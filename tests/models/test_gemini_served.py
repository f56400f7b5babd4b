"""The Gemini API from the server's side: what is served is read as it was meant."""

from __future__ import annotations

from typing import Any

import pytest

from pydantic_llm.exceptions import NotFoundError, RateLimitError, UserError
from pydantic_llm.messages import (
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
    UserPromptPart,
    VideoUrl,
)
from pydantic_llm.messages.history import repair
from pydantic_llm.models import ResponseDraft
from pydantic_llm.models.gemini.decode import decode_end, decode_event
from pydantic_llm.models.gemini.serve import (
    ChunkWriter,
    address,
    decode_request,
    encode_error,
    encode_response,
)
from pydantic_llm.native_tools import FileSearchTool, MCPServerTool, WebSearchTool
from pydantic_llm.wire.serving import ServedRequest
from tests.models.gemini_contents import (
    CITY,
    FLASH,
    PARTS,
    PIXEL_DATA,
    SKIP,
    Json,
    as_json,
    call,
    chunk,
    gemini,
    read,
    read_whole,
    returned,
    streamed,
    what_counts,
)
from tests.models.test_gemini_answers import MAPS, STORES, USAGE, WEB

ASKED = ServedRequest('served', [])
FACTS: Json = {
    'groundingMetadata': WEB,
    'finishMessage': 'Done.',
    'logprobsResult': {'chosenCandidates': [1]},
    'avgLogprobs': -0.5,
}


def told_at_once(response: ModelResponse) -> list[Json]:
    """The chunks that are written for parts that come whole."""
    writer = ChunkWriter(ASKED)
    events = list(writer.begin())
    for index, part in enumerate(response.parts):
        for happened in (PartStartEvent(index, part), PartEndEvent(index, part)):
            events += writer.event(happened)
    return as_json([*events, *writer.end(response)])


def passed_on(*chunks: Json) -> list[Json]:
    """The chunks that a gateway writes while it reads Google's."""
    draft, writer = ResponseDraft('asked', 'google-gla'), ChunkWriter(ASKED)
    events: list[Json] = []
    for each in chunks:
        decode_event(each, draft)
        events += [written for happened in draft.parts.take_events() for written in writer.event(happened)]
    decode_end(draft)
    draft.parts.end()
    events += [written for happened in draft.parts.take_events() for written in writer.event(happened)]
    return as_json([*events, *writer.end(draft.get())])


def what_it_says(response: ModelResponse) -> tuple[Any, ...]:
    facts = (response.usage, response.finish_reason, response.provider_details, response.provider_response_id)
    return (what_counts(response), *facts, response.model_name, response.timestamp, response.state)


# ---------------------------------------------------------------------- answers


@pytest.mark.parametrize(
    'body',
    [
        {**chunk(*PARTS, finish='STOP', usage=USAGE), 'responseId': 'r', 'createTime': '2026-01-02T03:04:05Z'},
        chunk({'text': 'So.'}, finish='MAX_TOKENS', usage=USAGE, **FACTS),
        chunk({'text': 'So.'}, finish='STOP', groundingMetadata=MAPS),
        chunk({'text': 'So.'}, finish='STOP', groundingMetadata=STORES),
        chunk({'text': 'So.'}, finish='STOP', urlContextMetadata={'urlMetadata': [{'retrievedUrl': 'https://x.org'}]}),
        chunk(finish='MODEL_ARMOR', finishMessage='No.'),
        {'promptFeedback': {'blockReason': 'SAFETY', 'safetyRatings': [{}]}, 'modelVersion': 'm'},
    ],
    ids=['parts', 'facts', 'maps', 'stores', 'pages', 'blocked answer', 'blocked prompt'],
)
def test_what_is_served_is_read_as_it_was_meant(body: Json) -> None:
    response = read_whole(body)
    again = as_json(encode_response(response, ASKED))
    assert what_it_says(read_whole(again)) == what_it_says(response)
    assert what_it_says(read(*told_at_once(response))) == what_it_says(response)


def test_a_stream_that_is_passed_on_says_the_same() -> None:
    chunks = [*streamed(PARTS, usage=USAGE, groundingMetadata=WEB)]
    assert what_it_says(read(*passed_on(*chunks)))[:4] == what_it_says(read(*chunks))[:4]
    kinds = [[*each['candidates'][0]['content']['parts'][0]] for each in passed_on(*chunks)[:4]]
    assert kinds == [['text', 'thought'], ['text', 'thought'], ['text', 'thought', 'thoughtSignature'], ['text']]


def test_a_signature_that_comes_late_follows_its_text() -> None:
    writer, signed = ChunkWriter(ASKED), {'provider_details': {'thought_signature': 's'}, 'provider_name': 'google-gla'}
    events = [PartStartEvent(0, TextPart('a')), PartEndEvent(0, TextPart('a', **signed))]  # type: ignore[arg-type]
    parts = [each['candidates'][0]['content']['parts'] for event in events for each in writer.event(event)]
    assert parts == [[{'text': 'a'}], [{'text': '', 'thoughtSignature': 's'}]]


def test_what_the_api_cannot_say_is_left_out_of_an_answer() -> None:
    theirs: Json = {'provider_name': 'openai', 'provider_details': {'thought_signature': 'secret'}}
    response = ModelResponse(
        [
            NativeToolCallPart('web_search', {}, 'x', **theirs),
            ThinkingPart('hm', signature='secret', **theirs),
            TextPart('a', **theirs),
            ToolCallPart('look', '{"broken', 'c1'),
        ],
        finish_reason='tool_call',
        provider_name='openai',
        provider_details={'finish_reason': 'tool_calls', 'traffic_type': 'x', 'block_reason': 'y'},
    )
    body = encode_response(response, ASKED)
    [candidate] = body['candidates']
    assert candidate['content']['parts'] == [
        {'text': 'hm', 'thought': True},
        {'text': 'a'},
        call('look', invalid_json='{"broken'),
    ]
    assert (candidate['finishReason'], body['modelVersion'], 'secret' in str(body)) == ('STOP', 'served', False)
    assert 'secret' not in str(told_at_once(response))


def test_an_answer_that_was_cut_is_served_cut() -> None:
    response = ModelResponse([TextPart('half')], state='incomplete')
    assert read(*told_at_once(response)).state == 'incomplete'


def test_errors_have_the_form_of_googles() -> None:
    status, body = encode_error(RateLimitError(429, 'm', message='Slowly.', retry_after=2.5))
    retry = {'@type': 'type.googleapis.com/google.rpc.RetryInfo', 'retryDelay': '2.5s'}
    assert (status, body) == (
        429,
        {'error': {'code': 429, 'message': 'Slowly.', 'status': 'RESOURCE_EXHAUSTED', 'details': [retry]}},
    )
    assert encode_error(KeyError('secret'))[1]['error'] == {
        'code': 500,
        'message': 'The server failed: KeyError',
        'status': 'INTERNAL',
    }


# ---------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ('words', 'found'),
    [
        ({'model': 'a', 'verb': 'generateContent'}, {'model': 'a', 'stream': False}),
        ({'model': 'openai:gpt-4o', 'verb': 'streamGenerateContent'}, {'model': 'openai:gpt-4o', 'stream': True}),
        ({'publisher': 'google', 'model': 'a', 'verb': 'generateContent'}, {'model': 'a', 'stream': False}),
        ({'publisher': 'meta', 'model': 'a', 'verb': 'generateContent'}, {'model': 'meta/a', 'stream': False}),
    ],
)
def test_the_address_names_the_model_and_whether_to_stream(words: dict[str, str], found: Json) -> None:
    assert address(words) == found


def test_another_verb_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="'countTokens' is not served here, but generateContent and"):
        address({'model': 'a', 'verb': 'countTokens'})


# ---------------------------------------------------------------------- requests

BODIES: dict[str, Json] = {
    'files': {
        'contents': [
            {
                'role': 'user',
                'parts': [
                    {'text': 'a'},
                    {'inlineData': {'mimeType': 'image/png', 'data': PIXEL_DATA}},
                    {'fileData': {'fileUri': 'https://x.org/a', 'mimeType': 'image/png'}},
                    {'fileData': {'fileUri': 'https://x.org/a', 'mimeType': 'audio/mpeg'}},
                    {
                        'fileData': {'fileUri': 'https://youtu.be/x', 'mimeType': 'video/mp4'},
                        'mediaResolution': {'level': 'MEDIA_RESOLUTION_LOW'},
                        'videoMetadata': {'startOffset': '1s', 'fps': 2},
                    },
                    {'fileData': {'fileUri': 'gs://b/a.pdf', 'mimeType': 'application/pdf'}},
                    {'fileData': {'fileUri': 'https://generativelanguage.googleapis.com/v1beta/files/a'}},
                ],
            }
        ]
    },
    'history': {
        'systemInstruction': {'parts': [{'text': 'A'}, {'text': 'B'}]},
        'contents': [
            {'role': 'user', 'parts': [{'text': 'hi'}]},
            {'role': 'model', 'parts': PARTS},
            {'role': 'user', 'parts': [returned({'return_value': 'x'}), returned({'error': 'No.'}, id='c2')]},
            {'role': 'user', 'parts': [{'text': 'so?'}]},
            {'role': 'model', 'parts': [call('time', 'c3', signature=SKIP), call('time', 'c4')]},
            {
                'role': 'user',
                'parts': [
                    returned(
                        {'return_value': 'see'},
                        'c3',
                        'time',
                        parts=[{'inlineData': {'mimeType': 'image/png', 'data': PIXEL_DATA}}],
                    ),
                    returned({'a': {'b_c': 1}}, 'c4', 'time'),
                ],
            },
        ],
        'tools': [
            {'functionDeclarations': [{'name': 'weather', 'description': '', 'parametersJsonSchema': CITY}]},
            {'googleSearch': {}},
            {'urlContext': {}},
            {'codeExecution': {}},
            {'fileSearch': {'fileSearchStoreNames': ['s']}},
            {
                'mcpServers': [
                    {'name': 'wiki', 'streamableHttpTransport': {'url': 'https://w.org', 'headers': {'x_y': 'z'}}}
                ]
            },
            {'googleMaps': {}},
        ],
        'toolConfig': {
            'functionCallingConfig': {'mode': 'VALIDATED'},
            'includeServerSideToolInvocations': True,
            'retrievalConfig': {'languageCode': 'de'},
        },
    },
    'options': {
        'contents': [{'role': 'user', 'parts': [{'text': 'hi'}]}],
        'generationConfig': {
            'maxOutputTokens': 5,
            'temperature': 0.5,
            'topK': 3,
            'stopSequences': ['x'],
            'thinkingConfig': {'thinkingLevel': 'LOW'},
            'responseMimeType': 'application/json',
            'responseJsonSchema': {**CITY, 'title': 'Place', 'description': 'A place.'},
            'responseModalities': ['TEXT'],
        },
        'safetySettings': [{'category': 'c', 'threshold': 't'}],
        'labels': {'a_b': 'c'},
        'serviceTier': 'flex',
    },
    'forced': {
        'contents': [{'role': 'user', 'parts': [{'text': 'hi'}]}],
        'tools': [
            {
                'functionDeclarations': [
                    {'name': name, 'description': '', 'parametersJsonSchema': CITY} for name in ('weather', 'time')
                ]
            }
        ],
        'toolConfig': {'functionCallingConfig': {'mode': 'ANY', 'allowedFunctionNames': ['time']}},
    },
    'auto': {
        'contents': [{'role': 'user', 'parts': [{'text': 'hi'}]}],
        'tools': [{'functionDeclarations': [{'name': 'a', 'description': 'd', 'parametersJsonSchema': CITY}]}],
        'toolConfig': {'functionCallingConfig': {'mode': 'AUTO'}},
    },
}


@pytest.mark.parametrize('name', BODIES)
def test_a_request_says_the_same_after_it_was_read(name: str) -> None:
    body = BODIES[name]
    served = decode_request(as_json({**body, 'model': FLASH, 'stream': True, 'newField': 1}))
    assert (served.stream, served.model_name, served.settings.get('extra_body')) == (True, FLASH, {'newField': 1})
    model = gemini()
    again = model.encode(model.prepare(served.messages, served.settings, served.parameters))
    assert as_json(again) == as_json(body)


def asked(*contents: Json, **more: Any) -> ServedRequest:
    return decode_request({'contents': list(contents), **more})


HELLO: Json = {'role': 'user', 'parts': [{'text': 'hi'}]}


OLDER: Json = {'type': 'OBJECT', 'properties': {'x_y': {'any_of': [{'type': 'STRING'}]}}}


def test_names_in_snake_case_are_understood_and_data_stays_as_it_is() -> None:
    served = asked(
        {'parts': [{'inline_data': {'mime_type': 'image/png', 'data': 'AAAA'}}]},
        {'role': 'model', 'parts': [{'function_call': {'name': 'look', 'args': {'a_b': {'c_d': 1}}}}]},
        {'parts': [{'function_response': {'name': 'look', 'response': {'e_f': [{'g_h': 1}]}}}]},
        system_instruction={'parts': [{'text': 'S'}]},
        generation_config={'max_output_tokens': 3, 'stop_sequences': ['a_b']},
        tools=[{'function_declarations': [{'name': 'look', 'parameters': OLDER}]}],
    )
    system, prompt = served.messages[0].parts
    [asked_for], [given] = served.messages[1].parts, served.messages[2].parts
    assert (system.content, prompt.content) == ('S', [BinaryContent(b'\0\0\0', media_type='image/png')])  # type: ignore[union-attr]
    assert isinstance(asked_for, ToolCallPart)
    assert isinstance(given, ToolReturnPart)
    assert (asked_for.args, given.content) == ({'a_b': {'c_d': 1}}, {'e_f': [{'g_h': 1}]})
    assert served.settings == {'max_tokens': 3, 'stop_sequences': ['a_b']}
    [tool] = served.parameters.function_tools
    assert tool.parameters_json_schema == {'type': 'object', 'properties': {'x_y': {'anyOf': [{'type': 'string'}]}}}


def test_schemas_of_the_older_kind_become_json_schema() -> None:
    schema: Json = {
        'type': 'OBJECT',
        'properties': {
            'a': {'type': 'STRING', 'nullable': True, 'format': 'date'},
            'b': {'type': 'ARRAY', 'items': {'type': 'INTEGER'}, 'minItems': 1},
            'type': {'type': 'STRING', 'enum': ['X']},
        },
        'propertyOrdering': ['a'],
    }
    config = {'responseMimeType': 'application/json', 'responseSchema': schema}
    output = asked(HELLO, generationConfig=config).parameters.output_object
    assert output is not None
    assert output.json_schema == {
        'type': 'object',
        'properties': {
            'a': {'anyOf': [{'type': 'string', 'format': 'date'}, {'type': 'null'}]},
            'b': {'type': 'array', 'items': {'type': 'integer'}, 'minItems': 1},
            'type': {'type': 'string', 'enum': ['X']},
        },
        'propertyOrdering': ['a'],
    }


def test_calls_without_ids_are_paired_with_their_answers() -> None:
    bare = [{'functionCall': {'name': name, 'args': {}}} for name in ('a', 'b', 'a')]
    answers = [{'functionResponse': {'name': name, 'response': {'n': n}}} for n, name in enumerate(('a', 'a', 'b'))]
    turns = [HELLO, {'role': 'model', 'parts': bare}, {'role': 'user', 'parts': answers}]
    served = asked(*turns, *turns[1:])
    assert repair(served.messages)[1] == []
    calls: Any = [part.tool_call_id for message in served.messages[1::2] for part in message.parts]  # type: ignore[union-attr]
    given: Any = [(part.tool_call_id, part.content['n']) for part in served.messages[2].parts]  # type: ignore[union-attr]
    assert calls == ['call_1', 'call_2', 'call_3', 'call_4', 'call_5', 'call_6']
    assert given == [('call_1', 0), ('call_3', 1), ('call_2', 2)]


URIS = (('https://x.org/a', 'image/png'), ('https://youtu.be/x', ''), ('gs://b/a', ''))


def test_an_answer_to_nothing_keeps_its_name_and_files_have_kinds() -> None:
    served = asked(
        {'parts': [returned({}, id='', name='lost')]},
        {'parts': [{'fileData': {'fileUri': uri, 'mimeType': kind}} for uri, kind in URIS]},
        {'parts': [{'fileData': {'fileUri': 'https://generativelanguage.googleapis.com/v1beta/files/a'}}]},
    )
    [lost, first, second] = served.messages[0].parts
    assert isinstance(lost, ToolReturnPart)
    assert (lost.tool_name, lost.tool_call_id, lost.content) == ('lost', 'lost', {})
    assert isinstance(first, UserPromptPart)
    assert isinstance(second, UserPromptPart)
    assert [type(item) for item in first.content] == [ImageUrl, VideoUrl, DocumentUrl]
    assert [type(item) for item in second.content] == [UploadedFile]


@pytest.mark.parametrize(
    ('config', 'level'),
    [
        ({'thinkingBudget': 0}, False),
        ({'thinkingBudget': -1}, True),
        ({'thinkingBudget': 100}, 'minimal'),
        ({'thinkingBudget': 9000}, 'medium'),
        ({'thinkingBudget': 50000}, 'xhigh'),
        ({'thinkingLevel': 'HIGH', 'includeThoughts': True}, 'high'),
        ({'thinkingLevel': 'minimal'}, 'minimal'),
        ({'thinkingLevel': 'THINKING_LEVEL_UNSPECIFIED'}, None),
        ({'includeThoughts': True}, True),
        ({'includeThoughts': False}, None),
        ({}, None),
    ],
)
def test_other_models_hear_how_long_to_think_too(config: Json, level: Any) -> None:
    settings: Json = dict(asked(HELLO, generationConfig={'thinkingConfig': config}).settings)
    assert settings.get('thinking') == level
    assert settings['gemini_thinking_config'] == config


def test_tools_of_google_are_ours_and_the_others_stay_in_its_words() -> None:
    entry: Json = {'googleSearch': {'excludeDomains': ['x.org']}, 'fileSearch': {}, 'computerUse': {'environment': 'E'}}
    server = {'mcpServers': [{'name': 'w', 'streamableHttpTransport': {'url': 'https://w.org'}}]}
    served = asked(HELLO, tools=[entry, server])
    assert served.parameters.native_tools == [
        WebSearchTool(blocked_domains=['x.org']),
        FileSearchTool([]),
        MCPServerTool('w', 'https://w.org'),
    ]
    assert dict(served.settings)['gemini_native_tools'] == [{'computerUse': {'environment': 'E'}}]


def test_json_without_a_schema_is_any_object() -> None:
    parameters = asked(HELLO, generationConfig={'responseMimeType': 'application/json'}).parameters
    assert (parameters.output_mode, parameters.prompted_output_template) == ('prompted', '')
    assert asked(HELLO, generationConfig={'responseMimeType': 'text/plain'}).parameters.output_mode == 'text'


def test_options_of_the_generation_that_nobody_knows_go_on_to_google() -> None:
    config = {'candidateCount': 1, 'temperature': 0.5}
    assert asked(HELLO, generationConfig=config).settings == {'temperature': 0.5}
    config = {'temperature': 0.5, 'newKnob': 1}
    assert asked(HELLO, generationConfig=config).settings == {
        'temperature': 0.5,
        'extra_body': {'generationConfig': config},
    }


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'contents': []}, "'contents' is missing"),
        ({'contents': 'hi'}, "'contents' is missing"),
        ({'contents': ['hi']}, 'no generateContent request'),
        ({'contents': [{'role': 'robot', 'parts': []}]}, "the role 'robot'"),
        ({'contents': [{'parts': [{'smell': {}}]}]}, 'a part that this server does not know'),
        ({'contents': [{'parts': 'hi'}]}, 'no generateContent request'),
        ({'contents': [{'parts': [{'inlineData': {'mimeType': 'image/png', 'data': 'A'}}]}]}, 'no generateContent'),
        ({'contents': [{'parts': [{'functionResponse': {}}]}]}, 'no generateContent request'),
        (
            {'contents': [{'role': 'model', 'parts': [{'functionCall': {}}, {'functionCall': {'args': {}}}]}]},
            'no generate',
        ),
        ({'tools': [{'functionDeclarations': [{}]}]}, 'no generateContent request'),
        ({'tools': 7}, 'no generateContent request'),
        ({'generationConfig': {'candidateCount': 2}}, 'gives one candidate'),
    ],
)
def test_what_is_no_request_is_refused_with_a_reason(change: Json, words: str) -> None:
    with pytest.raises(UserError, match=words):
        decode_request({'contents': [HELLO], **change})


def test_a_served_history_is_a_history() -> None:
    served = asked(HELLO, {'role': 'model', 'parts': [{'text': 'x'}]}, HELLO)
    assert [type(message) for message in served.messages] == [ModelRequest, ModelResponse, ModelRequest]
