"""`AgentModel`: an agent as a model, for wrappers, other agents and the gateway."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from pydantic import BaseModel

from pydantic_llm import Agent, AgentModel, ModelRetry, RunContext, TextOutput
from pydantic_llm.exceptions import (
    ModelAPIError,
    ModelTimeoutError,
    RateLimitError,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
    UserError,
)
from pydantic_llm.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    PartStartEvent,
    StreamRestartEvent,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition, StreamedResponse
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.profiles import ModelProfile
from pydantic_llm.settings import ModelSettings
from pydantic_llm.tools import ToolDefinition
from pydantic_llm.toolsets import FunctionToolset
from pydantic_llm.usage import UsageLimits

from .scripted import Scripted, call, outline

HELLO = [ModelRequest.user_text_prompt('Hello')]
WRITE = ToolDefinition('write', {'type': 'object', 'properties': {'text': {'type': 'string'}}})
SAVE = ToolDefinition('save', {'type': 'object', 'properties': {}})

ways = pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])


async def ask(
    model: AgentModel[Any],
    messages: list[ModelMessage] | None = None,
    settings: ModelSettings | None = None,
    *,
    stream: bool = False,
    **parameters: Any,
) -> ModelResponse:
    request = messages or HELLO, settings, ModelRequestParameters(**parameters)
    if not stream:
        return await model.request(*request)
    async with model.request_stream(*request) as response:
        async for _ in response:
            pass
        return response.get()


def make_agent(*responses: Any, **options: Any) -> Agent[Any, Any]:
    agent: Agent[Any, Any] = Agent(Scripted(*responses), **options)

    @agent.tool_plain
    def weather(city: str) -> str:
        if city == 'Atlantis':
            raise KeyError(city)
        return f'{city} is sunny'

    return agent


def requests_of(model: AgentModel[Any]) -> list[Any]:
    assert isinstance(model.agent.model, Scripted)
    return model.agent.model.requests


LOOK = [ThinkingPart('Where?', signature='s'), TextPart('Let me look.'), call('weather', {'city': 'Paris'})]

# --------------------------------------------------------------------------------------------------------- responses


@ways
async def test_the_response_has_the_final_text_and_text_before_tool_calls_becomes_thinking(stream: bool) -> None:
    model = AgentModel(make_agent(LOOK, [ThinkingPart('Aha.'), TextPart('It is sunny.')], name='forecaster'))
    response = await ask(model, stream=stream)
    assert outline([response]) == [
        [('thinking', 'Where?'), ('thinking', 'Let me look.'), ('thinking', 'Aha.'), ('text', 'It is sunny.')]
    ]
    assert (response.text, response.state) == ('It is sunny.', 'complete')
    assert (response.model_name, response.provider_name, model.model_id) == ('forecaster', 'agent', 'agent:forecaster')


@ways
async def test_the_usage_is_that_of_the_whole_run(stream: bool) -> None:
    response = await ask(AgentModel(make_agent(LOOK, 'It is sunny.')), stream=stream)
    assert (response.usage.input_tokens, response.usage.output_tokens) == (20, 10)


async def test_text_is_streamed_as_it_comes_and_starts_again_as_thinking_if_the_run_goes_on() -> None:
    model = AgentModel(make_agent(LOOK, 'It is sunny.'))
    async with model.request_stream(HELLO) as stream:
        starts = [event async for event in stream if isinstance(event, PartStartEvent)]
    assert [(event.index, event.part.part_kind) for event in starts] == [
        (0, 'thinking'),
        (1, 'text'),
        (1, 'thinking'),
        (2, 'text'),
    ]


class City(BaseModel):
    name: str


@ways
async def test_a_structured_output_is_json_text(stream: bool) -> None:
    agent = make_agent(LOOK, call('final_result', {'name': 'Paris'}), output_type=City)
    response = await ask(AgentModel(agent), stream=stream)
    assert (response.text, response.finish_reason, response.tool_calls) == ('{"name":"Paris"}', None, [])


@ways
async def test_the_text_is_what_validators_and_functions_made_of_it(stream: bool) -> None:
    def upper(text: str) -> str:
        return text.upper()

    assert (await ask(AgentModel(make_agent('quiet', output_type=TextOutput(upper))), stream=stream)).text == 'QUIET'
    agent = make_agent('secret', 'public')

    @agent.output_validator
    def check(ctx: RunContext[Any], text: str) -> str:
        if text == 'secret':
            raise ModelRetry('Say something else.')
        return text

    assert outline([await ask(AgentModel(agent), stream=stream)]) == [[('text', 'public')]]


@ways
async def test_warnings_and_the_finish_reason_come_from_the_run(stream: bool) -> None:
    first = ModelResponse(LOOK, warnings=['one', 'two'])
    last = ModelResponse([TextPart('Too lo')], finish_reason='length', warnings=['two'])
    scripted = TestModel(custom_output_text='x')
    response = await ask(AgentModel(make_agent(first, last)), stream=False)
    assert (response.warnings, response.finish_reason) == (['one', 'two'], 'length')
    assert (await ask(AgentModel(Agent(scripted)), stream=stream)).finish_reason == 'stop'


# ---------------------------------------------------------------------------------------------------- what is sent


@ways
async def test_instructions_and_system_prompts_of_the_caller_are_added_to_the_agents(stream: bool) -> None:
    model = AgentModel(make_agent('Hi', system_prompt='You are Bo.', instructions='Be brief.'))
    parts = [SystemPromptPart('Speak French.'), UserPromptPart('Hello')]
    await ask(model, [ModelRequest(parts, instructions='Be kind.')], stream=stream)
    [sent] = requests_of(model)
    assert sent.messages[0].instructions == 'You are Bo.\n\nBe brief.\n\nBe kind.'
    assert outline(sent.messages) == [[('system', 'Speak French.'), ('user', 'Hello')]]


async def test_settings_and_dependencies_are_passed_on() -> None:
    agent = make_agent(LOOK, 'done', model_settings={'temperature': 0.5, 'max_tokens': 7}, deps_type=str)

    @agent.instructions
    def name(ctx: RunContext[str]) -> str:
        return f'{ctx.deps} asks'

    model = AgentModel(agent, deps='Ann')
    await ask(model, settings={'temperature': 0.1})
    assert requests_of(model)[0].settings == {'temperature': 0.1, 'max_tokens': 7}
    assert requests_of(model)[0].messages[0].instructions == 'Ann asks'


async def test_the_profile_is_that_of_the_agents_model() -> None:
    profile = ModelProfile(supports_thinking=True)
    assert AgentModel(Agent(Scripted('x', profile=profile))).profile == profile
    with pytest.raises(UserError, match='The agent has no model'):
        _ = AgentModel(Agent()).profile


# ------------------------------------------------------------------------------------------------ tools of the caller


@ways
async def test_a_call_of_a_tool_of_the_caller_ends_the_run_and_its_result_continues_it(stream: bool) -> None:
    both = [*LOOK, call('write', {'text': 'sunny'})]
    model = AgentModel(make_agent(both, 'Written.'))
    response = await ask(model, stream=stream, function_tools=[WRITE])
    [written] = response.tool_calls
    assert (written.tool_name, written.args_as_dict(), response.finish_reason) == (
        'write',
        {'text': 'sunny'},
        'tool_call',
    )
    assert response.text == 'Let me look.'
    result = ModelRequest([ToolReturnPart('write', 'done', written.tool_call_id)])
    final = await ask(model, [*HELLO, response, result], stream=stream, function_tools=[WRITE])
    assert final.text == 'Written.'
    sent = requests_of(model)[-1].messages
    assert sent[1].parts[0] == LOOK[0], 'with its signature'
    assert outline(sent[2:]) == [
        [
            ('return', 'weather', 'Paris is sunny', 'call_weather', 'success'),
            ('return', 'write', 'done', written.tool_call_id, 'success'),
        ]
    ]


async def test_conversations_with_the_same_ids_of_tool_calls_are_not_mixed() -> None:
    model = AgentModel(
        make_agent([call('weather', {'city': 'Rome'}), call('write', id='1')], [call('write', id='1')], 'x')
    )
    first = await ask(model, function_tools=[WRITE])
    second = await ask(model, function_tools=[WRITE])
    assert first.tool_calls[0].tool_call_id != second.tool_calls[0].tool_call_id
    result = ModelRequest([ToolReturnPart('write', 'done', second.tool_calls[0].tool_call_id)])
    await ask(model, [*HELLO, second, result], function_tools=[WRITE])
    assert 'Rome' not in str(requests_of(model)[-1].messages)


async def test_another_process_continues_with_what_the_caller_has() -> None:
    response = await ask(AgentModel(make_agent([*LOOK, call('write')])), function_tools=[WRITE])
    result = ModelRequest([ToolReturnPart('write', 'done', response.tool_calls[0].tool_call_id)])
    model = AgentModel(make_agent('Written.'))
    assert (await ask(model, [*HELLO, response, result], function_tools=[WRITE])).text == 'Written.'
    assert [part[0] for part in outline(requests_of(model)[-1].messages)[1]] == ['text', 'call']


async def test_an_output_that_the_caller_requests_replaces_the_agents() -> None:
    inner = make_agent(LOOK, call('final_result', {'response': 7}), name='inner')
    outer = Agent(AgentModel(inner), output_type=int)
    assert (await outer.run('Which number?')).output == 7
    schema: dict[str, Any] = {'type': 'object', 'properties': {'n': {'type': 'integer'}}}
    model = AgentModel(make_agent(LOOK, '{"n": 7}', output_type=City))
    response = await ask(model, output_mode='prompted', output_object=OutputObjectDefinition(schema))
    assert response.text == '{"n": 7}'
    sent = requests_of(model)[-1].parameters
    assert (sent.output_mode, sent.output_object.json_schema, [tool.name for tool in sent.tools]) == (
        'prompted',
        schema,
        ['weather'],
    )


async def test_a_guarded_structured_output_is_not_replaced() -> None:
    agent = make_agent(call('final_result', {'name': 'Paris'}), output_type=City)
    agent.output_validator(lambda city: city)
    with pytest.raises(UserError, match='request plain text'):
        await ask(AgentModel(agent), output_tools=[SAVE])


@pytest.mark.parametrize(
    ('choice', 'sent', 'names'),
    [
        ('auto', 'auto', ['weather', 'write', 'save']),
        ('none', None, ['weather']),
        ('required', ['write', 'save'], ['weather', 'write', 'save']),
        (['save'], ['save'], ['weather', 'write', 'save']),
    ],
    ids=str,
)
async def test_the_tool_choice_is_about_the_tools_of_the_caller(choice: Any, sent: Any, names: list[str]) -> None:
    model = AgentModel(make_agent('Hi'))
    await ask(model, settings={'tool_choice': choice}, function_tools=[WRITE, SAVE])
    request = requests_of(model)[0]
    assert (request.settings or {}).get('tool_choice') == sent
    assert [tool.name for tool in request.parameters.function_tools] == names


async def test_a_tool_choice_without_tools_is_a_warning() -> None:
    response = await ask(AgentModel(make_agent('Hi')), settings={'tool_choice': 'required'})
    assert response.warnings == ["'tool_choice' was not sent: the request has no tools"]


async def test_a_tool_that_must_be_approved_is_an_error_that_names_it() -> None:
    agent = make_agent(call('delete'))
    agent.tool_plain(requires_approval=True)(delete)
    with pytest.raises(UserError, match="'delete' must be approved"):
        await ask(AgentModel(agent))


def delete() -> None:
    """Delete everything."""


# --------------------------------------------------------------------------------------------------- errors, deadlines


@ways
async def test_the_error_of_a_tool_is_one_of_a_model_and_is_logged(
    stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    model = AgentModel(make_agent(call('weather', {'city': 'Atlantis'}), name='forecaster'))
    with pytest.raises(ModelAPIError, match="A function of the agent 'forecaster' failed: KeyError") as raised:
        await ask(model, stream=stream)
    assert isinstance(raised.value.__cause__, KeyError)
    assert [(record.levelno, record.exc_info is not None) for record in caplog.records] == [(logging.ERROR, True)]


@ways
async def test_errors_of_the_library_stay_as_they_are(stream: bool) -> None:
    limited = RateLimitError(429, 'm', retry_after=3)
    with pytest.raises(RateLimitError) as raised:
        await ask(AgentModel(make_agent(limited)), stream=stream)
    assert raised.value is limited
    with pytest.raises(UsageLimitExceeded):
        await ask(AgentModel(make_agent(LOOK), usage_limits=UsageLimits(request_limit=3)), stream=stream)
    with pytest.raises(UnexpectedModelBehavior, match='exceeded max_retries'):
        await ask(AgentModel(make_agent(call('weather', {}))), stream=stream)


@ways
async def test_the_timeout_is_that_of_the_whole_run(stream: bool) -> None:
    agent = make_agent(call('wait'))
    stopped: list[bool] = []

    @agent.tool_plain
    async def wait() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            stopped.append(True)

    with pytest.raises(ModelTimeoutError) as raised:
        await ask(AgentModel(agent), settings={'timeout': 0.05}, stream=stream)
    assert (raised.value.deadline, raised.value.seconds, stopped) == ('timeout', 0.05, [True])


async def test_leaving_a_stream_cancels_the_run() -> None:
    agent = make_agent([TextPart('Let me wait a bit.'), call('wait')])
    started, stopped = asyncio.Event(), asyncio.Event()

    @agent.tool_plain
    async def wait() -> None:
        started.set()
        try:
            await asyncio.sleep(10)
        finally:
            stopped.set()

    async with AgentModel(agent).request_stream(HELLO) as stream:
        async for event in stream:
            if isinstance(event, PartStartEvent):
                break
    assert (stream.get().state, stream.get().text, stream.cancelled) == ('interrupted', 'Let', True)
    assert not started.is_set()
    async with AgentModel(agent).request_stream(HELLO) as stream, asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(read(stream))
        await started.wait()
        await stream.cancel()
    assert (await reading)[-1] == 'PartEndEvent'
    assert stopped.is_set()


async def read(stream: StreamedResponse) -> list[str]:
    return [type(event).__name__ async for event in stream]


async def test_another_model_takes_over_when_a_tool_fails() -> None:
    broken = AgentModel(make_agent(call('weather', {'city': 'Atlantis'})))
    response = await FallbackModel(broken, Scripted('I am here.')).request(HELLO)
    assert response.text == 'I am here.'


async def test_a_restart_inside_keeps_what_came_before_it() -> None:
    breaks = ModelResponse([TextPart('It is')], metadata={'breaks': ModelAPIError('m', 'broke', retryable=True)})
    first, second = Scripted(LOOK, breaks), Scripted('It is sunny.')
    agent: Agent[Any, Any] = Agent(FallbackModel(first, second, mid_stream='restart'))
    agent.tool_plain(name='weather')(lambda city='': 'sun')
    async with AgentModel(agent).request_stream(HELLO) as stream:
        events = [event async for event in stream]
        response = stream.get()
    assert outline([response]) == [[('thinking', 'Where?'), ('thinking', 'Let me look.'), ('text', 'It is sunny.')]]
    after = events[next(n for n, event in enumerate(events) if isinstance(event, StreamRestartEvent)) + 1 :]
    parts = {event.index: event.part for event in after if hasattr(event, 'part')}
    assert [parts[index] for index in sorted(parts)] == response.parts


async def test_closing_the_model_closes_the_agents() -> None:
    agent = make_agent('x')
    await AgentModel(agent).aclose()
    assert isinstance(agent.model, Scripted)
    assert agent.model.closed


async def test_entering_the_model_opens_the_toolsets_of_the_agent() -> None:
    events: list[str] = []

    class Noted(FunctionToolset[None]):
        async def __aenter__(self) -> Noted:
            events.append('open')
            return self

        async def __aexit__(self, *exception: object) -> None:
            events.append('close')

    async with AgentModel(Agent(Scripted('x'), toolsets=[Noted()])):
        assert events == ['open']
    assert events == ['open', 'close']


async def test_wrong_values_are_refused() -> None:
    with pytest.raises(UserError, match='agent'):
        AgentModel(Scripted('x'))  # type: ignore[arg-type]
    with pytest.raises(UserError, match='messages'):
        await AgentModel(make_agent('x')).request([])
    call_of_caller = ModelResponse([ToolCallPart('weather', {'city': 'Atlantis'}, 'c')])
    model = AgentModel(make_agent('x'))
    await ask(model, [*HELLO, call_of_caller])
    assert outline(requests_of(model)[0].messages)[2][0][4] == 'interrupted'
