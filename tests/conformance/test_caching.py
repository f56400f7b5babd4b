"""The setting `cache` at every vendor: what is sent, what is listed, and what vendors do by themselves."""

from __future__ import annotations

from typing import Any, cast

import pytest

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import (
    CachePoint,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.bedrock import BedrockConverseModel
from pydantic_llm.models.cohere import CohereModel
from pydantic_llm.models.groq import GroqModel
from pydantic_llm.models.huggingface import HuggingFaceModel
from pydantic_llm.models.litellm import LiteLLMModel
from pydantic_llm.models.mistral import MistralModel
from pydantic_llm.models.openai import OpenAIModel, OpenAIResponsesModel
from pydantic_llm.profiles.anthropic import VERTEX
from pydantic_llm.profiles.caching import AUTOMATIC_CACHES
from pydantic_llm.providers.bedrock import BedrockProvider
from pydantic_llm.providers.registry import PROVIDERS, SERVICES, provider_class
from pydantic_llm.settings import ModelSettings
from pydantic_llm.testing.room import Room
from pydantic_llm.tools.definition import ToolDefinition
from tests.conformance.rooms import ROOMS
from tests.conformance.validators import VALIDATORS

Json = dict[str, Any]

HISTORY: list[ModelMessage] = [
    ModelRequest([SystemPromptPart('Be brief.'), UserPromptPart('Hi')]),
    ModelResponse([TextPart('Yes?')]),
    ModelRequest([UserPromptPart('How are you?')]),
]
LOOK = ModelRequestParameters([ToolDefinition('look', {'type': 'object', 'properties': {}})])
HOUR: Json = {'type': 'ephemeral', 'ttl': '1h'}
FIVE: Json = {'type': 'ephemeral', 'ttl': '5m'}


def send(model: Any, cache: Any, history: Any = HISTORY, **settings: Any) -> tuple[Json, list[str]]:
    """Return the body of a request with a tool, and the warnings."""
    request = model.prepare(history, cast('ModelSettings', {'cache': cache, **settings}), LOOK)
    return model.encode(request), request.warnings


def make_service(name: str, model_name: str) -> OpenAIModel:
    return OpenAIModel(model_name, provider=provider_class(name)(api_key='k'))


def make_bedrock(name: str) -> BedrockConverseModel:
    return BedrockConverseModel(name, provider=BedrockProvider(api_key='k', region_name='us-east-1'))


def find_marks(value: Any) -> list[Json]:
    """Return every mark of Anthropic's or Bedrock's form in a body, in order."""
    if isinstance(value, list):
        return [mark for item in cast('list[Any]', value) for mark in find_marks(item)]
    if not isinstance(value, dict):
        return []
    fields = cast('Json', value)
    own = [fields[name] for name in ('cache_control', 'cachePoint') if name in fields]
    return [*own, *(mark for item in fields.values() for mark in find_marks(item))]


rooms = pytest.mark.parametrize('room', ROOMS, ids=str)


@rooms
@pytest.mark.parametrize('value', [True, '5m', '1h', '24h', 90, 0.5, 10**9])
def test_every_value_is_accepted_by_the_vendor(room: Room, value: Any) -> None:
    body, _ = send(room.build(), value)
    assert VALIDATORS[room.name](body) == []
    assert room.decode_request({'model': 'm', **body}).messages


@rooms
def test_off_sends_nothing_and_warns_about_nothing(room: Room) -> None:
    body, warnings = send(room.build(), False)  # noqa: FBT003 -- the setting's value
    assert ('cache' in repr(body).lower(), [each for each in warnings if 'cache' in each]) == (False, [])


@rooms
@pytest.mark.parametrize('value', ['5 minutes', 0, -5, float('nan'), float('inf'), [], {}])
def test_a_wrong_value_is_refused_with_all_choices(room: Room, value: Any) -> None:
    with pytest.raises(UserError, match=r"^cache is .*: give True, False, '5m', '1h', '24h' or a number of seconds"):
        send(room.build(), value)


def test_anthropic_gets_a_mark_on_the_instructions_and_one_for_everything() -> None:
    body, warnings = send(AnthropicModel('claude-sonnet-4-5', api_key='k'), '1h')
    assert (body['system'][-1]['cache_control'], body['cache_control'], warnings) == (HOUR, HOUR, [])
    assert len(find_marks(body)) == 2


def test_anthropic_gets_a_mark_on_the_tools_if_there_are_no_instructions() -> None:
    body, _ = send(AnthropicModel('claude-sonnet-4-5', api_key='k'), True, HISTORY[1:])  # noqa: FBT003 -- the value
    assert (body['tools'][-1]['cache_control'], body['cache_control']) == (FIVE, FIVE)


def test_claude_at_other_vendors_gets_a_mark_on_the_last_block() -> None:
    profile = VERTEX.apply(AnthropicModel('claude-sonnet-4-5', api_key='k').profile)
    body, _ = send(AnthropicModel('claude-sonnet-4-5', api_key='k', profile=profile), '5m')
    assert 'cache_control' not in body
    assert body['messages'][-1]['content'][-1]['cache_control'] == FIVE


def test_anthropics_own_settings_override_the_shared_one() -> None:
    body, _ = send(AnthropicModel('claude-sonnet-4-5', api_key='k'), '1h', anthropic_cache_tool_definitions='5m')
    assert find_marks(body) == [FIVE]


def test_a_shorter_cache_point_before_a_longer_one_is_kept_longer() -> None:
    history = [ModelRequest([SystemPromptPart('Be brief.'), UserPromptPart(['a', CachePoint(), 'b'])])]
    body, _ = send(AnthropicModel('claude-sonnet-4-5', api_key='k'), '1h', history)
    assert find_marks(body) == [HOUR, HOUR, HOUR]
    body, _ = send(
        BedrockConverseModel(
            'anthropic.claude-sonnet-4-5', provider=BedrockProvider(api_key='k', region_name='us-east-1')
        ),
        '1h',
        history,
    )
    assert [mark.get('ttl') for mark in find_marks(body)] == ['1h', '1h', '1h']


def test_there_are_never_more_than_four_marks() -> None:
    content = [item for letter in 'abcdef' for item in (letter, CachePoint())]
    history = [ModelRequest([SystemPromptPart('Be brief.'), UserPromptPart(content)])]
    for model in (
        AnthropicModel('claude-sonnet-4-5', api_key='k'),
        BedrockConverseModel(
            'anthropic.claude-sonnet-4-5', provider=BedrockProvider(api_key='k', region_name='us-east-1')
        ),
    ):
        assert len(find_marks(send(model, True, history)[0])) == 4  # noqa: FBT003 -- the setting's value


@pytest.mark.parametrize(
    ('name', 'value', 'points', 'words'),
    [
        ('anthropic.claude-sonnet-4-5', '1h', ['1h', '1h'], []),
        ('anthropic.claude-3-7-sonnet', '1h', [None, None], ['became 300 seconds']),
        ('amazon.nova-pro-v1:0', True, [None, None], []),
        ('meta.llama4-scout', True, [], ['cannot be asked to cache']),
    ],
)
def test_bedrock_gets_points_for_models_that_have_them(name: str, value: Any, points: Any, words: list[str]) -> None:
    body, warnings = send(make_bedrock(name), value)
    assert [mark.get('ttl') for mark in find_marks(body)] == points
    assert [word in warning for word, warning in zip(words, warnings, strict=True)] == [True for _ in words]


OPENAI: list[tuple[str, Any, Json, int]] = [
    ('gpt-4o', True, {}, 0),
    ('gpt-4o', '24h', {}, 0),
    ('gpt-5', True, {}, 0),
    ('gpt-5', '24h', {'prompt_cache_retention': '24h'}, 0),
    ('gpt-5', '5m', {'prompt_cache_retention': 'in_memory'}, 0),
    ('gpt-5', 40_000, {'prompt_cache_retention': '24h'}, 1),
    ('gpt-5.5', '5m', {'prompt_cache_retention': '24h'}, 1),
    ('gpt-5.6', 1800, {'prompt_cache_options': {'ttl': '30m'}}, 0),
    ('gpt-6', '1h', {'prompt_cache_options': {'ttl': '30m'}}, 1),
]
"""Model, setting, fields in addition to the key, and the number of warnings."""


@pytest.mark.parametrize('kind', [OpenAIModel, OpenAIResponsesModel])
@pytest.mark.parametrize(('name', 'value', 'fields', 'count'), OPENAI)
def test_openai_gets_a_key_and_a_time(kind: Any, name: str, value: Any, fields: Json, count: int) -> None:
    body, warnings = send(kind(name, api_key='k'), value)
    sent = {name: field for name, field in body.items() if name.startswith('prompt_cache')}
    assert len(sent.pop('prompt_cache_key')) == 32
    assert (sent, len(warnings)) == (fields, count)


@pytest.mark.parametrize('kind', [OpenAIModel, OpenAIResponsesModel])
def test_openai_stops_caching_if_the_model_has_a_switch(kind: Any) -> None:
    body, _ = send(kind('gpt-5.6', api_key='k'), False)  # noqa: FBT003 -- the setting's value
    assert body['prompt_cache_options'] == {'mode': 'explicit'}
    assert 'prompt_cache_key' not in body


def test_the_key_is_that_of_the_instructions_and_the_tools() -> None:
    def find_key(history: Any, **settings: Any) -> str:
        return str(send(OpenAIModel('gpt-5', api_key='k'), True, history, **settings)[0]['prompt_cache_key'])  # noqa: FBT003 -- the value

    other = [ModelRequest([SystemPromptPart('Be long.'), UserPromptPart('Hi')])]
    assert find_key(HISTORY) == find_key(HISTORY[:1]) != find_key(other)
    assert find_key(HISTORY, openai_prompt_cache_key='mine') == 'mine'


@pytest.mark.parametrize('name', ['anthropic/claude-sonnet-4.5', 'google/gemini-2.5-pro'])
def test_openrouter_gets_marks_for_models_that_need_them(name: str) -> None:
    body, warnings = send(make_service('openrouter', name), '5m')
    assert [bool(find_marks(message)) for message in body['messages']] == [True, False, False, True]
    assert warnings == []


def test_litellm_gets_marks_for_claude_and_a_key_for_gpt() -> None:
    body, warnings = send(LiteLLMModel('anthropic/claude-sonnet-4-5', api_key='k'), '1h')
    assert (find_marks(body), warnings) == ([HOUR, HOUR], [])
    body, warnings = send(LiteLLMModel('openai/gpt-5', api_key='k'), True)  # noqa: FBT003 -- the setting's value
    assert ('prompt_cache_key' in body, warnings) == (True, [])


def test_mistral_gets_a_key() -> None:
    body, warnings = send(MistralModel('mistral-small-latest', api_key='k'), True)  # noqa: FBT003 -- the setting's value
    assert ('prompt_cache_key' in body, warnings) == (True, [])


@pytest.mark.parametrize('name', sorted(AUTOMATIC_CACHES.keys() & (SERVICES.keys() | {'groq'})))
def test_a_vendor_that_caches_by_itself_is_asked_for_nothing(name: str) -> None:
    model = GroqModel('llama-3.3-70b', api_key='k') if name == 'groq' else make_service(name, 'some-model')
    history = [ModelRequest([UserPromptPart(['a', CachePoint(), 'b'])])]
    body, warnings = send(model, '1h', history)
    assert ('cache' in repr(body), warnings) == (False, [])


@pytest.mark.parametrize(
    'model', [CohereModel('command-a-03-2025', api_key='k'), HuggingFaceModel('Qwen/Qwen3-8B', api_key='k')], ids=str
)
def test_a_vendor_that_cannot_cache_is_listed(model: Any) -> None:
    assert [name in warning for name, warning in zip(['cache'], send(model, True)[1], strict=True)] == [True]  # noqa: FBT003 -- the value
    history = [ModelRequest([UserPromptPart(['a', CachePoint(), 'b'])])]
    assert [warning.partition(':')[0] for warning in send(model, None, history)[1]] == ['CachePoint() was not sent']


def test_a_profile_says_that_a_server_of_your_own_caches() -> None:
    model = OpenAIModel('m', provider=provider_class('together')(api_key='k'), profile={'caches_automatically': True})
    assert send(model, '1h', [ModelRequest([UserPromptPart(['a', CachePoint()])])])[1] == []


def test_every_vendor_with_an_automatic_cache_exists() -> None:
    assert set() == AUTOMATIC_CACHES.keys() - {*PROVIDERS, *SERVICES, 'transformers', 'mlx', 'vllm', 'llamacpp-local'}


def decode(name: str, body: Json) -> Json:
    """Return the settings that the server of a room decodes."""
    room = next(room for room in ROOMS if room.name == name)
    return cast('Json', room.decode_request({'model': 'm', 'max_tokens': 1000, **body}).settings)


SAID: Json = {'messages': [{'role': 'user', 'content': 'Hi'}]}
BLOCKS: Json = {'messages': [{'role': 'user', 'content': [{'text': 'Hi'}]}]}

CLIENTS: list[tuple[str, Json, Any]] = [
    ('anthropic', {**SAID, 'cache_control': HOUR}, '1h'),
    ('anthropic', {**SAID, 'system': [{'type': 'text', 'text': 'Be brief.', 'cache_control': FIVE}]}, '5m'),
    ('anthropic', SAID, None),
    ('bedrock', {**BLOCKS, 'system': [{'text': 'Be brief.'}, {'cachePoint': {'type': 'default'}}]}, True),
    ('bedrock', BLOCKS, None),
    ('openai-chat', {**SAID, 'prompt_cache_key': 'k'}, True),
    ('openai-chat', {**SAID, 'prompt_cache_key': 'k', 'prompt_cache_retention': '24h'}, '24h'),
    ('openai-chat', SAID, None),
    ('openai-responses', {'input': 'Hi', 'prompt_cache_key': 'k'}, True),
]
"""Room, a client's body, and the setting that it becomes."""


@pytest.mark.parametrize(('name', 'body', 'value'), CLIENTS)
def test_what_a_client_of_the_gateway_asks_of_the_cache_becomes_the_setting(name: str, body: Json, value: Any) -> None:
    assert decode(name, body).get('cache') == value


def test_the_marks_of_a_claude_client_reach_another_vendor() -> None:
    settings = decode('anthropic', {**SAID, 'cache_control': HOUR})
    request = make_bedrock('anthropic.claude-sonnet-4-5').prepare(HISTORY, cast('ModelSettings', settings))
    assert [mark.get('ttl') for mark in find_marks(make_bedrock('anthropic.claude-sonnet-4-5').encode(request))] == [
        '1h',
        '1h',
    ]


def test_what_a_client_asks_of_its_own_vendor_stays_as_it_is() -> None:
    given = {'prompt_cache_key': 'mine', 'prompt_cache_retention': '24h'}
    settings = decode('openai-chat', {**SAID, **given})
    model = OpenAIModel('gpt-5.6', api_key='k')
    request = model.prepare(HISTORY, cast('ModelSettings', settings))
    sent = {name: field for name, field in model.encode(request).items() if name.startswith('prompt_cache')}
    assert (sent, request.warnings) == (given, [])
