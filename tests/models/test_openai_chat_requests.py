"""Encoding of Chat Completions: tools, outputs, constraints and messages."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from pydantic_llm.constraints import Choice, Constraint, Grammar, JsonSchema, Regex
from pydantic_llm.exceptions import UnknownSettingWarning, UserError
from pydantic_llm.messages import (
    AudioUrl,
    BinaryContent,
    CachePoint,
    DocumentUrl,
    FilePart,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    NativeToolCallPart,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.native_tools import WebSearchTool
from pydantic_llm.tools.definition import ToolDefinition
from tests.models.openai_chat import (
    CITY,
    HELLO,
    HELLO_MESSAGE,
    OUTPUT_TOOL,
    OWN,
    STRICT_CITY,
    TIME,
    WEATHER,
    build_model,
    collect_warnings,
    encode_body,
    encode_messages,
)
from tests.providers.server import Json, Server

# ---------------------------------------------------------------------------------------------------------------- tools


def encoded_tool(name: str, **more: Any) -> Json:
    return {
        'type': 'function',
        'function': {'name': name, 'description': '', 'parameters': STRICT_CITY, 'strict': True, **more},
    }


def with_choice(choice: Any, **more: Any) -> dict[str, Any]:
    """Return the arguments of a request with two tools and this tool choice."""
    return {
        'settings': {} if choice is None else {'tool_choice': choice},
        'parameters': ModelRequestParameters(function_tools=[WEATHER, TIME], **more),
    }


WEATHER_ONLY = {'type': 'function', 'function': {'name': 'weather'}}
OUTPUT_TOOL_ONLY = {'type': 'function', 'function': {'name': 'answer'}}
THREE = ModelRequestParameters(function_tools=[WEATHER, TIME, ToolDefinition('place', dict(CITY))])


@pytest.mark.parametrize(
    ('choice', 'expected'),
    [
        (None, 'auto'),
        ('auto', 'auto'),
        ('none', 'none'),
        ('required', 'required'),
        (['weather'], WEATHER_ONLY),
        (['weather', 'time'], 'required'),
    ],
)
async def test_a_tool_choice_is_sent(choice: Any, expected: Any) -> None:
    assert await encode_body(**with_choice(choice)) == {
        'tools': [encoded_tool('weather'), encoded_tool('time')],
        'tool_choice': expected,
    }


async def test_a_choice_of_some_tools_becomes_allowed_tools_at_openai() -> None:
    sent = await encode_body({'tool_choice': ['weather', 'time']}, parameters=THREE)
    assert sent['tools'] == [encoded_tool('weather'), encoded_tool('time'), encoded_tool('place')]
    assert sent['tool_choice'] == {
        'type': 'allowed_tools',
        'allowed_tools': {
            'mode': 'required',
            'tools': [WEATHER_ONLY, {'type': 'function', 'function': {'name': 'time'}}],
        },
    }


async def test_a_choice_of_some_tools_drops_the_others_for_other_servers() -> None:
    sent = await encode_body(
        {'tool_choice': ['weather', 'time']}, parameters=THREE, service='together', name='some/model'
    )
    assert sent == {'tools': [encoded_tool('weather'), encoded_tool('time')], 'tool_choice': 'required'}


async def test_an_output_that_must_be_a_tool_call_is_required() -> None:
    sent = await encode_body(
        **with_choice(None, output_tools=[OUTPUT_TOOL], output_mode='tool', allow_text_output=False)
    )
    assert sent == {
        'tools': [encoded_tool('weather'), encoded_tool('time'), encoded_tool('answer')],
        'tool_choice': 'required',
    }


async def test_without_function_tools_only_the_output_tool_is_sent() -> None:
    sent = await encode_body(
        **with_choice('none', output_tools=[OUTPUT_TOOL], output_mode='tool', allow_text_output=False)
    )
    assert sent == {'tools': [encoded_tool('answer')], 'tool_choice': OUTPUT_TOOL_ONLY}


@pytest.mark.parametrize(
    ('service', 'name', 'settings', 'expected'),
    [
        ('deepseek', 'deepseek-reasoner', {}, 'auto'),
        ('deepseek', 'deepseek-v4-pro', {}, 'auto'),
        ('deepseek', 'deepseek-v4-pro', {'thinking': False}, 'required'),
        ('deepseek', 'deepseek-chat', {}, 'required'),
        ('moonshotai', 'kimi-k2.6', {}, 'auto'),
    ],
)
async def test_an_output_tool_is_optional_if_the_model_cannot_be_forced(
    service: str, name: str, settings: Json, expected: str
) -> None:
    must_call = ModelRequestParameters(output_tools=[OUTPUT_TOOL, TIME], output_mode='tool', allow_text_output=False)
    assert (await encode_body(settings, parameters=must_call, service=service, name=name))['tool_choice'] == expected


async def test_a_required_tool_call_is_refused_if_the_model_cannot_be_forced() -> None:
    with pytest.raises(UserError) as caught:
        await encode_body(**with_choice('required'), service='deepseek', name='deepseek-reasoner')
    assert str(caught.value) == "'deepseek-reasoner' cannot be made to call a tool (tool_choice='required')"


async def test_parallel_tool_calls_is_sent_only_with_tools() -> None:
    assert await encode_body({'parallel_tool_calls': False}) == {}
    sent = await encode_body(
        {'parallel_tool_calls': False}, parameters=ModelRequestParameters(function_tools=[WEATHER])
    )
    assert sent == {'tools': [encoded_tool('weather')], 'tool_choice': 'auto', 'parallel_tool_calls': False}


@pytest.mark.parametrize(
    ('how', 'more'),
    [
        ({}, {'strict': True}),
        ({'service': 'ollama', 'name': 'mistral'}, {}),
        ({'service': 'deepseek', 'name': 'deepseek-chat'}, {'strict': True}),
    ],
)
async def test_strict_is_sent_only_to_servers_that_support_it(how: Json, more: Json) -> None:
    [sent] = (await encode_body(parameters=ModelRequestParameters(function_tools=[WEATHER]), **how))['tools']
    assert sent['function'] == {'name': 'weather', 'description': '', 'parameters': STRICT_CITY, **more}


async def test_keywords_that_a_strict_schema_loses_are_warnings() -> None:
    schema = {'type': 'object', 'properties': {'name': {'type': 'string', 'default': 'a', 'minLength': 2}}}
    strict = ModelRequestParameters(function_tools=[ToolDefinition('weather', schema, strict=True)])
    response = await build_model(Server()).request(HELLO, None, strict)
    assert response.warnings == [
        "the schema of tool 'weather' can no longer enforce default of $.name",
        "the schema of tool 'weather' can no longer enforce minLength of $.name",
    ]


@pytest.mark.parametrize(
    ('parameters', 'how', 'message'),
    [
        (
            ModelRequestParameters(native_tools=[WebSearchTool()]),
            {},
            'The Chat Completions API has no tools of its own, and was asked for web_search',
        ),
        (
            ModelRequestParameters(function_tools=[WEATHER]),
            {'service': 'perplexity', 'name': 'sonar'},
            "'sonar' cannot call tools, and was given 'weather'",
        ),
        (
            ModelRequestParameters(output_mode='native', output_object=OutputObjectDefinition(CITY)),
            {'service': 'deepseek', 'name': 'deepseek-chat'},
            (
                "'deepseek-chat' cannot be held to a JSON schema by its API (output_mode='native'); use output_mode "
                "'tool' or 'prompted' (ToolOutput or PromptedOutput on an agent)"
            ),
        ),
    ],
)
async def test_unsupported_parameters_are_refused(parameters: Any, how: Json, message: str) -> None:
    with pytest.raises(UserError) as caught:
        await encode_body(parameters=parameters, **how)
    assert str(caught.value) == message


# ------------------------------------------------------------------------------------------------- outputs, constraints


@pytest.mark.parametrize(
    ('how', 'output', 'expected'),
    [
        (
            {},
            OutputObjectDefinition(CITY, 'City', 'A city.'),
            {'name': 'City', 'schema': STRICT_CITY, 'description': 'A city.', 'strict': True},
        ),
        ({}, OutputObjectDefinition(CITY), {'name': 'final_result', 'schema': STRICT_CITY, 'strict': True}),
        ({}, OutputObjectDefinition(CITY, strict=False), {'name': 'final_result', 'schema': CITY, 'strict': False}),
        (
            {'service': 'ollama', 'name': 'qwen3'},
            OutputObjectDefinition(CITY),
            {'name': 'final_result', 'schema': CITY},
        ),
    ],
)
async def test_a_native_output_is_a_schema(how: Json, output: OutputObjectDefinition, expected: Json) -> None:
    parameters = ModelRequestParameters(output_mode='native', output_object=output)
    sent = await encode_body(parameters=parameters, **how)
    assert sent == {'response_format': {'type': 'json_schema', 'json_schema': expected}}


async def test_a_prompted_output_is_an_instruction() -> None:
    parameters = ModelRequestParameters(
        output_mode='prompted', output_object=OutputObjectDefinition(CITY), prompted_output_template='Like {schema}!'
    )
    messages = [ModelRequest([UserPromptPart('Hello?')], instructions='Be brief.')]
    sent = await encode_body(parameters=parameters, messages=messages)
    assert sent == {
        'messages': [
            {'role': 'system', 'content': 'Be brief.'},
            {'role': 'system', 'content': f'Like {json.dumps(STRICT_CITY)}!'},
            HELLO_MESSAGE,
        ],
        'response_format': {'type': 'json_object'},
    }


async def test_a_prompted_output_requires_json_only_from_servers_that_support_it() -> None:
    parameters = ModelRequestParameters(output_mode='prompted', output_object=OutputObjectDefinition(CITY))
    sent = await encode_body(parameters=parameters, messages=list(HELLO), service='lmstudio')
    assert sent.keys() == {'messages'}


SCHEMA = JsonSchema({'type': 'integer'})
NAMED_SCHEMA = {'type': 'json_schema', 'json_schema': {'name': 'final_result', 'schema': {'type': 'integer'}}}


@pytest.mark.parametrize(
    ('service', 'constraint', 'expected'),
    [
        ('openai', SCHEMA, {'response_format': NAMED_SCHEMA}),
        ('vllm-server', SCHEMA, {'response_format': NAMED_SCHEMA}),
        ('vllm-server', Regex(r'\d+'), {'structured_outputs': {'regex': r'\d+'}}),
        ('vllm-server', Choice(('a', 'b')), {'structured_outputs': {'choice': ['a', 'b']}}),
        ('vllm-server', Grammar('start: "a"'), {'structured_outputs': {'grammar': 'start: "a"'}}),
        ('llamacpp', SCHEMA, {'response_format': NAMED_SCHEMA}),
        ('llamacpp', Choice(('a', 'ö"')), {'grammar': 'root ::= "a" | "ö\\""'}),
        ('llamacpp', Grammar('root ::= "a"', 'gbnf'), {'grammar': 'root ::= "a"'}),
    ],
)
async def test_a_constraint_becomes_the_servers_fields(service: str, constraint: Constraint, expected: Json) -> None:
    assert await encode_body({'constraint': constraint}, service=service) == expected


@pytest.mark.parametrize(
    ('service', 'name', 'constraint', 'kind'),
    [
        ('openai', 'gpt-4o', Regex(r'\d+'), 'regex'),
        ('openai', 'gpt-4o', Choice(('a',)), 'choice'),
        ('llamacpp', 'gpt-4o', Regex(r'\d+'), 'regex'),
        ('llamacpp', 'gpt-4o', Grammar('start: "a"', 'lark'), 'grammar'),
        ('deepseek', 'deepseek-chat', SCHEMA, 'json-schema'),
    ],
)
async def test_an_unsupported_constraint_is_dropped_with_a_warning(
    service: str, name: str, constraint: Constraint, kind: str
) -> None:
    settings = {'constraint': constraint}
    assert await encode_body(settings, service=service, name=name) == {}
    warning = f"'constraint' was not sent: {service!r} cannot hold {name!r} to a {kind}"
    assert await collect_warnings(settings, service=service, name=name) == [warning]


# ------------------------------------------------------------------------------------------------------------- messages

CONVERSATION: list[ModelMessage] = [
    ModelRequest([SystemPromptPart('You are A.'), UserPromptPart(['One.', 'Two.'])]),
    ModelResponse([TextPart('Let me look.'), ToolCallPart('weather', {'name': 'Oslo'}, 'call-1')]),
    ModelRequest([ToolReturnPart('weather', 'rain', 'call-1')], instructions='Be brief.'),
]
CALL = {'id': 'call-1', 'type': 'function', 'function': {'name': 'weather', 'arguments': '{"name":"Oslo"}'}}
TWO_TEXTS = [{'type': 'text', 'text': 'One.'}, {'type': 'text', 'text': 'Two.'}]


@pytest.mark.parametrize(
    ('role', 'how'),
    [
        ('system', {}),
        ('developer', {'profile': {'openai_system_prompt_role': 'developer'}}),
        ('user', {'name': 'o1-mini'}),
    ],
)
async def test_instructions_follow_the_system_prompts_under_the_models_role(role: str, how: Json) -> None:
    assert await encode_messages(CONVERSATION, **how) == [
        {'role': role, 'content': 'You are A.'},
        {'role': role, 'content': 'Be brief.'},
        {'role': 'user', 'content': TWO_TEXTS},
        {'role': 'assistant', 'tool_calls': [CALL], 'content': 'Let me look.'},
        {'role': 'tool', 'tool_call_id': 'call-1', 'content': 'rain'},
    ]


async def test_system_messages_are_joined_for_templates_that_refuse_a_second() -> None:
    messages = await encode_messages(CONVERSATION, service='vllm-server')
    assert messages[:2] == [
        {'role': 'system', 'content': 'You are A.\n\nBe brief.'},
        {'role': 'user', 'content': TWO_TEXTS},
    ]


async def test_roles_are_replaced_and_tool_calls_become_text() -> None:
    conversions = {'system': 'user', 'tool': 'user', 'assistant': 'model'}
    assert await encode_messages(CONVERSATION, profile={'openai_role_conversions': conversions}) == [
        {'role': 'user', 'content': 'You are A.'},
        {'role': 'user', 'content': 'Be brief.'},
        {'role': 'user', 'content': TWO_TEXTS},
        {
            'role': 'model',
            'content': 'Let me look.\nCalling tools: [{"name":"weather","arguments":"{\\"name\\":\\"Oslo\\"}"}]',
        },
        {'role': 'user', 'content': 'rain'},
    ]


async def test_tool_calls_stay_tool_calls_if_tools_keep_their_role() -> None:
    messages = await encode_messages(CONVERSATION, profile={'openai_role_conversions': {'system': 'developer'}})
    assert messages[0] == {'role': 'developer', 'content': 'You are A.'}
    assert messages[3] == {'role': 'assistant', 'tool_calls': [CALL], 'content': 'Let me look.'}


async def test_content_is_flattened_for_servers_that_accept_no_list() -> None:
    messages = await encode_messages(CONVERSATION, profile={'openai_flatten_content': True})
    assert messages[2] == {'role': 'user', 'content': 'One.\nTwo.'}


async def test_files_cannot_be_flattened() -> None:
    messages = [ModelRequest([UserPromptPart([ImageUrl('https://example.com/a.png')])])]
    with pytest.raises(
        UserError, match=r"^'openai' takes text alone \(openai_flatten_content\), and was given ImageUrl"
    ):
        await encode_messages(messages, profile={'openai_flatten_content': True})


PNG = BinaryContent(b'\x89PNG', media_type='image/png', vendor_metadata={'detail': 'low'})


@pytest.mark.parametrize(
    ('item', 'how', 'expected'),
    [
        (TextContent('Hi'), {}, [{'type': 'text', 'text': 'Hi'}]),
        (CachePoint(), {}, []),
        (PNG, {}, [{'type': 'image_url', 'image_url': {'url': 'data:image/png;base64,iVBORw==', 'detail': 'low'}}]),
        (
            BinaryContent(b'abc', media_type='audio/mpeg'),
            {},
            [{'type': 'input_audio', 'input_audio': {'data': 'YWJj', 'format': 'mp3'}}],
        ),
        (UploadedFile('file-1', 'openai'), {}, [{'type': 'file', 'file': {'file_id': 'file-1'}}]),
        (
            DocumentUrl('https://example.com/a.pdf'),
            {'service': 'openrouter', 'name': 'openai/gpt-4o'},
            [{'type': 'file', 'file': {'file_data': 'https://example.com/a.pdf', 'filename': 'filename.pdf'}}],
        ),
        (
            VideoUrl('https://example.com/a.mp4'),
            {'service': 'openrouter', 'name': 'google/gemini-2.5-flash'},
            [{'type': 'video_url', 'video_url': {'url': 'https://example.com/a.mp4'}}],
        ),
    ],
)
async def test_content_becomes_parts(item: UserContent, how: Json, expected: list[Json]) -> None:
    [message] = await encode_messages([ModelRequest([UserPromptPart(['x', item])])], **how)
    assert message['content'] == [{'type': 'text', 'text': 'x'}, *expected]


@pytest.mark.parametrize(
    ('item', 'message'),
    [
        (VideoUrl('https://example.com/a.mp4'), r"^'openai' cannot take VideoUrl\(.*no such content$"),
        (UploadedFile('file-1', 'anthropic'), r"^'openai' cannot take UploadedFile\(.*no such content$"),
        (BinaryContent(b'', media_type='audio/flac'), r"accepts audio as mp3 and wav, not 'audio/flac'$"),
        (AudioUrl('ftp://example.com/a.mp3'), r'only http and https'),
    ],
)
async def test_unsupported_content_is_refused(item: UserContent, message: str) -> None:
    with pytest.raises(UserError, match=message):
        await encode_messages([ModelRequest([UserPromptPart([item])])])


async def test_a_document_url_is_refused_by_servers_without_documents() -> None:
    messages = [ModelRequest([UserPromptPart([DocumentUrl('https://example.com/a.pdf')])])]
    profile = {'openai_documents': False, 'openai_document_url': True}
    with pytest.raises(UserError, match=r"^'openai' cannot take DocumentUrl\("):
        await encode_messages(messages, profile=profile)


async def test_files_of_tool_results_follow_in_a_user_message() -> None:
    image = BinaryContent(b'\x89PNG', media_type='image/png', identifier='map')
    messages = [
        *HELLO,
        ModelResponse([ToolCallPart('map', None, 'a'), ToolCallPart('time', None, 'b')]),
        ModelRequest([ToolReturnPart('map', image, 'a'), ToolReturnPart('time', None, 'b')]),
    ]
    assert (await encode_messages(messages))[2:] == [
        {'role': 'tool', 'tool_call_id': 'a', 'content': 'See file map.'},
        {'role': 'tool', 'tool_call_id': 'b', 'content': ''},
        {
            'role': 'user',
            'content': [
                {'type': 'text', 'text': 'This is file map:'},
                {'type': 'image_url', 'image_url': {'url': 'data:image/png;base64,iVBORw=='}},
            ],
        },
    ]


async def test_a_retry_is_a_tool_message_or_a_user_message() -> None:
    messages = [
        *HELLO,
        ModelResponse([ToolCallPart('weather', '{', 'a')]),
        ModelRequest([RetryPromptPart('Not JSON.', tool_name='weather', tool_call_id='a')]),
        ModelResponse([TextPart('x')]),
        ModelRequest([RetryPromptPart('Too short.')]),
    ]
    sent = await encode_messages(messages)
    again = '\n\nCorrect this and try again.'
    assert sent[2] == {'role': 'tool', 'tool_call_id': 'a', 'content': f'Not JSON.{again}'}
    assert sent[4] == {'role': 'user', 'content': f'Too short.{again}'}


@pytest.mark.parametrize(
    ('part', 'how', 'expected'),
    [
        (ThinkingPart('a', id='reasoning', **OWN), {}, {'reasoning': 'a'}),
        (ThinkingPart('a', id='reasoning', provider_name='x'), {}, {'content': '<think>\na\n</think>\n\nHi'}),
        (ThinkingPart('a', id='rs_1', **OWN), {}, {'content': '<think>\na\n</think>\n\nHi'}),
        (ThinkingPart('', signature='s', **OWN), {}, {}),
        (ThinkingPart('a'), {'profile': {'openai_thinking_back': 'drop'}}, {}),
        (
            ThinkingPart('a'),
            {'profile': {'openai_thinking_back': 'field', 'openai_thinking_field': 'thoughts'}},
            {'thoughts': 'a'},
        ),
        (
            ThinkingPart('a', signature='s', provider_details={'type': 'reasoning.text', 'index': 0}, **OWN),
            {'profile': {'openai_thinking_back': 'details'}},
            {
                'reasoning_details': [
                    {'id': None, 'format': None, 'index': 0, 'type': 'reasoning.text', 'text': 'a', 'signature': 's'}
                ]
            },
        ),
        (ThinkingPart('a', signature='s'), {'profile': {'openai_thinking_back': 'details'}}, {}),
        (NativeToolCallPart('web_search', provider_name='anthropic'), {}, {}),
        (FilePart(PNG, provider_details={'audio_id': 'audio_1'}, **OWN), {}, {'audio': {'id': 'audio_1'}}),
        (FilePart(PNG, provider_details={'audio_id': 'audio_1'}, provider_name='x'), {}, {}),
    ],
)
async def test_parts_are_sent_back_to_the_vendor_that_made_them(
    part: ModelResponsePart, how: Json, expected: Json
) -> None:
    sent = await encode_messages([*HELLO, ModelResponse([part, TextPart('Hi')]), *HELLO], **how)
    assert sent[1] == {'role': 'assistant', 'content': 'Hi', **expected}


async def test_a_thinking_model_gets_its_field_with_every_tool_call() -> None:
    how = {'service': 'deepseek', 'name': 'deepseek-reasoner'}
    sent = await encode_messages(CONVERSATION, **how)
    assert sent[3] == {
        'role': 'assistant',
        'tool_calls': [CALL],
        'content': 'Let me look.',
        'reasoning_content': '',
    }


@pytest.mark.parametrize(('provider', 'expected'), [('openai', {'extra_content': {'a': 1}}), ('x', {})])
async def test_extra_content_of_a_tool_call_is_sent_back_to_its_vendor(provider: str, expected: Json) -> None:
    extra = {'extra_content': {'a': 1}}
    call = ToolCallPart('weather', '{}', 'a', provider_name=provider, provider_details=extra)
    sent = await encode_messages(
        [*HELLO, ModelResponse([call]), ModelRequest([ToolReturnPart('weather', 'rain', 'a')])]
    )
    [sent_call] = sent[1]['tool_calls']
    assert sent_call == {'id': 'a', 'type': 'function', 'function': {'name': 'weather', 'arguments': '{}'}, **expected}


# ---------------------------------------------------------------------- the settings of services

OPENROUTER: dict[str, tuple[Any, str]] = {
    'openrouter_models': (['openai/gpt-4o', 'x/y'], 'models'),
    'openrouter_provider': ({'only': ['azure']}, 'provider'),
    'openrouter_preset': ('@preset/comedian', 'preset'),
    'openrouter_transforms': (['middle-out'], 'transforms'),
    'openrouter_reasoning': ({'max_tokens': 2000}, 'reasoning'),
    'openrouter_usage': ({'include': True}, 'usage'),
    'openrouter_plugins': ([{'id': 'web'}], 'plugins'),
    'openrouter_route': ('fallback', 'route'),
}


@pytest.mark.parametrize('name', OPENROUTER)
def test_a_setting_of_openrouter_is_a_field_there_and_skipped_elsewhere(name: str) -> None:
    (value, field), settings = OPENROUTER[name], cast('Any', {name: OPENROUTER[name][0], 'thinking': True})
    model = OpenAIChatModel('openai/gpt-4o', provider='openrouter', api_key='k')
    request = model.prepare([ModelRequest.user_text_prompt('Hello.')], settings)
    assert (model.encode(request)[field], request.warnings) == (value, [])
    elsewhere = OpenAIChatModel('gpt-5', api_key='k')
    request = elsewhere.prepare([ModelRequest.user_text_prompt('Hello.')], settings)
    assert (field in elsewhere.encode(request), request.warnings) == (False, [])


def test_a_wrong_setting_of_openrouter_is_refused_or_reported() -> None:
    model = OpenAIChatModel('openai/gpt-4o', provider='openrouter', api_key='k')
    hello = [ModelRequest.user_text_prompt('Hello.')]
    with pytest.raises(UserError, match=r"openrouter_provider is 'azure': give a dict"):
        model.prepare(hello, cast('Any', {'openrouter_provider': 'azure'}))
    with pytest.warns(UnknownSettingWarning, match='openrouter_provder'):
        [warning] = model.prepare(hello, cast('Any', {'openrouter_provder': {}})).warnings
    assert warning == (
        "'openrouter_provder' was not sent: this API has no such setting; did you mean 'openrouter_provider'?"
    )
