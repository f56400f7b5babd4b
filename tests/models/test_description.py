"""What a request is: equal for equal requests, different for whatever decides about the response."""

import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openai
import pytest

from pydantic_llm.agent import Agent, AgentModel
from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import (
    CachePoint,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    UserPromptPart,
)
from pydantic_llm.models import Model, ModelRequestParameters, OutputObjectDefinition
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.description import READING_FIELDS
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.function import FunctionDef, FunctionModel
from pydantic_llm.models.openai import OpenAIModel
from pydantic_llm.models.router import RouterModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.models.transformers import TransformersModel
from pydantic_llm.models.wrapper import WrapperModel
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.settings import ModelSettings
from pydantic_llm.tools import ToolDefinition
from tests.faults.vendors import VENDORS

ROOT = Path(__file__).parents[2] / 'pydantic_llm'
OPENAI = OpenAIModel('gpt-4o', provider=OpenAIProvider(api_key='sk-secret-of-the-test'))
MODELS: list[Model] = [
    OPENAI,
    AnthropicModel('claude-sonnet-4-5', provider=AnthropicProvider(api_key='sk-secret-of-the-test')),
    WrapperModel(OPENAI),
    TestModel(),
    FunctionModel(lambda messages, info: ModelResponse([TextPart('fixed')])),
    FallbackModel(OPENAI, TestModel()),
    RouterModel([OPENAI, TestModel()]),
    TransformersModel('some/model'),
]


def ask(*texts: str) -> list[ModelMessage]:
    return [ModelRequest([UserPromptPart(text)]) for text in texts]


def fingerprint(model: Model, messages: Sequence[ModelMessage], settings: Any = None, parameters: Any = None) -> str:
    return model.describe_request(messages, settings, parameters).fingerprint


@pytest.fixture(params=MODELS, ids=lambda model: repr(model)[:20])
def model(request: pytest.FixtureRequest) -> Model:
    return request.param


def test_times_and_the_order_of_settings_do_not_matter(model: Model) -> None:
    earlier = datetime(2020, 1, 1, tzinfo=UTC)
    messages: list[ModelMessage] = [ModelRequest([UserPromptPart('Hello', timestamp=earlier)])]
    first = fingerprint(model, messages, ModelSettings(temperature=0.5, max_tokens=5, timeout=3))
    assert first == fingerprint(model, ask('Hello'), ModelSettings(max_tokens=5, temperature=0.5))


@pytest.mark.parametrize(
    ('messages', 'settings', 'parameters'),
    [
        (ask('Hello!'), None, None),
        (ask('Hello', 'Hello'), None, None),
        (ask('Hello'), ModelSettings(max_tokens=7), None),
        (ask('Hello'), None, ModelRequestParameters(function_tools=[ToolDefinition('look')])),
    ],
    ids=['text', 'turns', 'setting', 'tool'],
)
def test_what_decides_about_the_response_matters(
    model: Model, messages: list[ModelMessage], settings: Any, parameters: Any
) -> None:
    assert fingerprint(model, messages, settings, parameters) != fingerprint(model, ask('Hello'))


@pytest.mark.parametrize('settings', [{'extra_headers': {'x-variant': 'b'}}, {'extra_body': {'variant': 'b'}}])
def test_fields_and_headers_of_the_application_matter_if_they_are_sent(model: Model, settings: Any) -> None:
    is_same = fingerprint(model, ask('Hello'), settings) == fingerprint(model, ask('Hello'))
    assert is_same == isinstance(model, TransformersModel)  # which sends no request


def test_two_urls_that_are_downloaded_are_two_requests(model: Model) -> None:
    first, second = (
        [ModelRequest([UserPromptPart([ImageUrl(f'https://example.com/{name}.png', force_download=True)])])]
        for name in ('a', 'b')
    )
    assert fingerprint(model, first) != fingerprint(model, second)


def test_the_key_of_the_provider_is_nowhere(model: Model) -> None:
    described = model.describe_request(ask('Hello'))
    assert 'secret' not in repr(described) + repr(described.headers)


def test_a_model_behind_an_api_shows_what_it_sends() -> None:
    described = OPENAI.describe_request(ask('Hello'), ModelSettings(top_k=3))
    assert (described.path, described.base_url) == ('/chat/completions', 'https://api.openai.com/v1/')
    assert described.json()['messages'] == [{'role': 'user', 'content': 'Hello'}]
    assert len(described.warnings) == 1


# ---------------------------------------------------------------------- every room and engine


OUTPUT = OutputObjectDefinition({'type': 'object', 'properties': {'a': {'type': 'string'}}})


def make_openai(url: str = 'http://one.example/v1', **options: Any) -> OpenAIModel:
    return OpenAIModel('gpt-4o', provider=OpenAIProvider(api_key='sk-secret-of-the-test', base_url=url), **options)


@pytest.mark.parametrize('vendor', VENDORS, ids=repr)
def test_each_room_describes_what_decides_about_its_responses(vendor: Any) -> None:
    model: Model = vendor.make('http://one.example')
    tool, output_tool = ToolDefinition('look'), ToolDefinition('final', kind='output')
    requests: dict[str, tuple[Any, Any]] = {
        'nothing': (None, None),
        'setting': ({'max_tokens': 7}, None),
        'stop': ({'extra_body': {'x': 1}}, None),
        'header': ({'extra_headers': {'x-variant': 'b'}}, None),
        'tool': (None, ModelRequestParameters(function_tools=[tool])),
        'tool choice': ({'tool_choice': 'required'}, ModelRequestParameters(function_tools=[tool])),
        'output tool': (None, ModelRequestParameters(output_mode='tool', output_tools=[output_tool])),
        'prompted': (None, ModelRequestParameters(output_mode='prompted', output_object=OUTPUT)),
    }
    found = {name: fingerprint(model, ask('Hello'), *request) for name, request in requests.items()}
    assert len({*found.values()}) == len(requests), found
    assert fingerprint(vendor.make('http://one.example'), ask('Hello')) == found['nothing']
    assert fingerprint(vendor.make('http://two.example'), ask('Hello')) != found['nothing']
    described = model.describe_request(ask('Hello'))
    assert 'must-not-be-shown' not in repr([described, described.headers, described.context])


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('text_tool_calls', 'hermes'),
        ('thinking_tags', ('<a>', '</a>')),
        ('thinking_tag_is_prefilled', True),
        ('openai_thinking_field', 'deep_thought'),
    ],
)
def test_how_a_response_is_decoded_decides_too(field: str, value: Any) -> None:
    assert fingerprint(make_openai(profile={field: value}), ask('Hello')) != fingerprint(make_openai(), ask('Hello'))


def test_every_field_of_a_profile_that_a_decoder_reads_is_described() -> None:
    decoders = [*ROOT.glob('models/**/decode*.py'), *ROOT.glob('streaming/**/*.py'), ROOT / 'wire/model.py']
    read = {name for file in decoders for name in re.findall(r'profile\.([a-z_]+)', file.read_text())}
    assert read == READING_FIELDS


def test_headers_of_the_provider_decide_unless_they_are_credentials_or_of_the_client() -> None:
    def describe(headers: dict[str, str]) -> Any:
        client = openai.AsyncOpenAI(
            api_key='sk-secret-of-the-test', base_url='http://one.example/v1', default_headers=headers
        )
        return OpenAIModel('gpt-4o', provider=OpenAIProvider(openai_client=client)).describe_request(ask('Hello'))

    plain = describe({})
    assert plain.fingerprint == make_openai().describe_request(ask('Hello')).fingerprint
    assert describe({'x-portkey-config': 'b'}).fingerprint != plain.fingerprint
    other = describe({'cf-aig-authorization': 'sk-secret-of-the-test', 'X-My-Token': 'sk-secret', 'User-Agent': 'me'})
    assert other.fingerprint == plain.fingerprint
    assert 'secret' not in repr([other, other.context])


def make_router(*members: Model) -> Model:
    return RouterModel([*members])


@pytest.mark.parametrize('around', [FallbackModel, make_router])
def test_all_members_of_a_model_decide(around: Any) -> None:
    def describe(*members: Model) -> str:
        return fingerprint(around(*members), ask('Hello'))

    other = TestModel()
    assert describe(make_openai(), other) == describe(make_openai(), other)
    assert describe(make_openai(), other) != describe(make_openai('http://two.example/v1'), other)
    assert describe(make_openai(), other) != describe(make_openai(settings={'max_tokens': 3}), other)
    assert describe(make_openai(), other) != describe(make_openai(profile={'text_tool_calls': True}), other)


def test_a_member_that_cannot_get_the_request_is_not_described() -> None:
    class Picky(TestModel):
        def describe_request(self, *_: Any, **__: Any) -> Any:
            raise UserError('not this')

    assert fingerprint(FallbackModel(Picky(), TestModel()), ask('Hello'))
    with pytest.raises(UserError, match='not this'):
        fingerprint(FallbackModel(Picky(), Picky()), ask('Hello'))


def test_two_agents_are_two_models() -> None:
    one, other = (Agent(TestModel(), instructions=text) for text in ('Be brief.', 'Be long.'))
    first, again, second = (fingerprint(AgentModel(agent), ask('Hello')) for agent in (one, one, other))
    assert first == again != second
    assert fingerprint(AgentModel(one, deps=None), ask('Hello')) == first


def test_the_options_of_models_for_tests_decide() -> None:
    options: list[dict[str, Any]] = [
        {},
        {'call_tools': []},
        {'custom_output_text': 'a'},
        {'custom_output_args': {'a': 1}},
        {'custom_output_args': CachePoint(ttl='1h')},
        {'seed': 1},
    ]
    found = [fingerprint(TestModel(**each), ask('Hello')) for each in options]
    assert len({*found}) == len(options)
    assert found == [fingerprint(TestModel(**each), ask('Hello')) for each in options]


def respond(messages: object, info: object) -> ModelResponse:
    return ModelResponse([TextPart('a')])


def test_the_functions_of_a_model_decide() -> None:
    def make(text: str) -> FunctionDef:
        return lambda messages, info: ModelResponse([TextPart(text)])

    one, other = make('a'), make('b')
    first, again, second = (fingerprint(FunctionModel(each), ask('Hello')) for each in (one, one, other))
    assert first == again != second
    assert FunctionModel(respond).describe_request(ask('Hello')).context['function'] == f'{__name__}.respond'


def test_settings_of_wrappers_do_not_matter(model: Model) -> None:
    assert fingerprint(model, ask('Hello'), {'router_key': 'x', 'router_priority': 3}) == fingerprint(
        model, ask('Hello')
    )


OPTIONS: list[dict[str, Any]] = [
    {},
    {'torch_dtype': 'float16'},
    {'chat_template': '{{ x }}'},
    {'model_kwargs': {'revision': 'abc', 'variant': 'b', 'subfolder': 'c'}},
    {'max_new_tokens': 3},
    {'profile': {'thinking_tags': ('<a>', '</a>')}},
]


def test_the_options_of_an_engine_decide() -> None:
    found = {fingerprint(TransformersModel('some/model', **options), ask('Hello')) for options in OPTIONS}
    assert len(found) == len(OPTIONS)


def test_an_object_among_the_options_is_equal_to_itself_alone() -> None:
    one, other = object.__new__(type('Loaded', (), {})), object.__new__(type('Loaded', (), {}))
    models = [TransformersModel('some/model', model_kwargs={'config': each}) for each in (one, one, other)]
    first, second, third = (fingerprint(model, ask('Hello')) for model in models)
    assert first == second != third


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    code = """
from pydantic_llm.messages import ModelRequest
from pydantic_llm.models.transformers import TransformersModel
model = TransformersModel('some/model', model_kwargs={'revision': 'abc', 'variant': 'b', 'subfolder': 'c'})
print(model.describe_request([ModelRequest.user_text_prompt('Hello')]).fingerprint)
"""
    found = {
        subprocess.run(
            [sys.executable, '-c', code],
            env={'PYTHONHASHSEED': seed, 'PYTHONPATH': str(ROOT.parent)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in '12'
    }
    assert len(found) == 1
