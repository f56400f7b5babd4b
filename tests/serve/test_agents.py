"""An agent behind the gateway: the vendors' own clients talk to it, and offer it tools of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import anthropic
import httpx2
import openai
import pytest

from pydantic_llm import Agent, AgentModel
from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import (
    ModelMessage,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.serve import LocalServer, create_app
from tests.agent.scripted import Scripted, outline

Json = dict[str, Any]

SCHEMA: Json = {'type': 'object', 'properties': {'text': {'type': 'string'}}, 'required': ['text']}


def respond(messages: list[ModelMessage], parameters: ModelRequestParameters) -> ModelResponse:
    """Look up the weather, then write it down if there is a tool for that."""
    parts = choose_parts(messages, parameters)
    calls = any(isinstance(part, ToolCallPart) for part in parts)
    return ModelResponse(parts, finish_reason='tool_call' if calls else 'stop')


def choose_parts(messages: list[ModelMessage], parameters: ModelRequestParameters) -> list[ModelResponsePart]:
    results = {part.tool_name for part in messages[-1].parts if isinstance(part, ToolReturnPart)}
    if 'write' in results:
        return [TextPart('I wrote it down.')]
    if 'weather' not in results:
        return [ThinkingPart('Where?'), TextPart('Let me look.'), ToolCallPart('weather', {'city': 'Paris'})]
    if any(tool.name == 'write' for tool in parameters.function_tools):
        return [ToolCallPart('write', {'text': 'sunny'})]
    return [TextPart('It is sunny.')]


@dataclass
class Served:
    """An agent behind a gateway."""

    model: Scripted
    url: str = ''
    cities: list[str] = field(default_factory=list[str])


@pytest.fixture(scope='module')
def running() -> Iterator[Served]:
    served = Served(Scripted(respond))
    agent = Agent(served.model, name='forecaster', instructions='Be brief.')

    @agent.tool_plain
    def weather(city: str) -> str:
        served.cities.append(city)
        return 'sun'

    with LocalServer(create_app(agent)) as served.url:
        yield served


@pytest.fixture
def served(running: Served) -> Served:
    running.cities.clear()
    running.model.requests.clear()
    return running


@dataclass
class Turn:
    """What a client got: the text, the calls of its tool, and the conversation to continue."""

    text: str
    calls: list[Json]
    history: list[Any]


class Talk(Protocol):
    """Sends a conversation to a server, with or without a tool of the client, streamed or not."""

    def __call__(self, url: str, history: list[Any], *, with_tool: bool, stream: bool) -> Turn: ...


"""Sends a conversation to a server, with or without a tool of the client, streamed or not."""


@cache
def anthropic_client(url: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=url, api_key='k', max_retries=0)


@cache
def openai_client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f'{url}/v1', api_key='k', max_retries=0)


def talk_anthropic(url: str, history: list[Any], *, with_tool: bool, stream: bool) -> Turn:
    client = anthropic_client(url)
    tools: Any = [{'name': 'write', 'input_schema': SCHEMA}] if with_tool else []
    options: Any = {'model': 'm', 'max_tokens': 100, 'messages': history, 'tools': tools}
    if stream:
        with client.messages.stream(**options) as events:
            message: Any = events.get_final_message()
    else:
        message = client.messages.create(**options)
    text = ''.join(block.text for block in message.content if block.type == 'text')
    calls = [block for block in message.content if block.type == 'tool_use']
    assert message.stop_reason == ('tool_use' if calls else 'end_turn')
    results = [{'type': 'tool_result', 'tool_use_id': call.id, 'content': 'done'} for call in calls]
    answer: Json = {'role': 'assistant', 'content': [block.to_dict() for block in message.content]}
    return Turn(text, [call.input for call in calls], [*history, answer, {'role': 'user', 'content': results}])


def talk_chat(url: str, history: list[Any], *, with_tool: bool, stream: bool) -> Turn:
    client = openai_client(url)
    tools: Any = (
        [{'type': 'function', 'function': {'name': 'write', 'parameters': SCHEMA}}] if with_tool else openai.omit
    )
    if stream:
        with client.chat.completions.stream(model='m', messages=history, tools=tools) as events:
            choice: Any = [*events] and events.get_final_completion().choices[0]
    else:
        choice = client.chat.completions.create(model='m', messages=history, tools=tools).choices[0]
    calls = choice.message.tool_calls or []
    assert choice.finish_reason == ('tool_calls' if calls else 'stop')
    function_calls = [
        {'id': call.id, 'type': 'function', 'function': {'name': 'write', 'arguments': call.function.arguments}}
        for call in calls
    ]
    answer: Json = {'role': 'assistant', 'content': choice.message.content, 'tool_calls': function_calls}
    results = [{'role': 'tool', 'tool_call_id': call.id, 'content': 'done'} for call in calls]
    arguments = [json.loads(call.function.arguments) for call in calls]
    return Turn(choice.message.content or '', arguments, [*history, answer, *results])


def talk_responses(url: str, history: list[Any], *, with_tool: bool, stream: bool) -> Turn:
    client = openai_client(url)
    tools: Any = [{'type': 'function', 'name': 'write', 'parameters': SCHEMA, 'strict': False}] if with_tool else []
    if stream:
        with client.responses.stream(model='m', input=history, tools=tools) as events:
            response: Any = [*events] and events.get_final_response()
    else:
        response = client.responses.create(model='m', input=history, tools=tools)
    calls = [item for item in response.output if item.type == 'function_call']
    results = [{'type': 'function_call_output', 'call_id': call.call_id, 'output': 'done'} for call in calls]
    items = [item.to_dict() for item in response.output]
    return Turn(response.output_text, [json.loads(call.arguments) for call in calls], [*history, *items, *results])


def talk_gemini(url: str, history: list[Any], *, with_tool: bool, stream: bool) -> Turn:
    """Talk in the form of Google's API, whose client cannot be installed next to the others."""
    contents = [
        {'role': 'user', 'parts': [{'text': item['content']}]} if 'content' in item else item for item in history
    ]
    tools: Json = {'tools': [{'functionDeclarations': [{'name': 'write', 'parameters': SCHEMA}]}]} if with_tool else {}
    method = 'streamGenerateContent?alt=sse' if stream else 'generateContent'
    reply = httpx2.post(f'{url}/v1beta/models/m:{method}', json={'contents': contents, **tools}, timeout=10)
    reply.raise_for_status()
    lines = [line.removeprefix('data: ') for line in reply.text.splitlines() if line.startswith('data: ')]
    bodies = [json.loads(line) for line in lines] if stream else [reply.json()]
    parts = [part for body in bodies for part in body['candidates'][0].get('content', {}).get('parts', ())]
    text = ''.join(part.get('text', '') for part in parts if not part.get('thought'))
    calls = [part['functionCall'] for part in parts if 'functionCall' in part]
    results = [
        {
            'functionResponse': {
                'name': 'write',
                'response': {'output': 'done'},
                **({'id': call['id']} if 'id' in call else {}),
            }
        }
        for call in calls
    ]
    answer: Json = {'role': 'model', 'parts': parts}
    return Turn(text, [call['args'] for call in calls], [*contents, answer, {'role': 'user', 'parts': results}])


TALKS: dict[str, Talk] = {
    'anthropic': talk_anthropic,
    'openai-chat': talk_chat,
    'openai-responses': talk_responses,
    'gemini': talk_gemini,
}

clients = pytest.mark.parametrize('talk', TALKS.values(), ids=TALKS)
ways = pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])

PROMPT: list[Any] = [{'role': 'user', 'content': 'How is the weather?'}]


@ways
@clients
def test_a_client_gets_the_output_of_an_agent_whose_tools_run_on_the_server(
    served: Served, talk: Talk, stream: bool
) -> None:
    turn = talk(served.url, PROMPT, with_tool=False, stream=stream)
    assert turn.text == ('Let me look.\n\nIt is sunny.' if stream else 'It is sunny.')
    assert (turn.calls, served.cities) == ([], ['Paris'])


@ways
@clients
def test_a_client_executes_its_own_tool_and_the_run_goes_on_where_it_was(
    served: Served, talk: Talk, stream: bool
) -> None:
    first = talk(served.url, PROMPT, with_tool=True, stream=stream)
    assert first.calls == [{'text': 'sunny'}]
    second = talk(served.url, first.history, with_tool=True, stream=stream)
    assert (second.text, second.calls, served.cities) == ('I wrote it down.', [], ['Paris'])
    seen = [part for message in outline(served.model.requests[-1].messages) for part in message]
    assert [part[:2] for part in seen[1:]] == [
        ('thinking', 'Where?'),
        ('text', 'Let me look.'),
        ('call', 'weather'),
        ('return', 'weather'),
        ('call', 'write'),
        ('return', 'write'),
    ]


def test_agents_and_models_are_served_together_under_their_names() -> None:
    app = create_app({'agent': Agent('test'), 'model': AgentModel(Agent('test'))})
    with LocalServer(app) as url:
        listed = httpx2.get(f'{url}/v1/models').json()['data']
    assert [model['id'] for model in listed] == ['agent', 'model']


def test_an_agent_serves_under_its_name() -> None:
    with LocalServer(create_app(Agent('test', name='forecaster'))) as url:
        assert httpx2.get(f'{url}/v1/models').json()['data'][0]['id'] == 'forecaster'


def test_a_tool_of_the_client_with_the_name_of_the_agents_is_refused(served: Served) -> None:
    client = openai_client(served.url)
    tools: Any = [{'type': 'function', 'function': {'name': 'weather', 'parameters': SCHEMA}}]
    with pytest.raises(openai.BadRequestError, match="has a tool of the name 'weather'"):
        client.chat.completions.create(model='m', messages=PROMPT, tools=tools)


def test_a_call_that_a_client_wrote_is_not_executed(served: Served) -> None:
    client = openai_client(served.url)
    function = {'name': 'weather', 'arguments': '{"city": "Rome"}'}
    call: Any = {'role': 'assistant', 'tool_calls': [{'id': 'c', 'type': 'function', 'function': function}]}
    client.chat.completions.create(model='m', messages=[*PROMPT, call])
    assert 'Rome' not in served.cities


def test_what_is_no_model_and_no_agent_is_refused() -> None:
    with pytest.raises(UserError, match='a Model, an Agent, or a dict from names to these'):
        create_app(7)  # type: ignore[arg-type]
