"""Cohere's Chat API from the server's side: what is served is read as it was meant, by us and by the real SDK."""

from __future__ import annotations

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
    EventWriter,
    decode_request,
    encode_error,
    encode_error_event,
    encode_response,
)
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.providers.cohere import CohereProvider
from pydantic_llm.serve import Fault, LocalServer, create_app
from pydantic_llm.wire.serving import ServedRequest
from tests.models.cohere_chat import (
    CITY,
    PIXEL,
    PLUS,
    Json,
    ask,
    call,
    check_answer,
    check_event,
    check_request,
    cited,
    read,
    read_whole,
    say,
    text,
    thought,
)

ASKED = ServedRequest('served', [])

MESSAGE: Json = {
    'tool_plan': 'I will look.',
    'content': [thought('Hm. So.'), text('rain falls')],
    'tool_calls': [call('a'), call('b', '{"city": "Oslo", "day": 1}', 'time')],
    'citations': [cited('I', type='PLAN'), cited('rain', content_index=1), cited('falls')],
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
RESPONSE = read_whole(MESSAGE, **FACTS)


def told_at_once(response: ModelResponse) -> list[Json]:
    """The events that are written for parts that come whole."""
    writer = EventWriter(ASKED)
    events = list(writer.begin())
    for index, part in enumerate(response.parts):
        for happened in (PartStartEvent(index, part), PartEndEvent(index, part)):
            events += writer.event(happened)
    return [*events, *writer.end(response)]


def what_it_says(response: ModelResponse) -> tuple[Any, ...]:
    return (
        response.parts,
        response.usage,
        response.finish_reason,
        response.provider_details,
        response.provider_response_id,
        response.state,
    )


def test_what_is_served_is_read_as_it_was_meant() -> None:
    served: Json = from_json(to_json(encode_response(RESPONSE, ASKED)))
    check_answer(served)
    message = {name: value for name, value in served.pop('message').items() if name != 'role'}
    assert message == MESSAGE
    assert what_it_says(read_whole(message, **served)) == what_it_says(RESPONSE)


def test_what_is_streamed_is_read_as_it_was_meant() -> None:
    events: list[Json] = from_json(to_json(told_at_once(RESPONSE)))
    for event in events:
        check_event(event)
    assert what_it_says(read(*events)) == what_it_says(RESPONSE)


def test_what_the_api_cannot_say_is_left_out_of_an_answer() -> None:
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
    served = encode_response(response, ASKED)
    check_answer(served)
    message = {'content': [thought('hm'), text('a')], 'tool_calls': [call('c', '{"city":"Rome"}')]}
    assert served['message'] == {'role': 'assistant', **message}
    assert (served['finish_reason'], 'logprobs' in served) == ('ERROR', False)
    assert [part.part_kind for part in read(*told_at_once(response)).parts] == ['thinking', 'text', 'tool-call']


def test_an_answer_that_was_cut_is_served_cut() -> None:
    response = say(TextPart('half'), state='incomplete')
    assert told_at_once(response)[-1]['type'] == 'content-end'
    assert read(*told_at_once(response)).state == 'incomplete'


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
def test_a_request_says_the_same_after_it_was_read(name: str) -> None:
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
        ({'type': 'enabled', 'token_budget': 100}, 'minimal'),
        ({'token_budget': 9000}, 'medium'),
        ({'type': 'new'}, None),
    ],
)
def test_other_models_hear_how_long_to_think_too(thinking: Json, level: Any) -> None:
    body = {'model': 'm', 'messages': [{'role': 'user', 'content': 'hi'}], 'thinking': thinking}
    settings: Json = dict(decode_request(body).settings)
    assert (settings.get('thinking'), settings['cohere_thinking']) == (level, thinking)


def test_content_that_other_clients_send_is_read() -> None:
    documents = ({'data': '{"sky": "blue"}'}, {'data': 'just words'}, {'id': 'd', 'data': '{"sky": 1}'})
    messages: list[Json] = [
        {'role': 'system', 'content': [text('A'), text('B')]},
        {'role': 'assistant', 'content': 'hi', 'tool_calls': [call('a')]},
        {
            'role': 'tool',
            'tool_call_id': 'a',
            'content': [text('x'), *({'type': 'document', 'document': document} for document in documents)],
        },
    ]
    body: Json = {'model': 'm', 'messages': messages, 'response_format': {'type': 'json_object', 'schema': CITY}}
    served = decode_request(body)
    first, answer, last = served.messages
    assert [part.content for part in first.parts] == ['A\nB']  # type: ignore[union-attr] # a system prompt
    assert answer.parts == [TextPart('hi'), ToolCallPart('weather', '{"city": "Rome"}', 'a')]
    [returned] = last.parts
    assert isinstance(returned, ToolReturnPart)
    assert (returned.tool_name, returned.content) == (
        'weather',
        ['x', {'sky': 'blue'}, 'just words', {'id': 'd', 'data': {'sky': 1}}],
    )
    assert served.parameters.output_object is not None
    assert served.parameters.output_object.json_schema == CITY


@pytest.mark.parametrize(
    ('change', 'words'),
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
def test_what_is_no_request_is_refused_with_a_reason(change: Json, words: str) -> None:
    with pytest.raises(UserError, match=words):
        decode_request({'model': 'm', 'messages': [{'role': 'user', 'content': 'hi'}], **change})


def test_an_error_has_a_message_and_in_a_stream_is_its_end() -> None:
    status, body = encode_error(RateLimitError(429, 'm', message='Slow down'))
    assert (status, body['message']) == (429, 'Slow down')
    event = encode_error_event(body, 3)
    check_event(event)
    assert event['delta'] == {'finish_reason': 'ERROR', 'error': 'Slow down'}


# ---------------------------------------------------------------------- the real SDK, over a real connection


class Served:
    """A server on this machine whose model gives one answer, and the SDK's client before it."""

    def __init__(self, response: ModelResponse, *, fault: Fault | None = None) -> None:
        self.heard: list[Any] = []

        def whole(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            self.heard.append((messages, info))
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


async def test_the_sdk_reads_a_whole_answer() -> None:
    async with Served(RESPONSE) as client:
        answer = await client.chat(model='m', messages=HELLO)
    assert plain(answer.message) == {'role': 'assistant', **MESSAGE}
    assert (answer.finish_reason, answer.id) == ('STOP_SEQUENCE', 'r')
    assert plain(answer.usage) == USAGE
    assert plain(answer.logprobs[0] if answer.logprobs else None) == FACTS['logprobs'][0]
    assert [source.id for each in answer.message.citations or () for source in each.sources or ()] == ['d'] * 3


async def test_the_sdk_reads_a_stream() -> None:
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
    assert read(*map(plain, events)).parts == RESPONSE.parts
    assert events[-1].delta.finish_reason is not None


async def test_each_event_says_its_type_twice_and_a_word_of_its_own_ends_the_stream() -> None:
    async with Served(RESPONSE) as client:
        body = {'model': 'm', 'messages': HELLO, 'stream': True}
        async with httpx.AsyncClient() as http_client:
            answer = await http_client.post(f'{client._client_wrapper.get_base_url()}/v2/chat', json=body)
    *events, done, rest = answer.text.split('\n\n')
    assert (done, rest) == ('data: [DONE]', '')
    for event in events:
        name, data = event.splitlines()
        assert name == f'event: {from_json(data.removeprefix("data: "))["type"]}'


async def test_the_sdk_sends_tools_and_their_answers() -> None:
    served = Served(say(TextPart('so'), finish_reason='stop'))
    async with served as client:
        answered = cohere.V2ChatResponse.model_validate(encode_response(RESPONSE, ASKED)).message
        documents: Any = [{'type': 'document', 'document': {'data': {'sky': 'blue'}}}]
        messages: Any = [
            *HELLO,
            answered,
            {'role': 'tool', 'tool_call_id': 'a', 'content': documents},
            {'role': 'tool', 'tool_call_id': 'b', 'content': 'ok'},
        ]
        tools: Any = [{'type': 'function', 'function': {'name': 'weather', 'description': 'd', 'parameters': CITY}}]
        await client.chat(model='m', messages=messages, tools=tools, tool_choice='NONE', k=3)
    [(heard, info)] = served.heard
    assert [message.kind for message in heard] == ['request', 'response', 'request']
    assert heard[1].parts == RESPONSE.parts
    assert [(part.tool_name, part.content) for part in heard[2].parts] == [
        ('weather', [{'sky': 'blue'}]),
        ('time', 'ok'),
    ]
    assert [tool.name for tool in info.function_tools] == ['weather']
    assert info.model_settings == {'top_k': 3, 'tool_choice': 'none'}


async def test_the_sdk_asks_for_structured_output_and_thoughts() -> None:
    served = Served(
        say(ThinkingPart('Hm.', provider_name='cohere'), TextPart('{"city": "Rome"}'), finish_reason='stop')
    )
    async with served as client:
        answer = await client.chat(
            model='m',
            messages=HELLO,
            response_format=cohere.JsonObjectResponseFormatV2(json_schema=CITY),
            thinking=cohere.Thinking(type='enabled', token_budget=3000),
        )
    assert plain(answer.message.content[0] if answer.message.content else None) == thought('Hm.')
    [(_, info)] = served.heard
    assert info.model_settings == {'cohere_thinking': {'type': 'enabled', 'token_budget': 3000}, 'thinking': 'low'}
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
async def test_the_sdk_reads_errors(status: int, error: type[ApiError]) -> None:
    async with Served(RESPONSE, fault=Fault(status=status)) as client:
        with pytest.raises(error) as caught:
            await client.chat(model='m', messages=HELLO)
        assert caught.value.body['message'] == 'The server was told to fail'
        with pytest.raises(error):
            _ = [event async for event in client.chat_stream(model='m', messages=HELLO)]


async def test_the_sdk_hears_of_a_failure_in_the_middle_of_a_stream() -> None:
    async with Served(RESPONSE, fault=Fault(error_after=3)) as client:
        events = [event async for event in client.chat_stream(model='m', messages=HELLO)]
    assert plain(events[-1]) == {
        'type': 'message-end',
        'delta': {'finish_reason': 'ERROR', 'error': 'The server was told to fail'},
    }


# ---------------------------------------------------------------------- our client, over a real connection


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
async def test_our_client_reads_what_our_server_says(stream: bool) -> None:
    served = Served(RESPONSE)
    with served.server as url:
        model = CohereModel(PLUS, provider=CohereProvider(base_url=url))
        if stream:
            async with model.request_stream([ask('hi')]) as answer:
                async for _ in answer:
                    pass
                response = answer.get()
        else:
            response = await model.request([ask('hi')])
        await model.aclose()
    assert (response.parts, response.state, response.provider_url) == (RESPONSE.parts, 'complete', url)


async def listen(fault: Fault) -> tuple[type[Exception] | None, str]:
    """How a stream ends with which something is wrong: the error, and the state of the answer."""
    with Served(RESPONSE, fault=fault).server as url:
        model = CohereModel(PLUS, provider=CohereProvider(base_url=url))
        async with model, model.request_stream([ask('hi')]) as answer:
            try:
                async for _ in answer:
                    pass
            except LLMError as error:
                return type(error), answer.get().state
            return None, answer.get().state


async def test_a_stream_that_fails_or_is_cut_is_no_whole_answer() -> None:
    assert await listen(Fault()) == (None, 'complete')
    assert await listen(Fault(error_after=4)) == (ModelHTTPError, 'interrupted')
    assert await listen(Fault(cut_after=4)) == (StreamInterruptedError, 'interrupted')
    assert await listen(Fault(end_after=4)) == (None, 'incomplete')
    assert await listen(Fault(garbage_after=4)) == (UnexpectedModelBehavior, 'interrupted')


async def test_an_error_of_the_vendor_is_ours_with_its_status() -> None:
    fault = Fault(status=503, headers={'retry-after': '7'})
    with Served(RESPONSE, fault=fault).server as url:
        model = CohereModel(PLUS, provider=CohereProvider(base_url=url))
        with pytest.raises(OverloadedError, match='The server was told to fail') as caught:
            await model.request([ask('hi')])
        await model.aclose()
    assert (caught.value.retry_after, caught.value.retryable) == (7, True)
    assert isinstance(caught.value, ModelHTTPError)
