"""Hugging Face's dialect: settings, TGI's own forms, constraints, errors, and unsupported content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pydantic_llm.constraints import Choice, Constraint, Grammar, JsonSchema, Regex
from pydantic_llm.exceptions import (
    ContextLengthError,
    ModelAPIError,
    ModelHTTPError,
    OverloadedError,
    UserError,
)
from pydantic_llm.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.models.huggingface import HuggingFaceModel, HuggingFaceModelSettings
from pydantic_llm.native_tools import WebSearchTool
from pydantic_llm.providers.huggingface import HuggingFaceProvider
from pydantic_llm.settings import ModelSettings
from pydantic_llm.tools.definition import ToolDefinition
from tests.providers.server import Json, Server, chunks, completion

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('Hello?')]
WEATHER, TIME = (ToolDefinition(name, {'type': 'object', 'properties': {}}) for name in ('weather', 'time'))
LOCAL: Json = {'base_url': 'http://localhost:8080'}
LLAMA = 'meta-llama/Llama-3.3-70B-Instruct'


def build_model(server: Server, name: str = LLAMA, **options: Any) -> HuggingFaceModel:
    provider = HuggingFaceProvider(**{'api_key': 'hf_key', 'http_client': server.client(), **options})
    return HuggingFaceModel(name, provider=provider)


async def encode_body(
    settings: Any = None,
    *,
    messages: Sequence[ModelMessage] = HELLO,
    parameters: ModelRequestParameters | None = None,
    **how: Any,
) -> Json:
    """Send a request; return its body without the model, and without the messages if they are `HELLO`."""
    server = Server()
    await build_model(server, **how).request(messages, settings, parameters)
    sent = server.body
    del sent['model']
    if messages is HELLO:
        del sent['messages']
    return sent


async def decode_response(content: Json | bytes, **how: Any) -> ModelResponse:
    """Return the response that is decoded from a body or from a stream."""
    server = Server(content, **how)
    if isinstance(content, dict):
        return await build_model(server).request(HELLO)
    async with build_model(server).request_stream(HELLO) as stream:
        async for _ in stream:
            pass
        return stream.get()


# ------------------------------------------------------------------------------------------------------------- settings

SETTING_BODIES: dict[str, tuple[Any, Json]] = {
    'max_tokens': (10, {'max_tokens': 10}),
    'temperature': (0.0, {'temperature': 0.0}),
    'top_p': (0.5, {'top_p': 0.5}),
    'seed': (0, {'seed': 0}),
    'stop_sequences': (['END'], {'stop': ['END']}),
    'presence_penalty': (0.1, {'presence_penalty': 0.1}),
    'frequency_penalty': (-0.1, {'frequency_penalty': -0.1}),
    'logit_bias': ({'50256': -100}, {'logit_bias': {'50256': -100}}),
    'logprobs': (True, {'logprobs': True}),
    'top_logprobs': (2, {'top_logprobs': 2}),
    'huggingface_reasoning_effort': ('low', {'reasoning_effort': 'low'}),
    'huggingface_tool_prompt': ('Tools:', {'tool_prompt': 'Tools:'}),
}
"""Each setting: a value, and the fields of the body that it becomes. The others have tests below."""


def test_every_setting_of_its_own_is_in_the_table() -> None:
    own = HuggingFaceModelSettings.__annotations__.keys() - ModelSettings.__annotations__.keys()
    assert own == {name for name in SETTING_BODIES if name.startswith('huggingface_')}


@pytest.mark.parametrize('name', SETTING_BODIES)
async def test_a_setting_becomes_a_field(name: str) -> None:
    value, expected = SETTING_BODIES[name]
    assert await encode_body({name: value}) == expected


@pytest.mark.parametrize(('name', 'value'), [('service_tier', 'flex'), ('parallel_tool_calls', True), ('top_k', 5)])
async def test_an_unsupported_setting_is_dropped_with_a_warning(name: str, value: Any) -> None:
    settings: Any = {name: value}
    response = await build_model(Server()).request(HELLO, settings)
    assert response.warnings == [f"{name!r} was not sent: the API of 'huggingface' does not support it"]


async def test_thinking_becomes_an_effort() -> None:
    assert await encode_body({'thinking': 'xhigh'}, name='openai/gpt-oss-120b') == {'reasoning_effort': 'high'}
    settings: Any = {'thinking': 'high', 'huggingface_reasoning_effort': 'minimal'}
    assert await encode_body(settings, name='openai/gpt-oss-120b') == {'reasoning_effort': 'minimal'}


async def test_streams_request_usage() -> None:
    server = Server(chunks({'content': 'Hi'}))
    async with build_model(server).request_stream(HELLO) as stream:
        async for _ in stream:
            pass
    assert server.body['stream_options'] == {'include_usage': True}


# ---------------------------------------------------------------------------------------------------------------- tools


@pytest.mark.parametrize(
    ('choice', 'sent', 'names'),
    [
        ('none', 'none', ['weather', 'time']),
        ('required', 'required', ['weather', 'time']),
        (['time'], {'type': 'function', 'function': {'name': 'time'}}, ['weather', 'time']),
    ],
)
async def test_a_tool_choice_is_sent(choice: Any, sent: Any, names: list[str]) -> None:
    sent_body = await encode_body({'tool_choice': choice}, parameters=ModelRequestParameters([WEATHER, TIME]))
    assert sent_body['tool_choice'] == sent
    assert [tool['function']['name'] for tool in sent_body['tools']] == names
    assert all('strict' not in tool['function'] for tool in sent_body['tools'])


async def test_native_tools_are_refused() -> None:
    with pytest.raises(UserError, match="Hugging Face's API has no tools of its own, and was asked for web_search"):
        await encode_body(parameters=ModelRequestParameters(native_tools=[WebSearchTool()]))


CALLS: list[tuple[Json | bytes, list[ToolCallPart]]] = [
    (
        completion({'tool_calls': [{'id': '0', 'function': {'name': 'look', 'arguments': {'city': 'Rome'}}}]}),
        [ToolCallPart('look', {'city': 'Rome'}, '0')],
    ),
    (
        chunks(
            {'tool_calls': {'index': 0, 'id': '', 'function': {'name': 'look', 'arguments': '{"city"'}}},
            {'tool_calls': {'index': 0, 'id': '', 'function': {'name': None, 'arguments': ': "Rome"}'}}},
            finish_reason='eos_token',
        ),
        [ToolCallPart('look', '{"city": "Rome"}', 'any')],
    ),
]
"""Responses of TGI, also of older versions, and the tool calls in them."""


@pytest.mark.parametrize(('content', 'calls'), CALLS, ids=['an-object', 'not-in-a-list'])
async def test_a_tool_call_in_tgis_form_is_decoded(content: Json | bytes, calls: list[ToolCallPart]) -> None:
    response = await decode_response(content)
    assert [(call.tool_name, call.args_as_dict()) for call in response.tool_calls] == [
        (call.tool_name, call.args_as_dict()) for call in calls
    ]


# ---------------------------------------------------------------------------------------------------------- constraints

REGEX, CHOICE = Regex(r'\d+'), Choice(('yes', 'no.'))


@pytest.mark.parametrize(
    ('constraint', 'sent'),
    [
        (REGEX, {'type': 'regex', 'value': r'\d+'}),
        (CHOICE, {'type': 'regex', 'value': r'yes|no\.'}),
        (JsonSchema({'type': 'integer'}), {'type': 'json_object', 'value': {'type': 'integer'}}),
    ],
)
async def test_a_constraint_becomes_a_response_format_of_an_endpoint(constraint: Constraint, sent: Json) -> None:
    assert await encode_body({'constraint': constraint}, **LOCAL) == {'response_format': sent}


@pytest.mark.parametrize(
    ('how', 'constraint'), [({}, REGEX), ({}, CHOICE), (LOCAL, Grammar('start: "a"'))], ids=['router', 'router', 'tgi']
)
async def test_an_unsupported_constraint_is_dropped_with_a_warning(how: Json, constraint: Constraint) -> None:
    response = await build_model(Server(), **how).request(HELLO, {'constraint': constraint})
    assert response.warnings == [
        f"'constraint' was not sent: 'huggingface' cannot hold {LLAMA!r} to a {constraint.kind}"
    ]


# ------------------------------------------------------------------------------------------------------------ responses


@pytest.mark.parametrize(
    ('wire', 'reason'), [('eos_token', 'stop'), ('stop_sequence', 'stop'), ('eos', 'stop'), ('length', 'length')]
)
async def test_a_finish_reason_of_tgi_is_translated_and_kept(wire: str, reason: str) -> None:
    response = await decode_response(completion({'content': 'Hi'}, finish_reason=wire))
    assert (response.finish_reason, response.provider_details) == (reason, {'finish_reason': wire})


@pytest.mark.parametrize('field', ['reasoning', 'reasoning_content'])
async def test_thinking_comes_in_two_fields_and_is_sent_back_between_tags(field: str) -> None:
    response = await decode_response(completion({field: 'Hm.', 'content': 'Hi'}))
    assert response.parts == [ThinkingPart('Hm.', id=field, provider_name='huggingface'), TextPart('Hi')]
    sent_body = await encode_body(messages=[*HELLO, response, *HELLO])
    assert sent_body['messages'][1] == {'role': 'assistant', 'content': '<think>\nHm.\n</think>\n\nHi'}


async def test_thinking_between_tags_is_taken_out_of_the_text() -> None:
    response = await decode_response(chunks({'content': '<thi'}, {'content': 'nk>Hm.</think>'}, {'content': 'Hi'}))
    assert [(type(part), part.content) for part in response.parts if isinstance(part, TextPart | ThinkingPart)] == [
        (ThinkingPart, 'Hm.'),
        (TextPart, 'Hi'),
    ]


async def test_instructions_of_an_endpoint_are_one_system_message() -> None:
    parts = [SystemPromptPart('Be kind.'), UserPromptPart('Hello?')]
    history: list[ModelMessage] = [ModelRequest(parts, instructions='Short.')]
    [first, *_] = (await encode_body(messages=history, **LOCAL))['messages']
    assert first == {'role': 'system', 'content': 'Be kind.\n\nShort.'}


@pytest.mark.parametrize(
    'content',
    [
        AudioUrl('https://example.com/a.mp3'),
        BinaryContent(b'x', media_type='audio/wav'),
        BinaryContent(b'x', media_type='application/pdf'),
        BinaryContent(b'x', media_type='video/mp4'),
        VideoUrl('https://example.com/a.mp4'),
    ],
    ids=lambda content: content.media_type,
)
async def test_unsupported_content_is_refused_and_not_fetched(content: UserContent) -> None:
    server = Server()
    with pytest.raises(UserError, match="'huggingface' cannot take"):
        await build_model(server).request([ModelRequest([UserPromptPart([content])])])
    assert server.requests == []


def test_a_document_is_downloaded_since_it_may_be_text() -> None:
    chosen = build_model(Server())
    assert chosen.must_download(DocumentUrl('https://example.com/a.txt'))
    assert not chosen.must_download(AudioUrl('https://example.com/a.mp3'))


# --------------------------------------------------------------------------------------------------------------- errors

LOADING = {'error': f'Model {LLAMA} is currently loading', 'estimated_time': 20.5}


@pytest.mark.parametrize(
    ('status', 'error_body', 'kind', 'message', 'retry_after'),
    [
        (503, LOADING, OverloadedError, f'503: Model {LLAMA} is currently loading', 20.5),
        (503, {'error': 'x', 'estimated_time': -1}, OverloadedError, '503: x', 0.0),
        (503, {'error': 'x', 'estimated_time': 'soon'}, OverloadedError, '503: x', None),
        (503, {'error': 'x', 'estimated_time': float('nan')}, OverloadedError, '503: x', None),
        (
            429,
            {'error': 'Model is overloaded', 'error_type': 'overloaded'},
            OverloadedError,
            'Model is overloaded',
            None,
        ),
        (
            422,
            {'error': 'Input validation', 'error_type': 'validation'},
            ModelHTTPError,
            '422 (validation)',
            None,
        ),
        (424, {'error': 'CUDA', 'error_type': 'generation'}, ModelHTTPError, '424 (generation): CUDA', None),
        (400, {'error': "This model's maximum context length is 8192"}, ContextLengthError, 'maximum context', None),
        (400, {'message': 'Bad'}, ModelHTTPError, '400: Bad', None),
        (404, {'error': ['no', 'such']}, ModelHTTPError, "404: ['no', 'such']", None),
    ],
)
async def test_an_error_response_is_raised(
    status: int, error_body: Json, kind: type[ModelHTTPError], message: str, retry_after: Any
) -> None:
    with pytest.raises(kind) as caught:
        await build_model(Server(error_body, status=status)).request(HELLO)
    assert message in caught.value.message
    assert (caught.value.status_code, caught.value.retry_after) == (status, retry_after)


@pytest.mark.parametrize(
    ('error_body', 'status', 'kind'),
    [
        ({'error': 'Model is overloaded', 'error_type': 'overloaded'}, 503, OverloadedError),
        ({'error': 'Cut', 'error_type': 'incomplete_generation'}, 500, ModelHTTPError),
        ({'error': 'CUDA', 'error_type': 'generation'}, 424, ModelHTTPError),
        ({'error': {'message': 'Too long', 'http_status_code': 422}}, 422, ModelHTTPError),
        ({'error': 'Who knows'}, None, ModelAPIError),
    ],
)
async def test_an_error_in_a_stream_is_raised(error_body: Json, status: int | None, kind: type[ModelAPIError]) -> None:
    with pytest.raises(ModelAPIError) as caught:
        await decode_response(chunks({'content': 'Hi'}, finish_reason=None, after=(error_body,)))
    error: Any = caught.value
    assert type(error) is kind
    assert getattr(error, 'status_code', None) == status
