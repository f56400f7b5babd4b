"""Every class of models takes the names that other libraries use, refuses others, and names what was probably meant."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any, get_args

import pytest

from pydantic_llm import Agent, UserError, infer_model
from pydantic_llm.messages import ModelRequest, SystemPromptPart, UserPromptPart
from pydantic_llm.models import Model, ModelRequestParameters, model_names
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.bedrock import BedrockConverseModel
from pydantic_llm.models.cohere import CohereModel
from pydantic_llm.models.function import FunctionModel
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.models.groq import GroqModel
from pydantic_llm.models.huggingface import HuggingFaceModel
from pydantic_llm.models.known_names import KnownModelName
from pydantic_llm.models.mistral import MistralModel
from pydantic_llm.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.native_tools import WebSearchTool
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.providers.registry import SERVICES
from pydantic_llm.tools.definition import ToolDefinition
from pydantic_llm.wire.model import WireModel

ROOMS: tuple[type[WireModel], ...] = (
    OpenAIChatModel,
    OpenAIResponsesModel,
    AnthropicModel,
    GeminiModel,
    BedrockConverseModel,
    CohereModel,
    GroqModel,
    HuggingFaceModel,
    MistralModel,
)

OPTIONS: dict[str, Any] = {'token': 'a-key', 'api_base': 'http://127.0.0.1:9/v1'}


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('AWS_DEFAULT_REGION', 'us-east-1')


@pytest.mark.parametrize('room', ROOMS)
def test_a_model_takes_the_names_of_other_libraries(room: Any) -> None:
    model = room(model_id='a-model', **OPTIONS, temperature=0.2, stop_sequences=['END'], flatten_messages_as_text=False)
    assert (model.model_name, model.settings) == ('a-model', {'temperature': 0.2, 'stop_sequences': ['END']})
    assert model.base_url.startswith('http://127.0.0.1:9')
    assert room('a-model', base_url='http://127.0.0.1:9/v1', api_key='a-key').base_url == model.base_url


@pytest.mark.parametrize('room', ROOMS)
def test_system_prompts_become_messages_of_the_user(room: Any) -> None:
    messages = [ModelRequest([SystemPromptPart('Be kind.'), UserPromptPart('Hi')], instructions='Be brief.')]
    model = room('a-model', **OPTIONS, custom_role_conversions={'system': 'user'})
    before, body = (str(each.describe_request(messages).json()) for each in (room('a-model', **OPTIONS), model))
    assert before != body
    assert 'system' not in body.lower()
    assert 'developer' not in body
    assert 'Be kind.' in body
    assert 'Be brief.' in body


@pytest.mark.parametrize('room', ROOMS)
@pytest.mark.parametrize(
    ('name', 'hint'),
    [
        ('temprature', '; did you mean temperature='),
        ('max_new_tokens', '; did you mean max_tokens='),
        ('stop', '; did you mean stop_sequences='),
        ('device', '; TransformersModel has it'),
        ('client_kwargs', '; give the provider a client'),
        ('response_format', '; an agent requests it by output_type='),
        ('wholly_unknown', "'wholly_unknown'"),
    ],
)
def test_an_unknown_option_is_refused_with_a_suggestion(room: Any, name: str, hint: str) -> None:
    with pytest.raises(TypeError) as caught:
        room('a-model', **OPTIONS, **{name: 1})
    assert str(caught.value).startswith(f'{room.__name__}() got an unexpected keyword argument {name!r}')
    assert hint in str(caught.value)


def test_an_option_of_the_provider_is_named() -> None:
    wrong: Any = {'organization': 'acme'}
    with pytest.raises(
        TypeError, match=r'it is an option of the provider: provider=OpenAIProvider\(organization=...\)'
    ):
        OpenAIChatModel('gpt-4o', api_key='k', **wrong)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'model_id': 'b'}, '^model_name and model_id are two names of one option'),
        ({'api_key': 'k', 'token': 'k'}, '^api_key and token are two names'),
        ({'base_url': 'http://a', 'api_base': 'http://a'}, '^base_url and api_base are two names'),
        ({'temperature': 1, 'settings': {'temperature': 1}}, '^temperature is given twice'),
        ({'custom_role_conversions': [1]}, '^custom_role_conversions is '),
        ({'provider': OpenAIProvider(api_key='k'), 'api_base': 'http://a'}, '^base_url= and a ready provider='),
    ],
)
def test_an_option_that_is_given_twice_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        OpenAIChatModel('a', **options)


@pytest.mark.parametrize('room', [OpenAIChatModel, GeminiModel, HuggingFaceModel])
def test_a_model_without_a_name_is_refused(room: Any) -> None:
    with pytest.raises(UserError, match=rf"^model_name is missing: write {room.__name__}\('the name of the model'\)$"):
        room(api_key='k')


def test_roles_that_an_api_has_no_names_for_are_refused() -> None:
    with pytest.raises(UserError, match=r"AnthropicModel takes \{'system': 'user'\} alone$"):
        AnthropicModel('a', api_key='k', custom_role_conversions={'tool-response': 'user'})


@pytest.mark.parametrize('make', [TestModel, lambda **options: FunctionModel(lambda *_: None, **options)])  # type: ignore[arg-type, return-value]
def test_a_model_for_tests_takes_settings_as_keywords(make: Callable[..., Model]) -> None:
    assert make(temperature=0.2).settings == {'temperature': 0.2}
    with pytest.raises(TypeError, match='did you mean temperature='):
        make(temprature=0.2)


def test_a_service_of_hugging_face_is_a_name_of_a_provider() -> None:
    pytest.importorskip('huggingface_hub')
    model = HuggingFaceModel(model_id='Qwen/Qwen3-32B', provider='novita', token='hf_something')
    assert model.base_url.endswith('/novita')


# --------------------------------------------------------------------------------------------- other names of ours


def test_builtin_tools_are_native_tools() -> None:
    tool, add = WebSearchTool(), ToolDefinition('add', {'type': 'object'})
    parameters = ModelRequestParameters(native_tools=[tool], function_tools=[add])
    assert (parameters.builtin_tools, parameters.tool_defs) == ([tool], {'add': add})
    model = TestModel()
    Agent(model, builtin_tools=[tool]).run_sync('Hi')
    assert model.last_model_request_parameters is not None
    assert list(model.last_model_request_parameters.native_tools) == [tool]
    Agent(model).run_sync('Hi', builtin_tools=[tool])
    assert list(model.last_model_request_parameters.native_tools) == [tool]
    with Agent(model).override(builtin_tools=[tool]):
        pass
    for wrong in (
        lambda: Agent(model, builtin_tools=[tool], native_tools=[tool]),
        lambda: Agent(model).run_sync('Hi', builtin_tools=[tool], native_tools=[tool]),
    ):
        with pytest.raises(UserError, match=r'^native_tools and builtin_tools are two names of one option'):
            wrong()


async def test_every_request_stream_takes_a_run_context() -> None:
    def find(kind: type[Model]) -> list[type[Model]]:
        return [kind, *(each for below in kind.__subclasses__() for each in find(below))]

    for name in ('wrapper', 'fallback', 'router', 'cached', 'instrumented', 'recorded', 'concurrency', 'vllm', 'mlx'):
        import_module(f'pydantic_llm.models.{name}')
    own = [kind for kind in find(Model) if kind.__module__.startswith('pydantic_llm.')]
    assert len(own) > 20
    missing = [kind for kind in own if 'run_context' not in inspect.signature(kind.request_stream).parameters]
    assert missing == []
    async with TestModel().request_stream([ModelRequest.user_text_prompt('Hi')], None, None, None) as stream:
        assert [event async for event in stream]


# --------------------------------------------------------------------------------------------------- names of models

PREFIXES = {
    'AnthropicModelName': ('anthropic',),
    'BedrockModelName': ('bedrock',),
    'CohereModelName': ('cohere',),
    'GeminiModelName': ('google-gla', 'google-vertex'),
    'GroqModelName': ('groq',),
    'HuggingFaceModelName': ('huggingface',),
    'MistralModelName': ('mistral',),
    'OpenAIModelName': ('openai', 'openai-responses'),
}


@pytest.mark.parametrize('name', PREFIXES)
def test_the_names_of_a_vendor_are_the_known_names_with_its_prefix(name: str) -> None:
    texts = (text.partition(':') for text in get_args(KnownModelName))
    known = dict.fromkeys(rest for prefix, _, rest in texts if prefix in PREFIXES[name])
    assert get_args(get_args(getattr(model_names, name))[0]) == tuple(known)
    package = {'GeminiModelName': 'gemini'}.get(name, name.removesuffix('ModelName').lower())
    assert getattr(import_module(f'pydantic_llm.models.{package}'), name) is getattr(model_names, name)


def test_the_names_of_providers_with_the_api_of_openai_are_complete() -> None:
    assert get_args(get_args(model_names.OpenAIProviderName)[0])[:2] == ('openai', 'azure')
    assert set(get_args(get_args(model_names.OpenAIProviderName)[0])[2:]) == {*SERVICES}
    assert isinstance(infer_model('google-vertex:gemini-2.5-flash', api_key='k'), GeminiModel)
