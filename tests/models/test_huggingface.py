"""Hugging Face's dialect: settings, what TGI sends in its own way, constraints, errors, and what is not taken."""

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
    RateLimitError,
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


def model(server: Server, name: str = LLAMA, **options: Any) -> HuggingFaceModel:
    provider = HuggingFaceProvider(**{'api_key': 'hf_key', 'http_client': server.client(), **options})
    return HuggingFaceModel(name, provider=provider)


async def body(
    settings: Any = None,
    *,
    messages: Sequence[ModelMessage] = HELLO,
    parameters: ModelRequestParameters | None = None,
    **how: Any,
) -> Json:
    """The body of a request, without the model and, where it is `HELLO`, without the messages."""
    server = Server()
    await model(server, **how).request(messages, settings, parameters)
    sent = server.body
    del sent['model']
    if messages is HELLO:
        del sent['messages']
    return sent


async def answered(answer: Json | bytes, **how: Any) -> ModelResponse:
    """What we make of an answer, whole or streamed."""
    server = Server(answer, **how)
    if isinstance(answer, dict):
        return await model(server).request(HELLO)
    async with model(server).request_stream(HELLO) as stream:
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
"""Each setting: a value, and what it puts into the body. The others say how a request travels, or are told below."""


def test_every_setting_of_its_own_is_in_the_table() -> None:
    own = HuggingFaceModelSettings.__annotations__.keys() - ModelSettings.__annotations__.keys()
    assert own == {name for name in SETTING_BODIES if name.startswith('huggingface_')}


@pytest.mark.parametrize('name', SETTING_BODIES)
async def test_a_setting_becomes_a_field(name: str) -> None:
    value, expected = SETTING_BODIES[name]
    assert await body({name: value}) == expected


@pytest.mark.parametrize('name', ['service_tier', 'parallel_tool_calls', 'top_k'])
async def test_a_setting_that_the_api_does_not_have_is_left_out_and_listed(name: str) -> None:
    settings: Any = {name: True}
    response = await model(Server()).request(HELLO, settings)
    assert response.warnings == [f"{name!r} was not sent: the API of 'huggingface' has nothing like it"]


async def test_a_model_that_thinks_is_told_how_long() -> None:
    assert await body({'thinking': 'xhigh'}, name='openai/gpt-oss-120b') == {'reasoning_effort': 'high'}
    settings: Any = {'thinking': 'high', 'huggingface_reasoning_effort': 'minimal'}
    assert await body(settings, name='openai/gpt-oss-120b') == {'reasoning_effort': 'minimal'}


async def test_usage_is_asked_for_in_streams() -> None:
    server = Server(chunks({'content': 'Hi'}))
    async with model(server).request_stream(HELLO) as stream:
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
async def test_a_choice_of_tools(choice: Any, sent: Any, names: list[str]) -> None:
    told = await body({'tool_choice': choice}, parameters=ModelRequestParameters([WEATHER, TIME]))
    assert told['tool_choice'] == sent
    assert [tool['function']['name'] for tool in told['tools']] == names
    assert all('strict' not in tool['function'] for tool in told['tools'])


async def test_there_are_no_tools_of_the_vendors_own() -> None:
    with pytest.raises(UserError, match="Hugging Face's API has no tools of its own, and was asked for web_search"):
        await body(parameters=ModelRequestParameters(native_tools=[WebSearchTool()]))


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
"""Answers of TGI's, older ones too, and the calls in them."""


@pytest.mark.parametrize(('answer', 'calls'), CALLS, ids=['an-object', 'not-in-a-list'])
async def test_a_call_in_tgis_own_form(answer: Json | bytes, calls: list[ToolCallPart]) -> None:
    response = await answered(answer)
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
async def test_an_endpoint_decodes_under_a_constraint(constraint: Constraint, sent: Json) -> None:
    assert await body({'constraint': constraint}, **LOCAL) == {'response_format': sent}


@pytest.mark.parametrize(
    ('how', 'constraint'), [({}, REGEX), ({}, CHOICE), (LOCAL, Grammar('start: "a"'))], ids=['router', 'router', 'tgi']
)
async def test_a_constraint_that_cannot_be_said_is_left_out_and_listed(how: Json, constraint: Constraint) -> None:
    response = await model(Server(), **how).request(HELLO, {'constraint': constraint})
    assert response.warnings == [
        f"'constraint' was not sent: 'huggingface' cannot hold {LLAMA!r} to a {constraint.kind}"
    ]


# ------------------------------------------------------------------------------------------------------- what is said


@pytest.mark.parametrize(
    ('word', 'reason'), [('eos_token', 'stop'), ('stop_sequence', 'stop'), ('eos', 'stop'), ('length', 'length')]
)
async def test_a_word_for_the_end(word: str, reason: str) -> None:
    response = await answered(completion({'content': 'Hi'}, finish_reason=word))
    assert (response.finish_reason, response.provider_details) == (reason, {'finish_reason': word})


@pytest.mark.parametrize('field', ['reasoning', 'reasoning_content'])
async def test_thoughts_come_under_two_names_and_go_back_between_tags(field: str) -> None:
    answer = await answered(completion({field: 'Hm.', 'content': 'Hi'}))
    assert answer.parts == [ThinkingPart('Hm.', id=field, provider_name='huggingface'), TextPart('Hi')]
    told = await body(messages=[*HELLO, answer, *HELLO])
    assert told['messages'][1] == {'role': 'assistant', 'content': '<think>\nHm.\n</think>\n\nHi'}


async def test_thoughts_between_tags_are_taken_out_of_the_text() -> None:
    answer = await answered(chunks({'content': '<thi'}, {'content': 'nk>Hm.</think>'}, {'content': 'Hi'}))
    assert [(type(part), part.content) for part in answer.parts if isinstance(part, TextPart | ThinkingPart)] == [
        (ThinkingPart, 'Hm.'),
        (TextPart, 'Hi'),
    ]


async def test_instructions_of_an_endpoint_are_one_system_message() -> None:
    parts = [SystemPromptPart('Be kind.'), UserPromptPart('Hello?')]
    history: list[ModelMessage] = [ModelRequest(parts, instructions='Short.')]
    [first, *_] = (await body(messages=history, **LOCAL))['messages']
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
async def test_content_that_the_api_cannot_take_is_refused_and_not_fetched(content: UserContent) -> None:
    server = Server()
    with pytest.raises(UserError, match="'huggingface' cannot take"):
        await model(server).request([ModelRequest([UserPromptPart([content])])])
    assert server.requests == []


def test_a_document_is_looked_at_since_it_may_be_text() -> None:
    asked = model(Server())
    assert asked.must_download(DocumentUrl('https://example.com/a.txt'))
    assert not asked.must_download(AudioUrl('https://example.com/a.mp3'))


# --------------------------------------------------------------------------------------------------------------- errors

LOADING = {'error': f'Model {LLAMA} is currently loading', 'estimated_time': 20.5}


@pytest.mark.parametrize(
    ('status', 'said', 'kind', 'message', 'retry_after'),
    [
        (503, LOADING, OverloadedError, f'503: Model {LLAMA} is currently loading', 20.5),
        (503, {'error': 'x', 'estimated_time': -1}, OverloadedError, '503: x', 0.0),
        (503, {'error': 'x', 'estimated_time': 'soon'}, OverloadedError, '503: x', None),
        (503, {'error': 'x', 'estimated_time': float('nan')}, OverloadedError, '503: x', None),
        (
            429,
            {'error': 'Model is overloaded', 'error_type': 'overloaded'},
            RateLimitError,
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
async def test_an_error(status: int, said: Json, kind: type[ModelHTTPError], message: str, retry_after: Any) -> None:
    with pytest.raises(kind) as caught:
        await model(Server(said, status=status)).request(HELLO)
    assert message in caught.value.message
    assert (caught.value.status_code, caught.value.retry_after) == (status, retry_after)


@pytest.mark.parametrize(
    ('said', 'status', 'kind'),
    [
        ({'error': 'Model is overloaded', 'error_type': 'overloaded'}, 503, OverloadedError),
        ({'error': 'Cut', 'error_type': 'incomplete_generation'}, 500, ModelHTTPError),
        ({'error': 'CUDA', 'error_type': 'generation'}, 424, ModelHTTPError),
        ({'error': {'message': 'Too long', 'http_status_code': 422}}, 422, ModelHTTPError),
        ({'error': 'Who knows'}, None, ModelAPIError),
    ],
)
async def test_an_error_inside_a_stream(said: Json, status: int | None, kind: type[ModelAPIError]) -> None:
    with pytest.raises(ModelAPIError) as caught:
        await answered(chunks({'content': 'Hi'}, finish_reason=None, after=(said,)))
    error: Any = caught.value
    assert type(error) is kind
    assert getattr(error, 'status_code', None) == status
