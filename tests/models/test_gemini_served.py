"""The Gemini API from the server's side: the inverse of the model's encoding and decoding."""

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
from pydantic_llm.models.gemini.decode import GeminiDecoder
from pydantic_llm.models.gemini.serve import (
    StreamEncoder,
    decode_path,
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
    PLACEHOLDER,
    Json,
    as_json,
    chunk,
    comparable_parts,
    decode_body,
    decode_stream,
    gemini,
    split_into_chunks,
    tool_call,
    tool_result,
)
from tests.models.test_gemini_responses import MAPS, STORES, USAGE, WEB

REQUEST = ServedRequest('served', [])
FACTS: Json = {
    'groundingMetadata': WEB,
    'finishMessage': 'Done.',
    'logprobsResult': {'chosenCandidates': [1]},
    'avgLogprobs': -0.5,
}


def encode_whole_parts(response: ModelResponse) -> list[Json]:
    """Encode the chunks of a stream whose parts arrive whole."""
    encoder = StreamEncoder(REQUEST)
    events = list(encoder.begin())
    for index, part in enumerate(response.parts):
        for event in (PartStartEvent(index, part), PartEndEvent(index, part)):
            events += encoder.event(event)
    return as_json([*events, *encoder.end(response)])


def relay(*chunks: Json) -> list[Json]:
    """Decode Google's chunks and encode them again, as a gateway does."""
    draft, encoder = ResponseDraft('asked', 'google-gla'), StreamEncoder(REQUEST)
    decoder, events = GeminiDecoder(draft), list(encoder.begin())
    for each in chunks:
        decoder.decode_event(each)
        events += [encoded for event in draft.parts.take_events() for encoded in encoder.event(event)]
    decoder.decode_end()
    draft.parts.end()
    events += [encoded for event in draft.parts.take_events() for encoded in encoder.event(event)]
    return as_json([*events, *encoder.end(draft.get())])


def comparable_response(response: ModelResponse) -> tuple[Any, ...]:
    facts = (response.usage, response.finish_reason, response.provider_details, response.provider_response_id)
    return (comparable_parts(response), *facts, response.model_name, response.timestamp, response.state)


# ---------------------------------------------------------------------- responses


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
    ids=['parts', 'facts', 'maps', 'stores', 'pages', 'blocked response', 'blocked prompt'],
)
def test_a_served_response_is_decoded_unchanged(body: Json) -> None:
    response = decode_body(body)
    again = as_json(encode_response(response, REQUEST))
    assert comparable_response(decode_body(again)) == comparable_response(response)
    assert comparable_response(decode_stream(*encode_whole_parts(response))) == comparable_response(response)


def test_a_relayed_stream_is_unchanged() -> None:
    chunks = [*split_into_chunks(PARTS, usage=USAGE, groundingMetadata=WEB)]
    assert comparable_response(decode_stream(*relay(*chunks)))[:4] == comparable_response(decode_stream(*chunks))[:4]
    kinds = [[*each['candidates'][0]['content']['parts'][0]] for each in relay(*chunks)[:4]]
    assert kinds == [['text', 'thought'], ['text', 'thought'], ['text', 'thought', 'thoughtSignature'], ['text']]


def test_a_late_signature_follows_its_text() -> None:
    encoder, signature = (
        StreamEncoder(REQUEST),
        {'provider_details': {'thought_signature': 's'}, 'provider_name': 'google-gla'},
    )
    events = [PartStartEvent(0, TextPart('a')), PartEndEvent(0, TextPart('a', **signature))]  # type: ignore[arg-type]
    parts = [each['candidates'][0]['content']['parts'] for event in events for each in encoder.event(event)]
    assert parts == [[{'text': 'a'}], [{'text': '', 'thoughtSignature': 's'}]]


def test_parts_and_details_of_other_vendors_are_dropped() -> None:
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
    body = encode_response(response, REQUEST)
    [candidate] = body['candidates']
    assert candidate['content']['parts'] == [
        {'text': 'hm', 'thought': True},
        {'text': 'a'},
        tool_call('look', invalid_json='{"broken'),
    ]
    assert (candidate['finishReason'], body['modelVersion'], 'secret' in str(body)) == ('STOP', 'served', False)
    assert 'secret' not in str(encode_whole_parts(response))


def test_a_truncated_response_is_served_truncated() -> None:
    response = ModelResponse([TextPart('half')], state='incomplete')
    assert decode_stream(*encode_whole_parts(response)).state == 'incomplete'


def test_errors_have_googles_form() -> None:
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


# ---------------------------------------------------------------------- paths


@pytest.mark.parametrize(
    ('parameters', 'found'),
    [
        ({'model': 'a', 'verb': 'generateContent'}, {'model': 'a', 'stream': False}),
        ({'model': 'openai:gpt-4o', 'verb': 'streamGenerateContent'}, {'model': 'openai:gpt-4o', 'stream': True}),
        ({'publisher': 'google', 'model': 'a', 'verb': 'generateContent'}, {'model': 'a', 'stream': False}),
        ({'publisher': 'meta', 'model': 'a', 'verb': 'generateContent'}, {'model': 'meta/a', 'stream': False}),
    ],
)
def test_the_path_has_the_model_and_whether_to_stream(parameters: dict[str, str], found: Json) -> None:
    assert decode_path(parameters) == found


def test_another_verb_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="'countTokens' is not served here; generateContent and"):
        decode_path({'model': 'a', 'verb': 'countTokens'})


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
            {'role': 'user', 'parts': [tool_result({'return_value': 'x'}), tool_result({'error': 'No.'}, id='c2')]},
            {'role': 'user', 'parts': [{'text': 'so?'}]},
            {'role': 'model', 'parts': [tool_call('time', 'c3', signature=PLACEHOLDER), tool_call('time', 'c4')]},
            {
                'role': 'user',
                'parts': [
                    tool_result(
                        {'return_value': 'see'},
                        'c3',
                        'time',
                        parts=[{'inlineData': {'mimeType': 'image/png', 'data': PIXEL_DATA}}],
                    ),
                    tool_result({'a': {'b_c': 1}}, 'c4', 'time'),
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
def test_a_decoded_request_is_encoded_unchanged(name: str) -> None:
    body = BODIES[name]
    served = decode_request(as_json({**body, 'model': FLASH, 'stream': True, 'newField': 1}))
    assert (served.stream, served.model_name, served.settings.get('extra_body')) == (True, FLASH, {'newField': 1})
    model = gemini()
    again = model.encode(model.prepare(served.messages, served.settings, served.parameters))
    assert as_json(again) == as_json(body)


def decode_contents(*contents: Json, **more: Any) -> ServedRequest:
    return decode_request({'contents': list(contents), **more})


HELLO: Json = {'role': 'user', 'parts': [{'text': 'hi'}]}


OLD_SCHEMA: Json = {'type': 'OBJECT', 'properties': {'x_y': {'any_of': [{'type': 'STRING'}]}}}


def test_names_in_snake_case_are_accepted_and_data_is_unchanged() -> None:
    served = decode_contents(
        {'parts': [{'inline_data': {'mime_type': 'image/png', 'data': 'AAAA'}}]},
        {'role': 'model', 'parts': [{'function_call': {'name': 'look', 'args': {'a_b': {'c_d': 1}}}}]},
        {'parts': [{'function_response': {'name': 'look', 'response': {'e_f': [{'g_h': 1}]}}}]},
        system_instruction={'parts': [{'text': 'S'}]},
        generation_config={'max_output_tokens': 3, 'stop_sequences': ['a_b']},
        tools=[{'function_declarations': [{'name': 'look', 'parameters': OLD_SCHEMA}]}],
    )
    system, prompt = served.messages[0].parts
    [part], [result] = served.messages[1].parts, served.messages[2].parts
    assert (system.content, prompt.content) == ('S', [BinaryContent(b'\0\0\0', media_type='image/png')])  # type: ignore[union-attr]
    assert isinstance(part, ToolCallPart)
    assert isinstance(result, ToolReturnPart)
    assert (part.args, result.content) == ({'a_b': {'c_d': 1}}, {'e_f': [{'g_h': 1}]})
    assert served.settings == {'max_tokens': 3, 'stop_sequences': ['a_b']}
    [tool] = served.parameters.function_tools
    assert tool.parameters_json_schema == {'type': 'object', 'properties': {'x_y': {'anyOf': [{'type': 'string'}]}}}


def test_schemas_of_the_older_form_become_json_schemas() -> None:
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
    output = decode_contents(HELLO, generationConfig=config).parameters.output_object
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


def test_tool_calls_without_ids_are_paired_with_their_results() -> None:
    bare = [{'functionCall': {'name': name, 'args': {}}} for name in ('a', 'b', 'a')]
    results = [{'functionResponse': {'name': name, 'response': {'n': n}}} for n, name in enumerate(('a', 'a', 'b'))]
    turns = [HELLO, {'role': 'model', 'parts': bare}, {'role': 'user', 'parts': results}]
    served = decode_contents(*turns, *turns[1:])
    assert repair(served.messages)[1] == []
    calls: Any = [part.tool_call_id for message in served.messages[1::2] for part in message.parts]  # type: ignore[union-attr]
    result: Any = [(part.tool_call_id, part.content['n']) for part in served.messages[2].parts]  # type: ignore[union-attr]
    assert calls == ['call_1', 'call_2', 'call_3', 'call_4', 'call_5', 'call_6']
    assert result == [('call_1', 0), ('call_3', 1), ('call_2', 2)]


URIS = (('https://x.org/a', 'image/png'), ('https://youtu.be/x', ''), ('gs://b/a', ''))


def test_a_result_without_a_call_keeps_its_name_and_files_have_types() -> None:
    served = decode_contents(
        {'parts': [tool_result({}, id='', name='lost')]},
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
        ({'thinkingBudget': 100}, 100),
        ({'thinkingBudget': 9000}, 9000),
        ({'thinkingBudget': 50000}, 50000),
        ({'thinkingLevel': 'HIGH', 'includeThoughts': True}, 'high'),
        ({'thinkingLevel': 'minimal'}, 'minimal'),
        ({'thinkingLevel': 'THINKING_LEVEL_UNSPECIFIED'}, None),
        ({'includeThoughts': True}, True),
        ({'includeThoughts': False}, None),
        ({}, None),
    ],
)
def test_the_amount_of_thinking_is_decoded_for_other_models(config: Json, level: Any) -> None:
    settings: Json = dict(decode_contents(HELLO, generationConfig={'thinkingConfig': config}).settings)
    assert settings.get('thinking') == level
    assert settings['gemini_thinking_config'] == config


def test_googles_own_tools_have_classes_or_stay_in_the_apis_form() -> None:
    entry: Json = {'googleSearch': {'excludeDomains': ['x.org']}, 'fileSearch': {}, 'computerUse': {'environment': 'E'}}
    server = {'mcpServers': [{'name': 'w', 'streamableHttpTransport': {'url': 'https://w.org'}}]}
    served = decode_contents(HELLO, tools=[entry, server])
    assert served.parameters.native_tools == [
        WebSearchTool(blocked_domains=['x.org']),
        FileSearchTool([]),
        MCPServerTool('w', 'https://w.org'),
    ]
    assert dict(served.settings)['gemini_native_tools'] == [{'computerUse': {'environment': 'E'}}]


def test_json_without_a_schema_is_any_object() -> None:
    parameters = decode_contents(HELLO, generationConfig={'responseMimeType': 'application/json'}).parameters
    assert (parameters.output_mode, parameters.prompted_output_template) == ('prompted', '')
    assert decode_contents(HELLO, generationConfig={'responseMimeType': 'text/plain'}).parameters.output_mode == 'text'


def test_unknown_fields_of_generation_config_are_sent_on() -> None:
    config = {'candidateCount': 1, 'temperature': 0.5}
    assert decode_contents(HELLO, generationConfig=config).settings == {'temperature': 0.5}
    config = {'temperature': 0.5, 'newKnob': 1}
    assert decode_contents(HELLO, generationConfig=config).settings == {
        'temperature': 0.5,
        'extra_body': {'generationConfig': {'newKnob': 1}},
    }


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'contents': []}, "'contents' is missing"),
        ({'contents': 'hi'}, "'contents' is missing"),
        ({'contents': ['hi']}, 'not a valid generateContent request'),
        ({'contents': [{'role': 'robot', 'parts': []}]}, "the role 'robot'"),
        ({'contents': [{'parts': [{'smell': {}}]}]}, 'a part that this server does not know'),
        ({'contents': [{'parts': 'hi'}]}, 'not a valid generateContent request'),
        (
            {'contents': [{'parts': [{'inlineData': {'mimeType': 'image/png', 'data': 'A'}}]}]},
            'not a valid generateContent',
        ),
        ({'contents': [{'parts': [{'functionResponse': {}}]}]}, 'not a valid generateContent request'),
        (
            {'contents': [{'role': 'model', 'parts': [{'functionCall': {}}, {'functionCall': {'args': {}}}]}]},
            'not a valid generate',
        ),
        ({'tools': [{'functionDeclarations': [{}]}]}, 'not a valid generateContent request'),
        ({'tools': 7}, 'not a valid generateContent request'),
        ({'generationConfig': {'candidateCount': 2}}, 'gives one candidate'),
    ],
)
def test_an_invalid_request_is_an_error_with_a_reason(change: Json, message: str) -> None:
    with pytest.raises(UserError, match=message):
        decode_request({'contents': [HELLO], **change})


def test_contents_become_requests_and_responses() -> None:
    served = decode_contents(HELLO, {'role': 'model', 'parts': [{'text': 'x'}]}, HELLO)
    assert [type(message) for message in served.messages] == [ModelRequest, ModelResponse, ModelRequest]
