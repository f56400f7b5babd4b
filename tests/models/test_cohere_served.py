"""The server's side of Cohere's Chat API: both this library and the real SDK decode what it encodes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cohere
import httpx
import pytest
from cohere.core.api_error import ApiError
from pydantic import BaseModel
from pydantic_core import from_json, to_json

from pydantic_llm.exceptions import (
    LLMError,
    ModelHTTPError,
    OverloadedError,
    RateLimitError,
    StreamInterruptedError,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_llm.messages import (
    FilePart,
    ModelMessage,
    ModelResponse,
    NativeToolCallPart,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_llm.models.cohere import CohereModel
from pydantic_llm.models.cohere.serve import (
    StreamEncoder,
    decode_request,
    encode_error,
    encode_error_event,
    encode_response,
)
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.providers.cohere import CohereProvider
from pydantic_llm.serve import Fault, LocalServer, create_app
from pydantic_llm.wire.serving import ServedRequest
from pydantic_llm.wire.text_arguments import TextArguments
from tests.models.cohere_chat import (
    CITY,
    PIXEL,
    PLUS,
    Json,
    ask,
    check_event,
    check_request,
    check_response,
    citation_of,
    decode_stream,
    decode_whole,
    say,
    text,
    thinking_block,
    tool_call,
)

REQUEST = ServedRequest('served', [])

MESSAGE: Json = {
    'tool_plan': 'I will look.',
    'content': [thinking_block('Hm. So.'), text('rain falls')],
    'tool_calls': [tool_call('a'), tool_call('b', '{"city": "Oslo", "day": 1}', 'time')],
    'citations': [citation_of('I', type='PLAN'), citation_of('rain', content_index=1), citation_of('falls')],
}
USAGE: Json = {
    'billed_units': {'input_tokens': 41, 'output_tokens': 25},
    'tokens': {'input_tokens': 1441, 'output_tokens': 54},
    'cached_tokens': 144,
}
FACTS: Json = {
    'finish_reason': 'STOP_SEQUENCE',
    'usage': USAGE,
    'logprobs': [{'text': 'a', 'token_ids': [1], 'logprobs': [-0.5]}],
}
RESPONSE = decode_whole(MESSAGE, **FACTS)

STREAMED = replace(RESPONSE, parts=decode_whole(MESSAGE, **{**FACTS, 'logprobs': []}).parts)
"""The response as a stream of the server contains it: the log probabilities follow the text, so they are not in it."""


def encode_at_once(response: ModelResponse) -> list[Json]:
    """Return the events of a stream whose parts arrive whole."""
    encoder = TextArguments(StreamEncoder(REQUEST))
    events = list(encoder.begin())
    for index, part in enumerate(response.parts):
        for event in (PartStartEvent(index, part), PartEndEvent(index, part)):
            events += encoder.event(event)
    return [*events, *encoder.end(response)]


def comparable(response: ModelResponse) -> tuple[Any, ...]:
    return (
        response.parts,
        response.usage,
        response.finish_reason,
        response.provider_details,
        response.provider_response_id,
        response.state,
    )


def test_an_encoded_response_is_decoded_unchanged() -> None:
    served: Json = from_json(to_json(encode_response(RESPONSE, REQUEST)))
    check_response(served)
    message = {name: value for name, value in served.pop('message').items() if name != 'role'}
    assert message == MESSAGE
    assert comparable(decode_whole(message, **served)) == comparable(RESPONSE)


def test_an_encoded_stream_is_decoded_unchanged() -> None:
    events: list[Json] = from_json(to_json(encode_at_once(RESPONSE)))
    for event in events:
        check_event(event)
    assert comparable(decode_stream(*events)) == comparable(STREAMED)


def test_parts_that_the_api_has_no_field_for_are_skipped() -> None:
    response = ModelResponse(
        [
            FilePart(PIXEL),
            NativeToolCallPart('web_search', {}, 'x', provider_name='openai'),
            ThinkingPart('hm', id='tool_plan', signature='s', provider_name='openai'),
            TextPart('a', provider_name='openai', provider_details={'citations': ['x']}),
            ToolCallPart('weather', {'city': 'Rome'}, 'c'),
        ],
        finish_reason='content_filter',
        provider_name='openai',
        provider_details={'logprobs': ['x'], 'finish_reason': 'content_filter'},
    )
    served = encode_response(response, REQUEST)
    check_response(served)
    message = {'content': [thinking_block('hm'), text('a')], 'tool_calls': [tool_call('c', '{"city":"Rome"}')]}
    assert served['message'] == {'role': 'assistant', **message}
    assert (served['finish_reason'], 'logprobs' in served) == ('ERROR', False)
    assert [part.part_kind for part in decode_stream(*encode_at_once(response)).parts] == [
        'thinking',
        'text',
        'tool-call',
    ]


def test_a_truncated_response_is_sent_truncated() -> None:
    response = say(TextPart('half'), state='incomplete')
    assert encode_at_once(response)[-1]['type'] == 'content-end'
    assert decode_stream(*encode_at_once(response)).state == 'incomplete'


BODIES: dict[str, Json] = {
    'plain': {'messages': [{'role': 'user', 'content': 'hi'}]},
    'history': {
        'messages': [
            {'role': 'system', 'content': 'A'},
            {
                'role': 'user',
                'content': [
                    text('a'),
                    {'type': 'image_url', 'image_url': {'url': 'https://x.org/a', 'detail': 'low'}},
                    {'type': 'image_url', 'image_url': {'url': PIXEL.data_uri}},
                ],
            },
            {'role': 'assistant', **MESSAGE},
            {'role': 'tool', 'tool_call_id': 'a', 'content': 'rain'},
            {
                'role': 'tool',
                'tool_call_id': 'b',
                'content': [
                    {'type': 'document', 'document': {'data': {'sky': 'blue'}}},
                    {'type': 'document', 'document': {'id': 'd', 'data': {'sky': 'grey'}}},
                ],
            },
            {'role': 'system', 'content': 'B'},
            {'role': 'user', 'content': 'so'},
            {'role': 'assistant', 'content': [text('x')]},
            {'role': 'user', 'content': 'and?'},
        ],
        'tools': [{'type': 'function', 'function': {'name': 'weather', 'description': 'd', 'parameters': CITY}}],
    },
    'options': {
        'messages': [{'role': 'user', 'content': 'hi'}],
        'tools': [{'type': 'function', 'function': {'name': 'weather', 'description': '', 'parameters': CITY}}],
        'strict_tools': True,
        'tool_choice': 'REQUIRED',
        'thinking': {'type': 'enabled', 'token_budget': 500},
        'documents': ['x', {'id': 'd', 'data': {'text': 'y'}}],
        'citation_options': {'mode': 'OFF'},
        'safety_mode': 'STRICT',
        'priority': 2,
        'max_tokens': 9,
        'temperature': 0.5,
        'k': 3,
        'p': 0.5,
        'seed': 7,
        'stop_sequences': ['x'],
        'frequency_penalty': 0.5,
        'presence_penalty': 0.5,
        'logprobs': True,
    },
    'schema': {
        'messages': [{'role': 'user', 'content': 'JSON'}],
        'response_format': {'type': 'json_object', 'json_schema': {**CITY, 'title': 'T'}},
    },
    'object': {'messages': [{'role': 'user', 'content': 'JSON'}], 'response_format': {'type': 'json_object'}},
    'none': {
        'messages': [{'role': 'user', 'content': 'hi'}],
        'tools': [{'type': 'function', 'function': {'name': 'weather', 'description': '', 'parameters': CITY}}],
        'tool_choice': 'NONE',
        'thinking': {'type': 'disabled'},
    },
}


@pytest.mark.parametrize('name', BODIES)
def test_a_decoded_request_is_encoded_unchanged(name: str) -> None:
    body = {'model': PLUS, **BODIES[name]}
    check_request(body)
    served = decode_request(from_json(to_json({**body, 'stream': True, 'new_field': 1})))
    assert (served.stream, served.model_name, served.settings.get('extra_body')) == (True, PLUS, {'new_field': 1})
    model = CohereModel(PLUS, api_key='k')
    again = model.encode(model.prepare(served.messages, served.settings, served.parameters))
    assert from_json(to_json(again)) == body


@pytest.mark.parametrize(
    ('thinking', 'level'),
    [
        ({'type': 'enabled'}, True),
        ({'type': 'disabled'}, False),
        ({'type': 'enabled', 'token_budget': 100}, 100),
        ({'token_budget': 9000}, 9000),
        ({'type': 'new'}, None),
    ],
)
def test_the_level_of_thinking_is_decoded_for_other_models_too(thinking: Json, level: Any) -> None:
    body = {'model': 'm', 'messages': [{'role': 'user', 'content': 'hi'}], 'thinking': thinking}
    settings: Json = dict(decode_request(body).settings)
    assert (settings.get('thinking'), settings['cohere_thinking']) == (level, thinking)


def test_content_that_only_other_clients_send_is_decoded() -> None:
    documents = ({'data': '{"sky": "blue"}'}, {'data': 'just words'}, {'id': 'd', 'data': '{"sky": 1}'})
    messages: list[Json] = [
        {'role': 'system', 'content': [text('A'), text('B')]},
        {'role': 'assistant', 'content': 'hi', 'tool_calls': [tool_call('a')]},
        {
            'role': 'tool',
            'tool_call_id': 'a',
            'content': [text('x'), *({'type': 'document', 'document': document} for document in documents)],
        },
    ]
    body: Json = {'model': 'm', 'messages': messages, 'response_format': {'type': 'json_object', 'schema': CITY}}
    served = decode_request(body)
    first, response, last = served.messages
    assert [part.content for part in first.parts] == ['A\nB']  # type: ignore[union-attr] # a system prompt
    assert response.parts == [TextPart('hi'), ToolCallPart('weather', '{"city": "Rome"}', 'a')]
    [returned] = last.parts
    assert isinstance(returned, ToolReturnPart)
    assert (returned.tool_name, returned.content) == (
        'weather',
        ['x', {'sky': 'blue'}, 'just words', {'id': 'd', 'data': {'sky': 1}}],
    )
    assert served.parameters.output_object is not None
    assert served.parameters.output_object.json_schema == CITY


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'model': ''}, 'a model parameter is required'),
        ({'messages': []}, "'messages' is missing"),
        ({'messages': [{'role': 'robot', 'content': ''}]}, "role 'robot'"),
        ({'messages': [{'content': 'x'}]}, 'KeyError'),
        ({'messages': [{'role': 'user', 'content': [{'type': 'video'}]}]}, "type 'video'"),
        ({'tool_choice': 'weather'}, "'tool_choice' is 'weather', not one of REQUIRED, NONE"),
        ({'response_format': {'type': 'json_object', 'json_schema': 7}}, 'schema must be an object'),
    ],
)
def test_an_invalid_request_is_rejected_with_a_reason(change: Json, message: str) -> None:
    with pytest.raises(UserError, match=message):
        decode_request({'model': 'm', 'messages': [{'role': 'user', 'content': 'hi'}], **change})


def test_an_error_has_a_message_and_ends_a_stream() -> None:
    status, body = encode_error(RateLimitError(429, 'm', message='Slow down'))
    assert (status, body['message']) == (429, 'Slow down')
    event = encode_error_event(body, 3)
    check_event(event)
    assert event['delta'] == {'finish_reason': 'ERROR', 'error': 'Slow down'}


# ---------------------------------------------------------------------- the real SDK, over a real connection


class Served:
    """A local server whose model always returns one response, with the SDK's client."""

    def __init__(self, response: ModelResponse, *, fault: Fault | None = None) -> None:
        self.calls: list[Any] = []

        def whole(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            self.calls.append((messages, info))
            return response

        self.server = LocalServer(create_app(FunctionModel(whole), faults=(lambda _: fault) if fault else None))

    async def __aenter__(self) -> cohere.AsyncClientV2:
        url = self.server.start()
        self.client = cohere.AsyncClientV2(api_key='k', base_url=url, max_retries=0)
        return self.client

    async def __aexit__(self, *_: object) -> None:
        await self.client._client_wrapper.httpx_client.httpx_client.aclose()
        self.server.stop()


HELLO: Any = [{'role': 'user', 'content': 'hi'}]


def plain(value: Any) -> Any:
    """A value of the SDK's as JSON, without what is not set."""
    return value.model_dump(mode='json', exclude_none=True) if isinstance(value, BaseModel) else value


async def test_the_sdk_decodes_a_whole_response() -> None:
    async with Served(RESPONSE) as client:
        chat_response = await client.chat(model='m', messages=HELLO)
    assert plain(chat_response.message) == {'role': 'assistant', **MESSAGE}
    assert (chat_response.finish_reason, chat_response.id) == ('STOP_SEQUENCE', 'r')
    assert plain(chat_response.usage) == USAGE
    assert plain(chat_response.logprobs[0] if chat_response.logprobs else None) == FACTS['logprobs'][0]
    assert [source.id for each in chat_response.message.citations or () for source in each.sources or ()] == ['d'] * 3


async def test_the_sdk_decodes_a_stream() -> None:
    async with Served(RESPONSE) as client:
        events = [event async for event in client.chat_stream(model='m', messages=HELLO)]
    kinds = [event.type for event in events]
    assert kinds == [
        'message-start',
        'tool-plan-delta',
        'citation-start',
        'citation-end',
        *['content-start', 'content-delta', 'content-end'],
        *['content-start', 'content-delta'],
        *['citation-start', 'citation-end'] * 2,
        'content-end',
        *['tool-call-start', 'tool-call-delta', 'tool-call-end'] * 2,
        'content-delta',  # the log probabilities
        'message-end',
    ]
    assert decode_stream(*map(plain, events)).parts == STREAMED.parts
    assert events[-1].delta.finish_reason is not None


async def test_each_event_has_its_type_twice_and_done_ends_the_stream() -> None:
    async with Served(RESPONSE) as client:
        body = {'model': 'm', 'messages': HELLO, 'stream': True}
        async with httpx.AsyncClient() as http_client:
            chat_response = await http_client.post(f'{client._client_wrapper.get_base_url()}/v2/chat', json=body)
    *events, done, rest = chat_response.text.split('\n\n')
    assert (done, rest) == ('data: [DONE]', '')
    for event in events:
        name, data = event.splitlines()
        assert name == f'event: {from_json(data.removeprefix("data: "))["type"]}'


async def test_the_sdk_sends_tools_and_their_results() -> None:
    served = Served(say(TextPart('so'), finish_reason='stop'))
    async with served as client:
        answered = cohere.V2ChatResponse.model_validate(encode_response(RESPONSE, REQUEST)).message
        documents: Any = [{'type': 'document', 'document': {'data': {'sky': 'blue'}}}]
        messages: Any = [
            *HELLO,
            answered,
            {'role': 'tool', 'tool_call_id': 'a', 'content': documents},
            {'role': 'tool', 'tool_call_id': 'b', 'content': 'ok'},
        ]
        tools: Any = [{'type': 'function', 'function': {'name': 'weather', 'description': 'd', 'parameters': CITY}}]
        await client.chat(model='m', messages=messages, tools=tools, tool_choice='NONE', k=3)
    [(history, info)] = served.calls
    assert [message.kind for message in history] == ['request', 'response', 'request']
    assert history[1].parts == STREAMED.parts
    assert [(part.tool_name, part.content) for part in history[2].parts] == [
        ('weather', [{'sky': 'blue'}]),
        ('time', 'ok'),
    ]
    assert [tool.name for tool in info.function_tools] == ['weather']
    assert info.model_settings == {'top_k': 3, 'tool_choice': 'none'}


async def test_the_sdk_requests_structured_output_and_thinking() -> None:
    served = Served(
        say(ThinkingPart('Hm.', provider_name='cohere'), TextPart('{"city": "Rome"}'), finish_reason='stop')
    )
    async with served as client:
        chat_response = await client.chat(
            model='m',
            messages=HELLO,
            response_format=cohere.JsonObjectResponseFormatV2(json_schema=CITY),
            thinking=cohere.Thinking(type='enabled', token_budget=3000),
        )
    assert plain(chat_response.message.content[0] if chat_response.message.content else None) == thinking_block('Hm.')
    [(_, info)] = served.calls
    assert info.model_settings == {'cohere_thinking': {'type': 'enabled', 'token_budget': 3000}, 'thinking': 3000}
    assert info.model_request_parameters.output_object.json_schema == CITY


@pytest.mark.parametrize(
    ('status', 'error'),
    [
        (400, cohere.BadRequestError),
        (401, cohere.UnauthorizedError),
        (404, cohere.NotFoundError),
        (429, cohere.TooManyRequestsError),
        (498, cohere.InvalidTokenError),
        (499, cohere.ClientClosedRequestError),
        (503, cohere.ServiceUnavailableError),
    ],
)
async def test_the_sdk_decodes_errors(status: int, error: type[ApiError]) -> None:
    async with Served(RESPONSE, fault=Fault(status=status)) as client:
        with pytest.raises(error) as caught:
            await client.chat(model='m', messages=HELLO)
        assert caught.value.body['message'] == 'The server was told to fail'
        with pytest.raises(error):
            _ = [event async for event in client.chat_stream(model='m', messages=HELLO)]


async def test_the_sdk_gets_an_error_inside_a_stream() -> None:
    async with Served(RESPONSE, fault=Fault(error_after=3)) as client:
        events = [event async for event in client.chat_stream(model='m', messages=HELLO)]
    assert plain(events[-1]) == {
        'type': 'message-end',
        'delta': {'finish_reason': 'ERROR', 'error': 'The server was told to fail'},
    }


# ---------------------------------------------------------------------- our client, over a real connection


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
async def test_our_client_decodes_the_responses_of_our_server(stream: bool) -> None:
    served = Served(RESPONSE)
    with served.server as url:
        model = CohereModel(PLUS, provider=CohereProvider(base_url=url))
        if stream:
            async with model.request_stream([ask('hi')]) as stream_response:
                async for _ in stream_response:
                    pass
                response = stream_response.get()
        else:
            response = await model.request([ask('hi')])
        await model.aclose()
    expected = STREAMED if stream else RESPONSE
    assert (response.parts, response.state, response.provider_url) == (expected.parts, 'complete', url)


async def end_of_stream(fault: Fault) -> tuple[type[Exception] | None, str]:
    """Return how a stream with a fault ends: the type of the error and the state of the response."""
    with Served(RESPONSE, fault=fault).server as url:
        model = CohereModel(PLUS, provider=CohereProvider(base_url=url))
        async with model, model.request_stream([ask('hi')]) as stream_response:
            try:
                async for _ in stream_response:
                    pass
            except LLMError as error:
                return type(error), stream_response.get().state
            return None, stream_response.get().state


async def test_a_stream_that_fails_or_is_truncated_is_not_complete() -> None:
    assert await end_of_stream(Fault()) == (None, 'complete')
    assert await end_of_stream(Fault(error_after=4)) == (ModelHTTPError, 'interrupted')
    assert await end_of_stream(Fault(cut_after=4)) == (StreamInterruptedError, 'interrupted')
    assert await end_of_stream(Fault(end_after=4)) == (None, 'incomplete')
    assert await end_of_stream(Fault(garbage_after=4)) == (UnexpectedModelBehavior, 'interrupted')


async def test_an_error_of_the_vendor_has_its_status() -> None:
    fault = Fault(status=503, headers={'retry-after': '7'})
    with Served(RESPONSE, fault=fault).server as url:
        model = CohereModel(PLUS, provider=CohereProvider(base_url=url))
        with pytest.raises(OverloadedError, match='The server was told to fail') as caught:
            await model.request([ask('hi')])
        await model.aclose()
    assert (caught.value.retry_after, caught.value.retryable) == (7, True)
    assert isinstance(caught.value, ModelHTTPError)
