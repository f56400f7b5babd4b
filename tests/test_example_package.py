"""The example package of `docs/new-vendor.md`, installed as any package of somebody else's would be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from importlib.metadata import entry_points, version

import pytest
from pydantic import BaseModel
from pydantic_llm_acme import serve as acme

from pydantic_llm import Agent, UserError, infer_model
from pydantic_llm.messages import ModelRequest
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.providers.registry import SERVICES
from pydantic_llm.wire.serving import sse
from tests.transport.server import Exchange, Server


class City(BaseModel):
    name: str


async def serve_generation(exchange: Exchange) -> None:
    """Respond to one request of Acme's API with the test model's response."""
    request, model = acme.decode_request(exchange.json), TestModel(custom_output_text='Hello from Acme.')
    if not request.stream:
        response = await model.request(request.messages, request.settings, request.parameters)
        await exchange.respond(acme.encode_response(response, request))
        return
    encoder = acme.StreamEncoder(request)
    await exchange.begin()
    async with model.request_stream(request.messages, request.settings, request.parameters) as stream:
        for event in encoder.begin():
            await exchange.chunk(sse(event))
        async for happening in stream:
            for event in encoder.event(happening):
                await exchange.chunk(sse(event))
        for event in encoder.end(stream.get()):
            await exchange.chunk(sse(event))
    await exchange.end()


@pytest.fixture(autouse=True)
def _unregister_the_service() -> Iterator[None]:
    yield
    SERVICES.pop('acme-cloud', None)


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    async with Server(serve_generation).run() as server:
        monkeypatch.setenv('ACME_BASE_URL', server.url)
        monkeypatch.setenv('ACME_API_KEY', 'a-key')
        yield server


def test_the_package_is_installed_with_its_prefixes() -> None:
    assert version('pydantic-llm-acme')
    names = {point.name for point in entry_points(group='pydantic_llm.models')}
    assert {'acme', 'acme-chat', 'acme-cloud'} <= names


async def test_an_agent_finds_the_model_by_its_prefix(server: Server) -> None:
    assert (await Agent('acme:acme-1').run('Hello?')).output == 'Hello from Acme.'
    assert server.requests[0].headers['x-acme-key'] == 'a-key'
    assert server.requests[0].path == '/generate'


async def test_an_agent_streams_from_the_model(server: Server) -> None:
    async with Agent('acme:acme-1').run_stream('Hello?') as result:
        pieces = [piece async for piece in result.stream_text(delta=True)]
    assert (''.join(pieces), len(pieces) > 1) == ('Hello from Acme.', True)


async def test_an_agent_calls_tools_of_the_model(server: Server) -> None:
    agent = Agent('acme:acme-1')

    @agent.tool_plain
    def look(city: City) -> str:
        return f'Sunny in {city.name}.'

    result = await agent.run('How is the weather?')
    assert result.output == 'Hello from Acme.'
    assert [part['call'] for turn in server.requests[1].json['turns'] for part in turn['parts'] if 'call' in part] == [
        'look'
    ]


def test_a_missing_key_is_reported_when_the_model_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('ACME_API_KEY', raising=False)
    for name in ('acme:acme-1', 'acme-cloud:some-model'):
        with pytest.raises(UserError, match='ACME_API_KEY'):
            infer_model(name)


def test_a_service_of_the_package_is_built_by_its_prefix() -> None:
    model = infer_model('acme-cloud:some-model', api_key='k')
    assert isinstance(model, OpenAIChatModel)
    assert (model.system, model.base_url) == ('acme-cloud', 'https://cloud.acme.example/v1')


@pytest.mark.filterwarnings('ignore::pydantic_llm.exceptions.UnknownSettingWarning')
def test_a_setting_of_the_package_is_checked() -> None:
    model = infer_model('acme:acme-1', api_key='k', settings={'acme_tune': 'formal'})
    assert model.prepare([ModelRequest.user_text_prompt('Hello?')]).warnings == [  # type: ignore[attr-defined] # a WireModel has it
        "'acme_tune' was not sent: this API has no such setting; did you mean 'acme_tone'?"
    ]


def test_a_setting_of_the_package_is_ignored_by_other_vendors() -> None:
    model = OpenAIChatModel('gpt-4o', api_key='k')
    assert model.prepare([ModelRequest.user_text_prompt('Hello?')], {'acme_tone': 'formal'}).warnings == []  # type: ignore[typeddict-unknown-key]
