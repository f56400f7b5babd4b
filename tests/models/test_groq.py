"""Groq's dialect: settings, Groq's own tools, usage in streams, errors, and failed generations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from groq.types.chat import ChatCompletion, ChatCompletionChunk
from groq.types.chat.completion_create_params import CompletionCreateParams
from pydantic import BaseModel, TypeAdapter

from pydantic_llm import Agent
from pydantic_llm.exceptions import (
    ContextLengthError,
    ModelAPIError,
    ModelHTTPError,
    OverloadedError,
    RateLimitError,
    UserError,
)
from pydantic_llm.messages import (
    BinaryContent,
    DocumentUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartStartEvent,
    RetryPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    UserPromptPart,
    VideoUrl,
)
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition
from pydantic_llm.models.groq import GroqModel
from pydantic_llm.native_tools import (
    CodeExecutionTool,
    ImageGenerationTool,
    WebFetchTool,
    WebSearchTool,
    WebSearchUserLocation,
)
from pydantic_llm.providers.groq import GroqProvider
from pydantic_llm.tools.definition import ToolDefinition
from pydantic_llm.usage import RequestUsage
from tests.providers.server import Json, Server, chunks, completion

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('Hello?')]
WEATHER = ToolDefinition('weather', {'type': 'object', 'properties': {'city': {'type': 'string'}}})
LLAMA, OSS, QWEN = 'llama-3.3-70b-versatile', 'openai/gpt-oss-120b', 'qwen/qwen3-32b'
OWN: Any = {'provider_name': 'groq'}


def build_model(server: Any, name: str = LLAMA) -> GroqModel:
    return GroqModel(name, provider=GroqProvider(api_key='key', http_client=server.client(httpx)))


async def encode_body(
    settings: Any = None,
    *,
    messages: Sequence[ModelMessage] = HELLO,
    parameters: ModelRequestParameters | None = None,
    name: str = LLAMA,
) -> Json:
    """Send a request, check it with the SDK, and return its body without the model and without `HELLO`."""
    server = Server()
    await build_model(server, name).request(messages, settings, parameters)
    sent = server.body
    TypeAdapter(CompletionCreateParams).validate_python(sent)
    del sent['model']
    if messages is HELLO:
        del sent['messages']
    return sent


async def decode_response(content: Json | bytes, *, status: int = 200, name: str = LLAMA) -> ModelResponse:
    """Return the response that is decoded from a body or from a stream."""
    server = Server(content, status=status)
    if isinstance(content, dict):
        return await build_model(server, name).request(HELLO)
    return await stream_response(server, name)


async def stream_response(server: Server, name: str = LLAMA) -> ModelResponse:
    async with build_model(server, name).request_stream(HELLO) as stream:
        async for _ in stream:
            pass
        return stream.get()


# ------------------------------------------------------------------------------------------------------------- requests


@pytest.mark.parametrize(
    ('settings', 'fields'),
    [
        ({'service_tier': 'default'}, {'service_tier': 'on_demand'}),
        ({'service_tier': 'priority'}, {'service_tier': 'performance'}),
        ({'service_tier': 'flex'}, {'service_tier': 'flex'}),
        ({'service_tier': 'flex', 'groq_service_tier': 'auto'}, {'service_tier': 'auto'}),
        ({'max_tokens': 9, 'seed': 1, 'stop_sequences': ['x']}, {'max_tokens': 9, 'seed': 1, 'stop': ['x']}),
        ({'groq_search_settings': {'country': 'germany'}}, {'search_settings': {'country': 'germany'}}),
        ({'groq_citation_options': 'enabled', 'groq_user': 'u'}, {'citation_options': 'enabled', 'user': 'u'}),
        ({'extra_body': {'reasoning_format': 'raw'}}, {'reasoning_format': 'raw'}),
    ],
)
async def test_a_setting_becomes_a_field(settings: Any, fields: Json) -> None:
    assert await encode_body(settings) == fields


@pytest.mark.parametrize(
    ('name', 'settings', 'fields'),
    [
        (OSS, {'thinking': True}, {'reasoning_effort': 'medium', 'reasoning_format': 'parsed'}),
        (OSS, {'thinking': 'xhigh'}, {'reasoning_effort': 'high', 'reasoning_format': 'parsed'}),
        (OSS, {'thinking': True, 'groq_include_reasoning': False},
         {'reasoning_effort': 'medium', 'include_reasoning': False}),
        (OSS, {'groq_reasoning_effort': 'low'}, {'reasoning_effort': 'low'}),
        (QWEN, {'thinking': 'high'}, {'reasoning_format': 'parsed'}),
        (QWEN, {'thinking': True, 'groq_reasoning_format': 'hidden'}, {'reasoning_format': 'hidden'}),
        (QWEN, {'thinking': False}, {'reasoning_effort': 'none'}),
        ('qwen/qwen3.8-27b', {'thinking': 'minimal'}, {'reasoning_effort': 'low', 'reasoning_format': 'parsed'}),
        ('qwen/qwen3.8-27b', {'thinking': False}, {'reasoning_effort': 'none'}),
    ],
)  # fmt: skip
async def test_thinking_becomes_an_effort_and_a_format(name: str, settings: Any, fields: Json) -> None:
    assert await encode_body(settings, name=name) == fields


@pytest.mark.parametrize('setting', [{'logprobs': True}, {'top_logprobs': 2}, {'logit_bias': {'1': 1}}, {'top_k': 2}])
async def test_settings_that_groq_refuses_are_dropped_with_a_warning(setting: Any) -> None:
    server = Server()
    response = await build_model(server).request(HELLO, setting)
    assert server.body == {'model': LLAMA, 'messages': [{'role': 'user', 'content': 'Hello?'}]}
    [name] = setting
    assert [name in warning for warning in response.warnings] == [True]


@pytest.mark.parametrize(
    ('name', 'turn'),
    [
        (OSS, {'role': 'assistant', 'content': 'Yes.', 'reasoning': 'Hm.'}),
        (QWEN, {'role': 'assistant', 'content': 'Yes.', 'reasoning': 'Hm.'}),
        (LLAMA, {'role': 'assistant', 'content': '<think>\nHm.\n</think>\n\nYes.'}),
    ],
)
async def test_thinking_is_sent_back_in_a_field_to_models_that_reason(name: str, turn: Json) -> None:
    past = ModelResponse([ThinkingPart('Hm.', **OWN), TextPart('Yes.')], provider_name='groq')
    sent = await encode_body(messages=[*HELLO, past, ModelRequest.user_text_prompt('Sure?')], name=name)
    assert sent['messages'][1] == turn


async def test_a_stream_is_requested_without_stream_options() -> None:
    server = Server(chunks({'content': 'Hi.'}))
    await stream_response(server)
    assert {name: value for name, value in server.body.items() if name not in ('model', 'messages')} == {'stream': True}


async def test_native_outputs_are_for_models_that_support_schemas() -> None:
    city = OutputObjectDefinition({'type': 'object', 'properties': {'name': {'type': 'string'}}}, 'City', strict=True)
    native = ModelRequestParameters(output_mode='native', output_object=city)
    schema = (await encode_body(parameters=native, name=OSS))['response_format']['json_schema']
    assert (schema['name'], schema['strict']) == ('City', True)
    with pytest.raises(UserError, match='cannot be held to a JSON schema'):
        await encode_body(parameters=native)


@pytest.mark.parametrize(
    'file',
    [
        BinaryContent(b'%PDF', media_type='application/pdf'),
        DocumentUrl('https://example.com/a.pdf', media_type='application/pdf'),
        VideoUrl('https://example.com/a.mp4'),
    ],
)
async def test_an_unsupported_file_is_refused(file: Any) -> None:
    with pytest.raises(UserError, match="'groq' cannot take"):
        await encode_body(messages=[ModelRequest([UserPromptPart([file])])])


# ----------------------------------------------------------------------------------------------------- Groq's own tools


@pytest.mark.parametrize('name', ['groq/compound', 'compound-beta-mini'])
async def test_a_compound_system_gets_native_tools_and_search_settings(name: str) -> None:
    search = WebSearchTool(
        allowed_domains=['a.com'], blocked_domains=['b.com'], user_location=WebSearchUserLocation(country='DE')
    )
    parameters = ModelRequestParameters(native_tools=[search, WebFetchTool(), CodeExecutionTool()])
    assert await encode_body(parameters=parameters, name=name) == {
        'compound_custom': {'tools': {'enabled_tools': ['web_search', 'visit_website', 'code_interpreter']}},
        'search_settings': {'include_domains': ['a.com'], 'exclude_domains': ['b.com'], 'country': 'DE'},
    }


async def test_groqs_own_settings_win_over_native_tools() -> None:
    settings = {
        'groq_compound_custom': {'models': {'answering_model': OSS}, 'tools': {'enabled_tools': ['wolfram_alpha']}},
        'groq_search_settings': {'country': 'france'},
    }
    parameters = ModelRequestParameters(native_tools=[WebSearchTool(allowed_domains=['a.com'])])
    assert await encode_body(settings, parameters=parameters, name='groq/compound') == {
        'compound_custom': settings['groq_compound_custom'],
        'search_settings': {'include_domains': ['a.com'], 'country': 'france'},
    }


async def test_a_single_model_gets_native_tools_with_function_tools() -> None:
    parameters = ModelRequestParameters([WEATHER], native_tools=[WebSearchTool(), CodeExecutionTool()])
    sent = await encode_body(parameters=parameters, name=OSS)
    assert [tool['type'] for tool in sent['tools']] == ['function', 'browser_search', 'code_interpreter']
    assert sent['tool_choice'] == 'auto'


async def test_an_unsupported_native_tool_is_refused() -> None:
    with pytest.raises(UserError, match="no tool 'web_fetch' of its own: take one of Groq's compound systems"):
        await encode_body(parameters=ModelRequestParameters(native_tools=[WebFetchTool()]), name=OSS)
    with pytest.raises(UserError, match=r"Groq's API has no tools of its own but .*image_generation"):
        await encode_body(parameters=ModelRequestParameters(native_tools=[ImageGenerationTool()]), name='groq/compound')


SEARCH: Json = {
    'type': 'search',
    'index': 0,
    'arguments': '{"query": "weather"}',
    'output': 'Title: Weather',
    'search_results': {
        'results': [{'title': 'Weather', 'url': 'https://example.com', 'content': 'Sunny', 'score': 1.0}]
    },
}
CODE_RUN: Json = {
    'type': 'python',
    'index': 1,
    'arguments': '{"code": "1+1"}',
    'output': '2',
    'code_results': [{'text': '2'}],
}
PAGE_VISIT: Json = {'type': 'browser.open', 'index': 2, 'arguments': '{"id": 0}', 'output': 'A page'}
UNKNOWN_TOOL: Json = {'type': 'wolfram', 'index': 3, 'arguments': '{"input": "1+1"}'}


def native_call(name: str, number: int, kind: str, arguments: str) -> NativeToolCallPart:
    return NativeToolCallPart(name, arguments, f'{name}_{number}', provider_details={'type': kind}, **OWN)


def native_result(name: str, number: int, kind: str, content: Any) -> NativeToolReturnPart:
    return NativeToolReturnPart(name, content, f'{name}_{number}', provider_details={'type': kind}, **OWN)


EXECUTED_PARTS = [
    native_call('web_search', 0, 'search', '{"query": "weather"}'),
    native_result('web_search', 0, 'search', SEARCH['search_results']),
    native_call('code_execution', 1, 'python', '{"code": "1+1"}'),
    native_result('code_execution', 1, 'python', [{'text': '2'}]),
    native_call('web_fetch', 2, 'browser.open', '{"id": 0}'),
    native_result('web_fetch', 2, 'browser.open', 'A page'),
    native_call('wolfram', 3, 'wolfram', '{"input": "1+1"}'),
]


def without_times(parts: Sequence[Any]) -> list[Any]:
    return [{**{name: getattr(part, name) for name in part.__slots__}, 'timestamp': None} for part in parts]


async def test_executed_tools_are_native_tool_calls_and_results() -> None:
    whole = completion(
        {'reasoning': 'Hm.', 'executed_tools': [SEARCH, CODE_RUN, PAGE_VISIT, UNKNOWN_TOOL], 'content': 'Sunny.'}
    )
    ChatCompletion.model_validate(whole)
    response = await decode_response(whole, name='groq/compound')
    thinking = ThinkingPart('Hm.', id='reasoning', **OWN)
    assert without_times(response.parts) == without_times([thinking, *EXECUTED_PARTS, TextPart('Sunny.')])


async def test_an_executed_tool_that_a_stream_repeats_is_one_part() -> None:
    begun = [{name: tool[name] for name in ('type', 'index', 'arguments')} for tool in (SEARCH, CODE_RUN, PAGE_VISIT)]
    deltas: list[Json] = [
        {'role': 'assistant', 'reasoning': 'Hm.'},
        *(
            {'executed_tools': [tool]}
            for pair in zip(begun, (SEARCH, CODE_RUN, PAGE_VISIT), strict=True)
            for tool in pair
        ),
        {'executed_tools': [UNKNOWN_TOOL]},
        {'content': 'Sun'},
        {'content': 'ny.'},
    ]
    facts = {'id': 'a', 'object': 'chat.completion.chunk', 'created': 1, 'model': 'm'}
    for delta in deltas:
        ChatCompletionChunk.model_validate({**facts, 'choices': [{'index': 0, 'delta': delta}]})
    server = Server(chunks(*deltas))
    async with build_model(server, 'groq/compound').request_stream(HELLO) as stream:
        begun_parts = [event.part.part_kind async for event in stream if isinstance(event, PartStartEvent)]
        response = stream.get()
    assert begun_parts == ['thinking', *['builtin-tool-call', 'builtin-tool-return'] * 3, 'builtin-tool-call', 'text']
    thinking = ThinkingPart('Hm.', id='reasoning', **OWN)
    assert without_times(response.parts) == without_times([thinking, *EXECUTED_PARTS, TextPart('Sunny.')])


# ------------------------------------------------------------------------------------------------------------- metadata

USAGE: Json = {
    'queue_time': 0.1,
    'prompt_tokens': 7,
    'completion_tokens': 5,
    'total_tokens': 12,
    'prompt_tokens_details': {'cached_tokens': 4},
    'completion_tokens_details': {'reasoning_tokens': 3},
}
DECODED_USAGE = RequestUsage(
    input_tokens=7, output_tokens=5, output_reasoning_tokens=3, cache_read_tokens=4, details={'reasoning_tokens': 3}
)


@pytest.mark.parametrize('more', [{}, {'usage': None}, {'usage': USAGE}])
async def test_the_usage_of_a_stream_is_in_groqs_own_field(more: Json) -> None:
    last: Json = {
        'choices': [{'index': 0, 'delta': {}, 'finish_reason': 'stop'}],
        'x_groq': {'id': 'req_1', 'seed': 3, 'usage': USAGE},
        **more,
    }
    response = await decode_response(chunks({'content': 'Hi.'}, finish_reason=None, after=(last,)))
    assert response.usage == DECODED_USAGE
    assert response.provider_details == {'finish_reason': 'stop', 'x_groq': {'id': 'req_1', 'seed': 3}}
    assert response.state == 'complete'


async def test_the_usage_of_each_model_of_a_compound_system_is_kept() -> None:
    breakdown = {'models': [{'model': OSS, 'usage': USAGE}]}
    response = await decode_response(completion({'content': 'Hi.'}, usage_breakdown=breakdown, x_groq={'id': 'req_1'}))
    assert response.provider_details == {
        'finish_reason': 'stop',
        'usage_breakdown': breakdown,
        'x_groq': {'id': 'req_1'},
    }


# --------------------------------------------------------------------------------------------------------------- errors


def failed_generation(text: str | None, **more: Any) -> Json:
    generation = {} if text is None else {'failed_generation': text}
    error = {'message': 'Failed to call a function.', 'type': 'invalid_request_error', 'code': 'tool_use_failed'}
    return {'error': {**error, **generation, **more}}


def encode_error_event(error: Json) -> bytes:
    return f'event: error\ndata: {json.dumps(error)}\n\n'.encode()


CALL = '{"city": "Oslo"}'
FAILED_GENERATIONS = [
    ('{"name": "weather", "arguments": {"city": "Oslo"}}', [('weather', '{"city":"Oslo"}')]),
    ('{"name": "weather", "parameters": "{}"}', [('weather', '{}')]),
    (
        '[{"name": "weather", "arguments": {}}, {"name": "weather", "arguments": {"city": "Oslo"}}]',
        [('weather', '{}'), ('weather', '{"city":"Oslo"}')],
    ),
    (f'<function=weather>{CALL}</function>', [('weather', CALL)]),
    (f'<function=weather={CALL}</function>', [('weather', CALL)]),
    (f'<function=weather({CALL})</function>', None),
    (f'weather{CALL}</function>', [('weather', CALL)]),
    (
        f'<function=weather>{CALL}</function>\n<function=weather>{{"city": {{"name": "Bonn"}}}}</function>',
        [('weather', CALL), ('weather', '{"city": {"name": "Bonn"}}')],
    ),
    ('{"city": "Oslo"}', None),
    ('[]', None),
    ('[1]', None),
    ('7', None),
    ('I would rather not.', None),
    ('{"name": "weather", "arguments": {"city": ', None),
]


@pytest.mark.parametrize('stream', [False, True])
@pytest.mark.parametrize(('text', 'calls'), FAILED_GENERATIONS)
async def test_a_failed_generation_is_a_response(text: str, calls: list[tuple[str, str]] | None, stream: bool) -> None:
    server = Server(failed_generation(text), status=400)
    response = await (stream_response(server) if stream else build_model(server).request(HELLO))
    made = [(call.tool_name, call.args_as_json_str()) for call in response.tool_calls]
    assert (made, response.text) == ([], text) if calls is None else (calls, None)
    assert len({call.tool_call_id for call in response.tool_calls}) == len(made)
    assert (response.finish_reason, response.state) == ('error', 'complete')
    assert response.provider_details == {'finish_reason': 'tool_use_failed', 'error': 'Failed to call a function.'}


@pytest.mark.parametrize('text', [None, ''])
async def test_a_failed_generation_without_text_is_an_empty_response(text: str | None) -> None:
    response = await decode_response(failed_generation(text), status=400)
    assert (response.parts, response.finish_reason) == ([], 'error')


@pytest.mark.parametrize(
    ('deltas', 'parts'),
    [
        (({'content': 'may'}, {'content': 'be'}), [TextPart('maybe')]),
        (
            ({'tool_calls': [{'index': 0, 'id': 'a', 'function': {'name': 'weather', 'arguments': CALL}}]},),
            [ToolCallPart('weather', CALL, 'a')],
        ),
        (({'reasoning': 'Hm.'},), [ThinkingPart('Hm.', id='reasoning', **OWN), TextPart('maybe')]),
    ],
)
async def test_parts_of_a_stream_that_failed_are_not_repeated(deltas: Any, parts: Any) -> None:
    stream = chunks(*deltas, finish_reason=None).removesuffix(b'data: [DONE]\n\n')
    response = await decode_response(stream + encode_error_event(failed_generation('maybe', status_code=400)))
    assert response.parts == parts
    assert (response.finish_reason, response.state) == ('error', 'complete')


@pytest.mark.parametrize(
    ('error', 'kind', 'status'),
    [
        ({'message': 'Too busy', 'type': 'internal_server_error', 'status_code': 503}, OverloadedError, 503),
        ({'message': 'Too fast', 'code': 'rate_limit_exceeded', 'status_code': 429}, RateLimitError, 429),
        ({'message': 'Too long', 'code': 'context_length_exceeded', 'status_code': 400}, ContextLengthError, 400),
        ({'message': 'No', 'type': 'invalid_request_error'}, ModelHTTPError, 400),
    ],
)
async def test_an_error_in_a_stream_has_the_status_that_it_names(error: Json, kind: Any, status: int) -> None:
    stream = chunks({'content': 'Hi'}, finish_reason=None).removesuffix(b'data: [DONE]\n\n')
    with pytest.raises(kind, match=error['message']) as caught:
        await decode_response(stream + encode_error_event({'error': error}))
    assert (caught.value.status_code, caught.value.in_stream) == (status, True)


async def test_an_error_in_groqs_own_field_is_raised() -> None:
    last: Json = {'choices': [{'index': 0, 'delta': {}}], 'x_groq': {'id': 'req_1', 'error': 'over capacity'}}
    with pytest.raises(ModelAPIError, match='over capacity'):
        await decode_response(chunks({'content': 'Hi'}, finish_reason=None, after=(last,)))


@pytest.mark.parametrize('stream', [False, True])
@pytest.mark.parametrize(
    ('status', 'error', 'kind'),
    [
        (400, {'message': 'bad', 'code': 'json_validate_failed', 'failed_generation': '{'}, ModelHTTPError),
        (498, {'message': 'flex is full', 'code': 'capacity_exceeded'}, OverloadedError),
        (429, {'message': 'Rate limit reached', 'type': 'tokens', 'code': 'rate_limit_exceeded'}, RateLimitError),
    ],
)
async def test_other_errors_are_raised(status: int, error: Json, kind: Any, stream: bool) -> None:
    server = Server({'error': error}, status=status, retry_after='2')
    with pytest.raises(kind, match=error['message']) as caught:
        await (stream_response(server) if stream else build_model(server).request(HELLO))
    assert (caught.value.status_code, caught.value.retry_after) == (status, 2)
    assert caught.value.retryable is (status != 400)


# ------------------------------------------------------------------------------------------------------------- an agent


class Responses:
    """Sends one response after the other, and records the requests."""

    def __init__(self, *responses: tuple[int, Json | bytes]) -> None:
        self.servers = [Server(content, status=status) for status, content in responses]
        self.bodies: list[Json] = []

    def client(self, library: Any) -> Any:
        def respond(request: Any) -> Any:
            self.bodies.append(json.loads(request.content))
            server = self.servers[len(self.bodies) - 1]
            return library.Response(server.status, headers=server.headers, content=server.content)

        return library.AsyncClient(transport=library.MockTransport(respond))


class City(BaseModel):
    name: str


def encode_output_call(name: str, arguments: str, *, stream: bool) -> Json | bytes:
    call = {'index': 0, 'id': 'call_1', 'type': 'function', 'function': {'name': name, 'arguments': arguments}}
    if stream:
        return chunks({'tool_calls': [call]}, finish_reason='tool_calls')
    return completion({'tool_calls': [call]}, finish_reason='tool_calls')


@pytest.mark.parametrize('stream', [False, True])
@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('maybe', 'Text is not an answer here'),
        ('{"name": "final_result", "arguments": {"nmae": "Oslo"}}', 'Field required'),
    ],
)
async def test_a_failed_tool_call_is_retried(text: str, message: str, stream: bool) -> None:
    valid = encode_output_call('final_result', '{"name": "Oslo"}', stream=stream)
    server = Responses((400, failed_generation(text)), (200, valid))
    agent = Agent(build_model(server, OSS), output_type=City)
    if stream:
        async with agent.run_stream('Where?') as run:
            output, messages = await run.get_output(), run.all_messages()
    else:
        result = await agent.run('Where?')
        output, messages = result.output, result.all_messages()
    assert output == City(name='Oslo')
    [retry] = messages[2].parts
    assert isinstance(retry, RetryPromptPart)
    reply = retry.model_response()
    assert message in reply or 'ended with an error: Failed to call a function' in reply
    [*_, last] = server.bodies[1]['messages']
    assert last['role'] == ('user' if text == 'maybe' else 'tool')


async def test_text_instead_of_a_tool_call_is_not_the_output() -> None:
    server = Responses(
        (400, failed_generation('<function=weather{"city"')), (200, completion({'content': 'It is sunny.'}))
    )

    def weather(city: str) -> str:
        """The weather."""
        raise AssertionError(city)

    result = await Agent(build_model(server), tools=[weather]).run('And the weather?')
    assert result.output == 'It is sunny.'
    assert 'Failed to call a function' in server.bodies[1]['messages'][-1]['content']


async def test_a_tool_call_in_text_is_executed() -> None:
    server = Responses(
        (400, failed_generation(f'<function=weather>{CALL}</function>')), (200, completion({'content': 'Sunny.'}))
    )
    asked: list[str] = []

    def weather(city: str) -> str:
        """The weather."""
        asked.append(city)
        return 'sunny'

    assert (await Agent(build_model(server), tools=[weather]).run('And the weather?')).output == 'Sunny.'
    assert asked == ['Oslo']
