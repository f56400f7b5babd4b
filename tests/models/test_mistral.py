"""Mistral's dialect: the order of messages, chunks, ids, thinking, outputs, settings, responses, and errors.

The SDK's types check the bodies: they reject unknown fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from mistralai.client.models import ChatCompletionRequest, ChatCompletionResponse, CompletionChunk
from pydantic import BaseModel, TypeAdapter

from pydantic_llm import Agent, NativeOutput
from pydantic_llm.constraints import JsonSchema, Regex
from pydantic_llm.exceptions import (
    AuthenticationError,
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
    CachePoint,
    DocumentUrl,
    FinishReason,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    PartEndEvent,
    PartStartEvent,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
    UserPromptPart,
    VideoUrl,
)
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition
from pydantic_llm.models.mistral import MistralModel
from pydantic_llm.models.openai import OpenAIModel
from pydantic_llm.native_tools import WebSearchTool
from pydantic_llm.profiles.mistral import mistral_model_profile
from pydantic_llm.providers.mistral import MistralProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.tools.definition import ToolDefinition
from pydantic_llm.usage import RequestUsage
from tests.models.cited import cite
from tests.providers.server import STOPPED, Json, Server, chunks, completion

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('Hello?')]
WEATHER, TIME = (ToolDefinition(name, {'type': 'object', 'properties': {}}) for name in ('weather', 'time'))
LARGE, SMALL = 'mistral-large-2512', 'mistral-small-latest'
OWN: Any = {'provider_name': 'mistral'}


def build_model(server: Any, name: str = LARGE, **options: Any) -> MistralModel:
    return MistralModel(name, provider=MistralProvider(api_key='key', http_client=server.client()), **options)


def find_changes(sent: Any, known: Any, path: str = '') -> Iterator[str]:
    """Yield the paths of the fields that the SDK changes or drops."""
    if isinstance(sent, dict):
        for name, value in sent.items():
            yield from find_changes(value, known[name], f'{path}.{name}') if name in known else [f'{path}.{name}']
    elif isinstance(sent, list):
        for number, value in enumerate(sent):
            yield from find_changes(value, known[number], f'{path}[{number}]')
    elif sent != known:
        yield path


async def encode_body(
    settings: Any = None,
    *,
    messages: Sequence[ModelMessage] = HELLO,
    parameters: ModelRequestParameters | None = None,
    name: str = LARGE,
    known: bool = True,
) -> Json:
    """Send a request, check it with the SDK, and return its body without the model and without `HELLO`."""
    server = Server()
    await build_model(server, name).request(messages, settings, parameters)
    sent = server.body
    taken = ChatCompletionRequest.model_validate(sent).model_dump(mode='json', by_alias=True)
    assert list(find_changes(sent, taken)) == [] or not known
    del sent['model']
    if messages is HELLO:
        assert sent.pop('messages') == [{'role': 'user', 'content': 'Hello?'}]
    return sent


async def encode_messages(*messages: ModelMessage, **how: Any) -> list[Json]:
    """Send a request; return its messages."""
    found: list[Json] = (await encode_body(messages=messages, **how))['messages']
    return found


async def decode_response(content: Json | bytes, name: str = LARGE) -> ModelResponse:
    """Return the response that is decoded from a body or from a stream."""
    server = Server(content)
    if isinstance(content, dict):
        return await build_model(server, name).request(HELLO)
    async with build_model(server, name).request_stream(HELLO) as stream:
        async for _ in stream:
            pass
        return stream.get()


def past_response(*parts: Any) -> ModelResponse:
    return ModelResponse(list(parts), provider_name='mistral')


def user_message(*content: Any) -> ModelRequest:
    return ModelRequest([UserPromptPart(content[0] if len(content) == 1 else list(content))])


# ------------------------------------------------------------------------------------------------ the order of messages


def roles(messages: Sequence[Json]) -> list[str]:
    return [message['role'] for message in messages]


async def test_no_user_message_follows_a_tool_message() -> None:
    call = ToolCallPart('weather', '{}', 'abcdefghi')
    given = ModelRequest([ToolReturnPart('weather', 'sunny', 'abcdefghi'), UserPromptPart('And?')])
    sent = await encode_messages(user_message('Hello?'), past_response(call), given)
    assert roles(sent) == ['user', 'assistant', 'tool', 'assistant', 'user']
    assert sent[3] == {'role': 'assistant', 'content': 'OK'}


async def test_an_image_of_a_tool_result_follows_a_bridge_message() -> None:
    image = BinaryContent(b'x', media_type='image/png')
    call = ToolCallPart('weather', '{}', 'abcdefghi')
    sent = await encode_messages(
        user_message('Hello?'),
        past_response(call),
        ModelRequest([ToolReturnPart('weather', ['A map:', image], 'abcdefghi')]),
    )
    assert roles(sent) == ['user', 'assistant', 'tool', 'assistant', 'user']
    assert [part['type'] for part in sent[4]['content']] == ['text', 'image_url']


async def test_results_of_parallel_tool_calls_are_adjacent() -> None:
    calls = [ToolCallPart('weather', '{}', id) for id in ('abcdefghi', 'abcdefghj')]
    failed = RetryPromptPart('b', tool_name='weather', tool_call_id='abcdefghj')
    sent = await encode_messages(
        user_message('Hello?'),
        past_response(*calls),
        ModelRequest([ToolReturnPart('weather', 'a', 'abcdefghi'), failed]),
    )
    assert roles(sent) == ['user', 'assistant', 'tool', 'tool']


async def test_system_messages_and_instructions_come_first() -> None:
    late = ModelRequest([SystemPromptPart('Be quick.'), UserPromptPart('And?')], instructions='Be kind.')
    first = ModelRequest([SystemPromptPart('Be brief.'), UserPromptPart('Hello?')])
    sent = await encode_messages(first, past_response(TextPart('Hi.')), late)
    assert [message['content'] for message in sent[:3]] == ['Be brief.', 'Be kind.', 'Be quick.']
    assert roles(sent) == ['system', 'system', 'system', 'user', 'assistant', 'user']


async def test_a_response_at_the_end_of_the_conversation_is_a_prefix() -> None:
    sent = await encode_messages(user_message('The capital of France?'), past_response(TextPart('It is')))
    assert sent[-1] == {'role': 'assistant', 'content': 'It is', 'prefix': True}


@pytest.mark.parametrize('parts', [[], [TextPart('')], [ThinkingPart('')]])
async def test_an_empty_response_is_dropped(parts: Any) -> None:
    assert roles(await encode_messages(user_message('One.'), past_response(*parts), user_message('Two.'))) == [
        'user',
        'user',
    ]


# --------------------------------------------------------------------------------------------------------------- chunks


@pytest.mark.parametrize(
    ('item', 'chunk'),
    [
        (ImageUrl('https://a.com/a.png'), {'type': 'image_url', 'image_url': {'url': 'https://a.com/a.png'}}),
        (
            BinaryContent(b'x', media_type='image/png', vendor_metadata={'detail': 'low'}),
            {'type': 'image_url', 'image_url': {'url': 'data:image/png;base64,eA==', 'detail': 'low'}},
        ),
        (DocumentUrl('https://a.com/a.pdf'), {'type': 'document_url', 'document_url': 'https://a.com/a.pdf'}),
        (
            BinaryContent(b'x', media_type='application/pdf'),
            {'type': 'document_url', 'document_url': 'data:application/pdf;base64,eA=='},
        ),
        (UploadedFile('f', 'mistral'), {'type': 'file', 'file_id': 'f'}),
        ('Look.', {'type': 'text', 'text': 'Look.'}),
    ],
)
async def test_a_user_content_item_is_a_chunk(item: Any, chunk: Json) -> None:
    [message] = await encode_messages(user_message('Here:', item, CachePoint()))
    assert message == {'role': 'user', 'content': [{'type': 'text', 'text': 'Here:'}, chunk]}


@pytest.mark.parametrize('media_type', ['audio/mpeg', 'audio/wav', 'audio/flac', 'audio/ogg', 'audio/webm'])
async def test_audio_is_sent_to_models_that_support_it(media_type: str) -> None:
    [message] = await encode_messages(
        user_message('Listen.', BinaryContent(b'x', media_type=media_type)), name='voxtral-small-latest'
    )
    assert message['content'][1] == {'type': 'input_audio', 'input_audio': 'eA=='}


async def test_a_text_file_is_sent_as_text() -> None:
    [message] = await encode_messages(user_message('Read.', BinaryContent(b'A note.', media_type='text/plain')))
    assert 'A note.' in message['content'][1]['text']
    assert build_model(Server()).must_download(DocumentUrl('https://a.com/a.txt'))


@pytest.mark.parametrize(
    ('item', 'name', 'message'),
    [
        (BinaryContent(b'x', media_type='audio/mpeg'), LARGE, "'mistral' cannot take"),
        (AudioUrl('https://a.com/a.mp3'), LARGE, "'mistral' cannot take"),
        (
            BinaryContent(b'x', media_type='audio/aiff'),
            'voxtral-small-latest',
            'accepts audio as mp3, wav, flac, ogg and webm',
        ),
        (BinaryContent(b'x', media_type='video/mp4'), LARGE, "'mistral' cannot take"),
        (VideoUrl('https://a.com/a.mp4'), LARGE, "'mistral' cannot take"),
        (UploadedFile('f', 'openai'), LARGE, "'mistral' cannot take"),
    ],
)
async def test_unsupported_content_is_refused_before_anything_is_sent(item: Any, name: str, message: str) -> None:
    server = Server()
    with pytest.raises(UserError, match=message):
        await build_model(server, name).request([user_message('Here:', item)])
    assert server.requests == []


# ------------------------------------------------------------------------------------------------------------- thinking

THINKING: Json = {'type': 'thinking', 'thinking': [{'type': 'text', 'text': 'Hm.'}]}


@pytest.mark.parametrize(
    ('parts', 'content'),
    [
        ([ThinkingPart('Hm.', **OWN), TextPart('Yes.')], [THINKING, {'type': 'text', 'text': 'Yes.'}]),
        ([ThinkingPart('Hm.', signature='s', **OWN)], [{**THINKING, 'signature': 's'}]),
        ([ThinkingPart('', signature='s', **OWN)], [{'type': 'thinking', 'thinking': [], 'signature': 's'}]),
        ([ThinkingPart('Hm.', signature='s', provider_name='anthropic')], [THINKING]),
        ([ThinkingPart('Hm.'), ThinkingPart('Hm.')], [{**THINKING, 'thinking': THINKING['thinking'] * 2}]),
        ([ThinkingPart('Hm.'), ThinkingPart('Hm.', signature='s', **OWN)], [THINKING, {**THINKING, 'signature': 's'}]),
        ([TextPart('So,'), ThinkingPart('Hm.'), TextPart('yes.')],
         [{'type': 'text', 'text': 'So,'}, THINKING, {'type': 'text', 'text': 'yes.'}]),
        ([TextPart('Yes.')], 'Yes.'),
        ([TextPart('Ye'), TextPart('s.')], [{'type': 'text', 'text': 'Ye'}, {'type': 'text', 'text': 's.'}]),
    ],
)  # fmt: skip
async def test_thinking_is_sent_back_as_chunks(parts: Any, content: Any) -> None:
    sent = await encode_messages(user_message('Hello?'), past_response(*parts), user_message('Sure?'))
    assert sent[1] == {'role': 'assistant', 'content': content}


async def test_references_are_sent_back_in_their_order() -> None:
    tool = {'type': 'tool_reference', 'tool': 'web_search', 'title': 'A page'}
    parts = [
        ThinkingPart('Hm.', provider_details={'references': [tool]}, **OWN),
        TextPart('It is so', provider_details={'reference_ids': [0, '1']}, **OWN),
        TextPart('.'),
        TextPart('Or so', provider_name='openai', provider_details={'reference_ids': [7]}),
    ]
    sent = await encode_messages(user_message('Hello?'), past_response(*parts), user_message('Sure?'))
    assert sent[1]['content'] == [
        {'type': 'thinking', 'thinking': [*THINKING['thinking'], tool]},
        {'type': 'text', 'text': 'It is so'},
        {'type': 'reference', 'reference_ids': [0, '1']},
        {'type': 'text', 'text': '.'},
        {'type': 'text', 'text': 'Or so'},
    ]


@pytest.mark.parametrize(
    'name', ['mistral-large-2411', 'open-mistral-nemo', 'magistral-small-2506', 'pixtral-large-latest']
)
async def test_older_models_get_thinking_between_tags(name: str) -> None:
    sent = await encode_messages(
        user_message('Hello?'),
        past_response(ThinkingPart('Hm.', **OWN), TextPart('Yes.')),
        user_message('Sure?'),
        name=name,
    )
    assert sent[1]['content'] == '<think>\nHm.\n</think>\n\nYes.'


@pytest.mark.parametrize(
    ('name', 'thinking', 'effort'),
    [
        (SMALL, True, 'high'),
        (SMALL, 'minimal', 'high'),
        (SMALL, False, 'none'),
        ('mistral-medium-3-5', 'low', 'high'),
        ('ft:mistral-medium-latest:mine:1', False, 'none'),
        ('mistral-large-4-0', 'high', 'high'),
        ('zai-glm-5-2', 'minimal', 'minimal'),
        ('zai-glm-5-3', 'xhigh', 'max'),
        ('magistral-medium-latest', True, None),
    ],
)
async def test_thinking_becomes_an_effort_that_the_model_supports(name: str, thinking: Any, effort: str | None) -> None:
    assert await encode_body({'thinking': thinking}, name=name) == ({'reasoning_effort': effort} if effort else {})


@pytest.mark.parametrize(
    ('name', 'thinking', 'message'),
    [(LARGE, True, 'has no setting for thinking'), ('magistral-medium-latest', False, 'cannot stop thinking')],
)
async def test_an_unsupported_thinking_setting_is_dropped_with_a_warning(
    name: str, thinking: Any, message: str
) -> None:
    server = Server()
    response = await build_model(server, name).request(HELLO, {'thinking': thinking})
    assert 'reasoning_effort' not in server.body
    assert [message in warning for warning in response.warnings] == [True]


async def test_the_apis_own_settings_win() -> None:
    settings = {'thinking': 'high', 'mistral_reasoning_effort': 'none', 'mistral_prompt_mode': 'reasoning'}
    assert await encode_body(settings, name=SMALL) == {'reasoning_effort': 'none', 'prompt_mode': 'reasoning'}


@pytest.mark.parametrize(
    ('name', 'thinks', 'always'),
    [
        ('mistral-large-latest', False, False),
        ('mistral-medium-2508', False, False),
        ('mistral-medium', True, False),
        ('codestral-latest', False, False),
        ('magistral-small-2509', True, True),
        ('devstral-latest', True, False),
        ('devstral-small-2507', False, False),
        ('mistral-small-2503', False, False),
    ],
)
def test_the_profile_knows_which_models_think(name: str, thinks: bool, always: bool) -> None:
    profile = mistral_model_profile(name)
    assert (profile.supports_thinking, profile.thinking_always_enabled) == (thinks, always)


# ---------------------------------------------------------------------------------------------------- tools and outputs


@pytest.mark.parametrize(
    ('choice', 'sent'),
    [
        (None, 'auto'),
        ('none', 'none'),
        ('required', 'any'),
        (['weather'], {'type': 'function', 'function': {'name': 'weather'}}),
    ],
)
async def test_a_tool_choice_has_mistrals_value(choice: Any, sent: Any) -> None:
    parameters = ModelRequestParameters([WEATHER, TIME])
    assert (await encode_body({'tool_choice': choice} if choice else None, parameters=parameters))[
        'tool_choice'
    ] == sent


async def test_only_the_chosen_tools_are_sent() -> None:
    third = ToolDefinition('third', {'type': 'object', 'properties': {}})
    sent = await encode_body(
        {'tool_choice': ['weather', 'time']}, parameters=ModelRequestParameters([WEATHER, TIME, third])
    )
    assert (sent['tool_choice'], [tool['function']['name'] for tool in sent['tools']]) == ('any', ['weather', 'time'])


async def test_a_schema_is_sent_without_metadata() -> None:
    schema = {'$schema': 'https://json-schema.org/draft/2020-12/schema', '$id': 'x', 'type': 'object', 'properties': {}}
    parameters = ModelRequestParameters([ToolDefinition('weather', schema, 'The weather.', strict=True)])
    [tool] = (await encode_body({'parallel_tool_calls': False}, parameters=parameters))['tools']
    function = {'name': 'weather', 'description': 'The weather.', 'strict': True}
    assert tool == {'type': 'function', 'function': {**function, 'parameters': {'type': 'object', 'properties': {}}}}


async def test_tool_call_ids_have_nine_letters_or_digits() -> None:
    calls = [ToolCallPart('weather', '{}', id) for id in ('call_1', 'abcdefghi', '000000000')]
    given = [ToolReturnPart('weather', id, id) for id in ('call_1', 'abcdefghi', '000000000')]
    sent = await encode_messages(user_message('Hello?'), past_response(*calls), ModelRequest(given))
    ids = [call['id'] for call in sent[1]['tool_calls']]
    assert [message['tool_call_id'] for message in sent[2:]] == ids
    assert len(set(ids)) == 3
    assert all(re.fullmatch('[a-zA-Z0-9]{9}', id) for id in ids)
    assert ids[1] == 'abcdefghi'


CITY: Json = {'type': 'object', 'properties': {'name': {'type': 'string'}, 'in': {'$ref': '#/$defs/Country'}}}
COUNTRY: Json = {'type': 'object', 'properties': {'code': {'type': 'string'}}}
OPEN: Json = {'type': 'object', 'properties': {'names': {'type': 'object', 'additionalProperties': {'type': 'string'}}}}


@pytest.mark.parametrize('strict', [None, True])
async def test_an_output_is_constrained_by_a_closed_schema(strict: bool | None) -> None:
    output = OutputObjectDefinition({**CITY, '$defs': {'Country': COUNTRY}}, 'City', 'A city.', strict)
    sent = await encode_body(parameters=ModelRequestParameters(output_mode='native', output_object=output))
    closed = {'additionalProperties': False}
    schema = {**CITY, **closed, '$defs': {'Country': {**COUNTRY, **closed}}}
    schema_format = {'name': 'City', 'description': 'A city.', 'schema': schema, 'strict': True}
    assert sent == {'response_format': {'type': 'json_schema', 'json_schema': schema_format}}


@pytest.mark.parametrize(('schema', 'strict'), [(OPEN, None), ({'type': 'object'}, None), (COUNTRY, False)])
async def test_an_open_schema_is_sent_unchanged(schema: Json, strict: bool | None) -> None:
    output = OutputObjectDefinition(schema, 'Out', strict=strict)
    sent = await encode_body(parameters=ModelRequestParameters(output_mode='native', output_object=output))
    strict_field = {} if strict is None else {'strict': strict}
    assert sent['response_format']['json_schema'] == {'name': 'Out', 'schema': schema, **strict_field}


async def test_json_mode_is_requested_only_without_tools() -> None:
    output = OutputObjectDefinition(COUNTRY)
    alone = ModelRequestParameters(output_mode='prompted', output_object=output)
    with_tools = ModelRequestParameters([WEATHER], output_mode='prompted', output_object=output)
    assert (await encode_body(parameters=alone, messages=[user_message('Hello?')]))['response_format'] == {
        'type': 'json_object'
    }
    assert 'response_format' not in await encode_body(parameters=with_tools, messages=[user_message('Hello?')])


async def test_a_schema_is_the_only_constraint() -> None:
    sent = await encode_body({'constraint': JsonSchema(COUNTRY)})
    assert sent['response_format']['json_schema']['strict'] is True
    response = await build_model(Server()).request(HELLO, {'constraint': Regex('a+')})
    assert ['constraint' in warning for warning in response.warnings] == [True]


async def test_native_tools_are_refused() -> None:
    with pytest.raises(
        UserError, match="Mistral's Chat Completions API has no tools of its own, and was asked for web_search"
    ):
        await encode_body(parameters=ModelRequestParameters(native_tools=[WebSearchTool()]))


# ------------------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ('settings', 'fields'),
    [
        ({'max_tokens': 9, 'seed': 3, 'stop_sequences': ['x']}, {'max_tokens': 9, 'random_seed': 3, 'stop': ['x']}),
        ({'temperature': 0.0, 'top_p': 0.5, 'top_k': 3}, {'temperature': 0.0, 'top_p': 0.5, 'top_k': 3}),
        ({'service_tier': 'auto'}, {'service_tier': 'auto'}),
        ({'service_tier': 'priority'}, {'service_tier': 'auto'}),
        ({'service_tier': 'default'}, {'service_tier': 'standard_only'}),
        ({'service_tier': 'priority', 'mistral_service_tier': 'standard_only'}, {'service_tier': 'standard_only'}),
        ({'mistral_safe_prompt': True, 'mistral_min_tokens': 2}, {'safe_prompt': True, 'min_tokens': 2}),
        ({'mistral_prompt_cache_key': 'k'}, {'prompt_cache_key': 'k'}),
        (
            {'mistral_prediction': {'type': 'content', 'content': 'x'}, 'mistral_metadata': {'a': 1}},
            {'prediction': {'type': 'content', 'content': 'x'}, 'metadata': {'a': 1}},
        ),
    ],
)
async def test_a_setting_becomes_a_field(settings: Any, fields: Json) -> None:
    assert await encode_body(settings) == fields


async def test_an_unsupported_service_tier_is_dropped_with_a_warning() -> None:
    server = Server()
    response = await build_model(server).request(HELLO, {'service_tier': 'flex'})
    assert 'service_tier' not in server.body
    assert response.warnings == ["'service_tier' was not sent: Mistral has no service tier like 'flex'"]
    with pytest.raises(UserError, match='no service tier like'):
        await build_model(server).request(HELLO, {'service_tier': 'flex', 'unsupported_settings': 'error'})


async def test_a_stream_is_requested_without_stream_options() -> None:
    server = Server(chunks({'content': 'Hi.'}))
    async with build_model(server).request_stream(HELLO):
        pass
    assert server.body == {'model': LARGE, 'messages': [{'role': 'user', 'content': 'Hello?'}], 'stream': True}


async def test_an_unknown_field_can_be_sent() -> None:
    assert await encode_body({'extra_body': {'new': 1}}, known=False) == {'new': 1}


# ------------------------------------------------------------------------------------------------------------ responses

CONTENT: list[Json] = [
    {**THINKING, 'signature': 's', 'closed': True},
    {'type': 'text', 'text': 'It is so'},
    {'type': 'reference', 'reference_ids': [0, 'b']},
    {'type': 'reference', 'reference_ids': [2]},
    {'type': 'text', 'text': ', I think.'},
    {'type': 'smell', 'smell': 'roses'},
]
PARTS = [
    ThinkingPart('Hm.', signature='s', **OWN),
    cite(TextPart('It is so', provider_details={'reference_ids': [0, 'b']}, **OWN)),
    cite(TextPart('', provider_details={'reference_ids': [2]}, **OWN)),
    TextPart(', I think.'),
]


async def test_chunks_become_parts_in_the_same_order() -> None:
    whole = completion({'content': CONTENT, 'tool_calls': None})
    ChatCompletionResponse.model_validate(whole)
    response = await decode_response(whole)
    assert response.parts == PARTS
    assert (response.text, response.thinking) == ('It is so, I think.', 'Hm.')


async def test_a_stream_of_chunks_becomes_the_same_parts() -> None:
    first = {'type': 'thinking', 'thinking': [{'type': 'text', 'text': 'H'}]}
    rest = {**first, 'thinking': [{'type': 'text', 'text': 'm.'}], 'signature': 's', 'closed': True}
    deltas: list[Json] = [
        {'role': 'assistant', 'content': ''},
        {'content': [first]},
        {'content': [rest, {'type': 'text', 'text': 'It is'}]},
        {'content': ' so'},
        {'content': [CONTENT[2]]},
        {'content': [CONTENT[3], {'type': 'text', 'text': ', I'}]},
        {'content': ' think.'},
    ]
    for delta in deltas:
        CompletionChunk.model_validate(
            {'id': 'a', 'model': 'm', 'choices': [{'index': 0, 'delta': delta, 'finish_reason': None}]}
        )
    server = Server(chunks(*deltas))
    async with build_model(server).request_stream(HELLO) as stream:
        events = [event async for event in stream]
        response = stream.get()
    assert response.parts == PARTS
    assert [event.index for event in events if isinstance(event, PartStartEvent)] == [0, 1, 2, 3]
    assert [event.part for event in events if isinstance(event, PartEndEvent)] == PARTS


async def test_items_of_thinking_that_are_not_text_are_kept() -> None:
    pages = [{'type': 'tool_reference', 'tool': 'web_search', 'title': title} for title in ('a', 'b')]
    pieces = [{'type': 'thinking', 'thinking': [*THINKING['thinking'], page]} for page in pages]
    response = await decode_response(chunks(*({'content': [piece]} for piece in pieces), {'content': 'Yes.'}))
    thinking = ThinkingPart('Hm.Hm.', provider_details={'references': pages}, **OWN)
    assert response.parts == [thinking, TextPart('Yes.')]
    assert (await encode_messages(user_message('Hello?'), response, user_message('Sure?')))[1]['content'][0][
        'thinking'
    ][1:] == pages


async def test_thinking_may_be_a_string() -> None:
    response = await decode_response(completion({'content': [{'type': 'thinking', 'thinking': 'Hm.'}]}))
    assert response.parts == [ThinkingPart('Hm.', **OWN)]


async def test_chunks_are_decoded_from_other_servers_too() -> None:
    server = Server(completion({'content': CONTENT}))
    client = OpenAIModel('mistral-small', provider=OpenAIProvider(api_key='k', http_client=server.client()))
    response = await client.request(HELLO)
    assert (response.text, response.thinking) == ('It is so, I think.', 'Hm.')


async def test_tool_calls_come_whole_and_without_a_type() -> None:
    calls = [
        {'id': id, 'function': {'name': 'weather', 'arguments': '{"city": "Oslo"}'}, 'index': number}
        for number, id in enumerate(('abcdefghi', 'abcdefghj'))
    ]
    parts = [ToolCallPart('weather', '{"city": "Oslo"}', id) for id in ('abcdefghi', 'abcdefghj')]
    whole = await decode_response(completion({'content': '', 'tool_calls': calls}, finish_reason='tool_calls'))
    streamed = await decode_response(chunks({'content': '', 'tool_calls': calls}, finish_reason='tool_calls'))
    assert whole.parts == streamed.parts == parts
    assert whole.finish_reason == streamed.finish_reason == 'tool_call'


@pytest.mark.parametrize(
    ('usage', 'cached', 'details'),
    [
        ({'prompt_tokens_details': {'cached_tokens': 64}}, 64, {}),
        ({'num_cached_tokens': 64}, 64, {}),
        ({'prompt_audio_seconds': 7}, 0, {'prompt_audio_seconds': 7}),
        ({'service_tier': 'priority'}, 0, {'service_tier': 'priority'}),
    ],
)
async def test_usage_comes_with_the_end_of_a_stream(usage: Json, cached: int, details: Json) -> None:
    usage = {'prompt_tokens': 100, 'completion_tokens': 5, 'total_tokens': 105, **usage}
    last = {'choices': [{'index': 0, 'delta': {'content': ''}, 'finish_reason': 'stop'}], 'usage': usage}
    streamed = await decode_response(chunks({'content': 'Hi.'}, finish_reason=None, after=(last,)))
    whole = await decode_response(completion({'content': 'Hi.'}, usage=usage))
    for response in (whole, streamed):
        assert response.usage == RequestUsage(input_tokens=100, output_tokens=5, cache_read_tokens=cached)
        assert response.provider_details == {'finish_reason': 'stop', **details}


@pytest.mark.parametrize(
    ('wire', 'reason'),
    [
        ('stop', 'stop'),
        ('length', 'length'),
        ('model_length', 'length'),
        ('tool_calls', 'tool_call'),
        ('error', 'error'),
        ('tired', None),
    ],
)
async def test_a_finish_reason_is_kept_and_translated(wire: str, reason: FinishReason | None) -> None:
    for content in (completion({'content': 'Hi.'}, finish_reason=wire), chunks({'content': 'Hi.'}, finish_reason=wire)):
        response = await decode_response(content)
        assert (response.finish_reason, response.provider_details) == (reason, {'finish_reason': wire})
        assert response.state == ('incomplete' if wire == 'error' else 'complete')


async def test_verdicts_of_guardrails_are_kept() -> None:
    found = [{'moderation_llm_v2': {'action': 'none', 'categories': {'pii': {'score': 0.1, 'violated': False}}}}]
    response = await decode_response(completion({'content': 'Hi.'}, guardrails=found))
    assert response.provider_details == {'finish_reason': 'stop', 'guardrails': found}


async def test_log_probabilities_of_the_prompt_are_kept() -> None:
    tokens: Json = {'content': [{'token': 'Hi', 'logprob': -0.1}]}
    choice = {**STOPPED['choices'][0], 'logprobs': tokens, 'prompt_logprobs': tokens}
    response = await decode_response({**STOPPED, 'choices': [choice]})
    assert response.provider_details is not None
    assert response.provider_details['logprobs'] == tokens['content']
    assert response.provider_details['prompt_logprobs'] == tokens


async def test_a_stream_without_its_end_is_incomplete() -> None:
    stream = chunks({'content': 'Hi.'}, finish_reason=None).removesuffix(b'data: [DONE]\n\n')
    assert (await decode_response(stream)).state == 'incomplete'


# --------------------------------------------------------------------------------------------------------------- errors


def error(message: Any, kind: str = 'invalid_request_error', code: str | None = None, **more: Any) -> Json:
    return {'object': 'error', 'message': message, 'type': kind, 'param': None, 'code': code, **more}


async def streamed(model: MistralModel) -> None:
    async with model.request_stream(HELLO):
        pass


ORDER = error("Unexpected role 'user' after role 'tool'", 'invalid_request_message_order', '3230')
LONG = error('Prompt contains 40000 tokens, too large for model with 32768 maximum context length', code='3051')
FULL = error('Service tier capacity exceeded for this model.', 'service_tier_capacity_exceeded', '3505')
WRONG = [{'type': 'extra_forbidden', 'loc': ['body', 'n'], 'msg': 'Extra inputs are not permitted', 'input': 1}]


@pytest.mark.parametrize(
    ('status', 'content', 'kind', 'message'),
    [
        (400, ORDER, ModelHTTPError, 'Unexpected role'),
        (400, LONG, ContextLengthError, '40000'),
        (401, error('Unauthorized'), AuthenticationError, 'Unauthorized'),
        (401, {'detail': 'Unauthorized'}, AuthenticationError, 'Unauthorized'),
        (422, error({'detail': WRONG}), ModelHTTPError, r'body\.n: Extra inputs are not permitted$'),
        (422, {'detail': WRONG}, ModelHTTPError, r'body\.n: Extra inputs are not permitted$'),
        (429, error('Rate limit exceeded', 'rate_limited', '1300'), RateLimitError, 'Rate limit'),
        (429, {'message': 'Requests rate limit exceeded'}, RateLimitError, 'Requests rate'),
        (429, FULL, OverloadedError, 'Service tier'),
        (503, error('Overloaded'), OverloadedError, 'Overloaded'),
    ],
)
@pytest.mark.parametrize('stream', [False, True])
async def test_errors_are_typed_and_have_the_vendors_message(
    status: int, content: Json, kind: type[ModelHTTPError], message: str, stream: bool
) -> None:
    server = Server(content, status=status, mistral_correlation_id='c')
    ask = streamed(build_model(server)) if stream else build_model(server).request(HELLO)
    with pytest.raises(ModelHTTPError, match=message) as caught:
        await ask
    assert type(caught.value) is kind
    assert (caught.value.status_code, caught.value.in_stream) == (status, False)


@pytest.mark.parametrize(
    ('event', 'kind', 'status'),
    [
        (error('Busy', 'internal_error', raw_status_code=503), OverloadedError, 503),
        (error('Too fast', 'rate_limited', '1300', raw_status_code=429), RateLimitError, 429),
        (error('No', 'invalid_request_error'), ModelHTTPError, 400),
        ({**error('Broken', 'unknown'), 'object': 'Error'}, ModelAPIError, None),
    ],
)
async def test_an_error_in_a_stream_is_the_event_itself(
    event: Json, kind: type[ModelAPIError], status: int | None
) -> None:
    stream = chunks({'content': 'Hi'}, finish_reason=None).removesuffix(b'data: [DONE]\n\n')
    with pytest.raises(ModelAPIError, match=event['message']) as caught:
        await decode_response(stream + f'data: {json.dumps(event)}\n\n'.encode())
    assert type(caught.value) is kind
    assert getattr(caught.value, 'status_code', None) == status


async def test_an_error_with_status_200_is_raised() -> None:
    with pytest.raises(ModelHTTPError, match='No such model'):
        await decode_response(error('No such model', 'not_found_error'))


# ------------------------------------------------------------------------------------------------------------- an agent


class City(BaseModel):
    name: str
    country: str | None = None


async def test_an_output_may_be_native() -> None:
    server = Server(completion({'content': '{"name": "Oslo"}'}))
    result = await Agent(build_model(server), output_type=NativeOutput(City)).run('Where?')
    assert result.output == City(name='Oslo')
    TypeAdapter(dict[str, Any]).validate_python(server.body['response_format']['json_schema']['schema'])
    assert server.body['response_format']['json_schema']['strict'] is True
