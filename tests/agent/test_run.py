"""Runs from prompt to output: requests, recorded messages and results."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from pydantic_llm import (
    ModelRequest,
    ModelResponse,
    ModelRetry,
    ModelSettings,
    RunContext,
    RunUsage,
    Tool,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
    UsageLimits,
    UserError,
)
from pydantic_llm.agent import Agent
from pydantic_llm.direct import model_request
from pydantic_llm.messages import (
    ImageUrl,
    ModelMessage,
    ModelMessagesTypeAdapter,
    TextPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import override_allow_model_requests
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.models.names import NAMES, Name
from tests.agent.scripted import Scripted, call, outline


def ping() -> str:
    return 'pong'


ping.__name__ = 'f'


class City(BaseModel):
    name: str


async def test_a_run_returns_the_text_and_the_conversation() -> None:
    result = await Agent(Scripted('Paris')).run('The capital of France?')
    assert result.output == 'Paris'
    assert outline(result.all_messages()) == [[('user', 'The capital of France?')], [('text', 'Paris')]]
    assert result.response.text == 'Paris'
    assert result.timestamp() == result.response.timestamp
    assert repr(result) == "AgentRunResult(output='Paris')"


async def test_data_is_the_output_and_result_type_the_output_type() -> None:
    agent = Agent(Scripted(call('final_result', {'name': 'Paris'})), result_type=City)
    assert (await agent.run('?')).data == City(name='Paris')
    assert (await Agent(Scripted('7'), result_type=str).run('?', result_type=str)).data == '7'


async def test_output_type_and_result_type_together_are_an_error() -> None:
    with pytest.raises(UserError, match='output_type and result_type are the same'):
        Agent('test', output_type=City, result_type=City)
    with pytest.raises(UserError, match='output_type and result_type are the same'):
        await Agent(Scripted('x')).run('?', output_type=City, result_type=City)


async def test_usage_is_an_attribute_and_can_be_called() -> None:
    result = await Agent(Scripted('Paris')).run('?')
    assert result.usage == result.usage() == RunUsage(input_tokens=10, output_tokens=5, requests=1)


async def test_messages_have_the_ids_of_their_run_and_conversation() -> None:
    agent = Agent(Scripted(call('nothing'), 'done'))
    first = await agent.run('?')
    assert {(m.run_id, m.conversation_id) for m in first.all_messages()} == {(first.run_id, first.run_id)}
    second = await agent.run('and?', message_history=first.all_messages(), run_id='mine')
    assert {(m.run_id, m.conversation_id) for m in second.new_messages()} == {('mine', first.conversation_id)}


async def test_the_messages_of_the_model_are_not_changed() -> None:
    response = ModelResponse([TextPart('Paris')])
    before = replace(response)
    await Agent(Scripted(response)).run('?')
    assert response == before


async def test_messages_as_json_can_be_read_back() -> None:
    result = await Agent(Scripted(call('nothing'), 'done')).run(['Look', ImageUrl('https://x.y/z.png')])
    assert ModelMessagesTypeAdapter.validate_json(result.all_messages_json()) == result.all_messages()
    assert ModelMessagesTypeAdapter.validate_json(result.new_messages_json()) == result.new_messages()


# -------------------------------------------------------------------------------------------------------- history


async def test_a_conversation_continues_with_its_history() -> None:
    agent = Agent(Scripted('Paris', 'Lyon'), system_prompt='Be brief.')
    first = await agent.run('The capital?')
    second = await agent.run('And the next?', message_history=first.all_messages())
    assert outline(second.all_messages()) == [
        [('system', 'Be brief.'), ('user', 'The capital?')],
        [('text', 'Paris')],
        [('user', 'And the next?')],
        [('text', 'Lyon')],
    ]
    assert outline(second.new_messages()) == [[('user', 'And the next?')], [('text', 'Lyon')]]


async def test_an_empty_history_starts_a_new_conversation() -> None:
    result = await Agent(Scripted('x'), system_prompt='Be brief.').run('?', message_history=[])
    assert outline(result.all_messages()) == [[('system', 'Be brief.'), ('user', '?')], [('text', 'x')]]


async def test_the_list_that_was_passed_as_history_is_not_changed() -> None:
    history: list[Any] = [ModelRequest([UserPromptPart('a')]), ModelResponse([TextPart('b')])]
    await Agent(Scripted('x')).run('?', message_history=history)
    assert outline(history) == [[('user', 'a')], [('text', 'b')]]


async def test_without_a_prompt_a_history_that_ends_with_a_request_continues() -> None:
    model = Scripted('x')
    history = [ModelRequest([UserPromptPart('a')], instructions='Earlier instructions.')]
    result = await Agent(model).run(message_history=history)
    assert outline(result.all_messages()) == [[('user', 'a')], [('text', 'x')]]
    assert outline(result.new_messages()) == [[('text', 'x')]]
    assert model.requests[0].messages == history


async def test_without_a_prompt_the_open_tool_calls_of_a_history_are_executed() -> None:
    history = [ModelRequest([UserPromptPart('a')]), ModelResponse([call('double', {'n': 2})])]
    agent = Agent(Scripted('x'), tools=[double_tool])
    result = await agent.run(message_history=history)
    assert outline(result.new_messages()) == [[('return', 'double', 4, 'call_double', 'success')], [('text', 'x')]]


def double(n: int) -> int:
    return 2 * n


double_tool = Tool(double)


async def test_with_a_prompt_the_open_tool_calls_of_a_history_are_interrupted() -> None:
    history = [ModelRequest([UserPromptPart('a')]), ModelResponse([call('double', {'n': 2})])]
    result = await Agent(Scripted('x'), tools=[double]).run('Never mind.', message_history=history)
    [[skipped, prompt], _] = [message.parts for message in result.new_messages()]
    assert isinstance(skipped, ToolReturnPart)
    assert (skipped.tool_name, skipped.tool_call_id, skipped.outcome) == ('double', 'call_double', 'interrupted')
    assert isinstance(prompt, UserPromptPart)


@pytest.mark.parametrize('history', [[], [ModelRequest([UserPromptPart('a')]), ModelResponse([TextPart('b')])]])
async def test_a_run_without_prompt_and_history_is_an_error_before_anything_is_sent(history: list[Any]) -> None:
    model = Scripted('x')
    with pytest.raises(UserError, match='There is nothing to ask: give a user_prompt'):
        await Agent(model).run(message_history=history)
    assert model.requests == []


async def test_instructions_alone_make_a_request() -> None:
    model = Scripted('x')
    await Agent(model, instructions='Tell a joke.').run()
    assert model.requests[0].messages[0].parts == []
    assert model.requests[0].messages[0].instructions == 'Tell a joke.'  # type: ignore[union-attr]


# -------------------------------------------------------------------------------------------------------- prompts


async def test_instructions_of_all_kinds_are_joined_and_sent_with_every_request() -> None:
    model = Scripted(call('nothing'), 'done')
    agent = Agent(model, instructions=['One.', lambda: 'Two.'], deps_type=str)

    @agent.instructions
    async def three(ctx: RunContext[str]) -> str:
        return f'{ctx.deps} {ctx.run_step}.'

    @agent.instructions()
    def nothing() -> None:
        return None

    await agent.run('?', deps='Three', instructions='Four.')
    sent = [request.messages[-1].instructions for request in model.requests]  # type: ignore[union-attr]
    assert sent == ['One.\n\nTwo.\n\nThree 1.\n\nFour.', 'One.\n\nTwo.\n\nThree 2.\n\nFour.']


async def test_instructions_of_an_earlier_run_are_not_repeated() -> None:
    first = await Agent(Scripted('x'), instructions='Of the first.').run('?')
    model = Scripted('y')
    await Agent(model, instructions='Of the second.').run('?', message_history=first.all_messages())
    requests = [message for message in model.requests[0].messages if isinstance(message, ModelRequest)]
    assert [request.instructions for request in requests] == ['Of the first.', 'Of the second.']


async def test_system_prompts_come_first_and_in_order() -> None:
    agent = Agent(Scripted('x'), system_prompt=['One.', 'Two.'], deps_type=str)

    @agent.system_prompt
    def three(ctx: RunContext[str]) -> str:
        return ctx.deps

    @agent.system_prompt()
    async def four() -> str:
        return 'Four.'

    result = await agent.run('?', deps='Three.')
    prompts = [('system', 'One.'), ('system', 'Two.'), ('system', 'Three.'), ('system', 'Four.'), ('user', '?')]
    assert outline(result.all_messages()[:1]) == [prompts]


async def test_a_dynamic_system_prompt_is_evaluated_again_for_a_history() -> None:
    agent = Agent(Scripted('x'), deps_type=str)

    @agent.system_prompt
    def fixed(ctx: RunContext[str]) -> str:
        return f'fixed {ctx.deps}'

    @agent.system_prompt(dynamic=True)
    def moving(ctx: RunContext[str]) -> str:
        return f'moving {ctx.deps}'

    first = await agent.run('?', deps='1')
    second = await agent.run('!', deps='2', message_history=first.all_messages())
    assert outline(first.all_messages()[:1]) == [[('system', 'fixed 1'), ('system', 'moving 1'), ('user', '?')]]
    assert outline(second.all_messages()[:1]) == [[('system', 'fixed 1'), ('system', 'moving 2'), ('user', '?')]]


async def test_a_dynamic_prompt_may_have_no_text_at_first_and_later_some() -> None:
    agent = Agent(Scripted('x'), deps_type=dict, system_prompt='Fixed.')

    @agent.system_prompt(dynamic=True)
    def day(ctx: RunContext[Any]) -> str | None:
        return ctx.deps.get('day')

    @agent.system_prompt(dynamic=True)
    def hour(ctx: RunContext[Any]) -> str | None:
        return ctx.deps.get('hour')

    @agent.instructions
    def style(ctx: RunContext[Any]) -> str | None:
        return ctx.deps.get('style')

    history: list[Any] = []
    seen: list[list[tuple[Any, ...]]] = []
    for deps in ({}, {'hour': '9'}, {'day': 'Monday', 'hour': '10'}, {'day': '', 'style': 'Be brief.'}):
        result = await agent.run('?', deps=deps, message_history=history)
        history = result.all_messages()
        seen += [outline(history[:1])[0]]
    fixed, prompt = ('system', 'Fixed.'), ('user', '?')
    assert seen == [
        [fixed, prompt],
        [fixed, ('system', '9'), prompt],
        [fixed, ('system', 'Monday'), ('system', '10'), prompt],
        [fixed, prompt],
    ]
    requests = [message for message in history if isinstance(message, ModelRequest)]
    assert [request.instructions for request in requests] == [None, None, None, 'Be brief.']


@pytest.mark.parametrize('value', [5, b'x', ['x'], {'x': 1}])
async def test_a_prompt_function_that_returns_no_text_is_an_error(value: Any) -> None:
    def prompt() -> Any:
        return value

    history = (await Agent('test').run('?')).all_messages()
    for register in ('instructions', 'system_prompt'):
        agent = Agent('test')
        getattr(agent, register)(prompt)
        with pytest.raises(UserError, match=r"'.*prompt' returned .* as a prompt; return text, or None for no prompt"):
            await agent.run('?')
    agent = Agent('test')
    agent.system_prompt(dynamic=True)(prompt)
    with pytest.raises(UserError, match='return text, or None for no prompt'):
        await agent.run('?', message_history=history)


@pytest.mark.parametrize('choice', ['required', ['f']])
@pytest.mark.parametrize('stream', [False, True])
async def test_a_required_tool_call_is_required_once(choice: Any, stream: bool) -> None:
    model = Scripted(call('f', {}), 'Done.')
    agent = Agent(model, tools=[ping], model_settings={'tool_choice': choice, 'seed': 1})
    if stream:
        async with agent.run_stream('?') as streamed:
            assert await streamed.get_output() == 'Done.'
    else:
        assert (await agent.run('?')).output == 'Done.'
    settings = [request.settings for request in model.requests]
    assert settings == [{'tool_choice': choice, 'seed': 1}, {'tool_choice': 'auto', 'seed': 1}]
    await agent.run('And now?')
    assert (model.requests[2].settings or {}).get('tool_choice') == choice


async def test_a_model_that_must_call_a_tool_in_every_response_ends_the_run() -> None:
    def obey(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        must_call = (info.model_settings or {}).get('tool_choice') in ('required', ['f'])
        return ModelResponse([call('f', {}) if must_call else TextPart('Done.')])

    for settings in ({'tool_choice': 'required'}, {'tool_choice': ['f']}):
        model = FunctionModel(obey, settings=ModelSettings(**settings))
        assert (await Agent(model, tools=[ping]).run('?')).output == 'Done.'


async def test_other_choices_of_tools_apply_to_every_request() -> None:
    model = Scripted(call('f', {}), call('final_result', {'name': 1}), call('final_result', {'name': 'Paris'}))
    agent = Agent(model, tools=[ping], output_type=City)
    await agent.run('?', model_settings={'tool_choice': ['final_result']})
    assert [(request.settings or {}).get('tool_choice') for request in model.requests] == [['final_result']] * 3


def test_a_prompt_that_is_neither_text_nor_a_function_is_an_error() -> None:
    with pytest.raises(UserError, match='instructions takes text, a function'):
        Agent('test', instructions=7)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------- settings and models


async def test_settings_of_model_agent_and_run_are_merged_in_this_order() -> None:
    seen: list[ModelSettings | None] = []
    model = Scripted('x', settings={'temperature': 0.1, 'max_tokens': 1, 'seed': 1})
    agent = Agent(model, model_settings={'max_tokens': 2, 'seed': 2})

    @agent.instructions
    def look(ctx: RunContext) -> None:
        seen.append(ctx.model_settings)

    await agent.run('?', model_settings={'seed': 3})
    assert seen == [{'temperature': 0.1, 'max_tokens': 2, 'seed': 3}]
    assert model.merged_settings(model.requests[0].settings) == seen[0]


async def test_a_run_can_name_another_model() -> None:
    mine, other = Scripted('mine'), Scripted('other')
    assert (await Agent(mine).run('?', model=other)).output == 'other'
    assert (mine.requests, other.closed) == ([], False)


async def test_the_error_of_an_agent_without_a_model_names_the_parameters() -> None:
    with pytest.raises(UserError, match=r'The agent has no model: give model= to Agent\(\), to run\(\)'):
        await Agent().run('?')


async def test_a_model_made_from_a_name_for_a_run_is_closed_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Scripted] = []

    def make(model_name: str) -> Scripted:
        made.append(Scripted(model_name))
        return made[-1]

    module: Any = ModuleType('pydantic_llm.models.scripted')
    module.make = make
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(NAMES, 'scripted', Name('scripted', 'make', None, None))
    assert (await Agent('scripted:mine').run('?', model='scripted:other')).output == 'other'
    assert [model.closed for model in made] == [False, True]
    assert (await model_request('scripted:direct', '?')).text == 'direct'
    assert made[2].closed


async def test_leaving_the_agent_closes_its_model() -> None:
    model = Scripted('x')
    async with Agent(model) as agent:
        await agent.run('?')
        assert not model.closed
    assert model.closed


async def test_the_error_of_an_unknown_option_suggests_a_known_one() -> None:
    with pytest.raises(TypeError, match="no option 'massage_history'; did you mean 'message_history'"):
        await Agent(Scripted('x')).run('?', massage_history=[])  # type: ignore[call-overload]


def test_an_unknown_model_name_is_an_error_when_the_agent_is_built_unless_deferred() -> None:
    with pytest.raises(UserError, match='nosuchvendor'):
        Agent('nosuchvendor:gpt')
    agent = Agent('nosuchvendor:gpt', defer_model_check=True)
    with pytest.raises(UserError, match='nosuchvendor'):
        agent.run_sync('?')


def test_an_agent_is_built_without_a_key_which_its_first_run_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('OPENAI_API_KEY', raising=False)
    agent = Agent('openai:gpt-4o')
    assert agent.run_sync('?', model='test').output == 'success (no tool calls)'
    with pytest.raises(UserError, match='OPENAI_API_KEY'):
        agent.run_sync('?')
    with override_allow_model_requests(allow_model_requests=False):
        agent = Agent('openai:gpt-4o')
        assert agent.run_sync('?', model='test').output == 'success (no tool calls)'
        with agent.override(model=Scripted('mine')):
            assert agent.run_sync('?').output == 'mine'
        with pytest.raises(UserError, match='ALLOW_MODEL_REQUESTS is False'):
            agent.run_sync('?')
    with pytest.raises(UserError, match='OPENAI_API_KEY'):
        agent.run_sync('?')


# ------------------------------------------------------------------------------------------------------- override


async def test_override_wins_over_the_agent_and_the_run() -> None:
    mine, other = Scripted('mine'), Scripted(call('triple', {'n': 2}), 'other')
    agent = Agent(mine, deps_type=int, tools=[double], instructions='Mine.')

    def triple(ctx: RunContext[int], n: int) -> int:
        return 3 * n + ctx.deps

    with agent.override(model=other, deps=100, tools=[triple], instructions='Other.'):
        result = await agent.run('?', model=mine, deps=1, instructions='Of the run.')
    assert outline(result.all_messages())[2] == [('return', 'triple', 106, 'call_triple', 'success')]
    assert [tool.name for tool in other.requests[0].parameters.function_tools] == ['triple']
    assert other.requests[0].messages[0].instructions == 'Other.'  # type: ignore[union-attr]
    assert (await agent.run('?', deps=1)).output == 'mine'


async def test_override_applies_only_to_its_block_and_can_be_nested() -> None:
    agent = Agent(Scripted('mine'))
    is_overridden, has_run_outside = asyncio.Event(), asyncio.Event()

    async def overriding() -> list[str]:
        with agent.override(model=Scripted('outer')):
            with agent.override(instructions='Inner.'):
                is_overridden.set()
                await has_run_outside.wait()
                first = (await agent.run('?')).output
            return [first, (await agent.run('?')).output]

    async def outside_the_block() -> str:
        await is_overridden.wait()
        output = (await agent.run('?')).output
        has_run_outside.set()
        return output

    assert await asyncio.gather(overriding(), outside_the_block()) == [['outer', 'outer'], 'mine']
    with agent.override(model=Scripted('other')):
        assert agent.run_sync('?').output == 'other'


# --------------------------------------------------------------------------------------------------------- limits


async def test_a_run_that_loops_stops_at_50_requests() -> None:
    model = Scripted(call('double', {'n': 2}))
    with pytest.raises(UsageLimitExceeded, match='51 requests, over request_limit=50'):
        await Agent(model, tools=[double]).run('?')
    assert len(model.requests) == 50


async def test_runs_that_share_their_usage_share_their_limits() -> None:
    usage = RunUsage()
    agent = Agent(Scripted('x'))
    await agent.run('?', usage=usage, usage_limits=UsageLimits(request_limit=2))
    await agent.run('?', usage=usage, usage_limits=UsageLimits(request_limit=2))
    with pytest.raises(UsageLimitExceeded, match='3 requests, over request_limit=2'):
        await agent.run('?', usage=usage, usage_limits=UsageLimits(request_limit=2))
    assert usage == RunUsage(input_tokens=20, output_tokens=10, requests=2)


async def test_tokens_are_checked_after_each_response() -> None:
    with pytest.raises(UsageLimitExceeded, match='5 output tokens, over output_tokens_limit=4'):
        await Agent(Scripted('x')).run('?', usage_limits=UsageLimits(output_tokens_limit=4))


async def test_the_limit_of_tool_calls_is_checked_before_any_of_them_runs() -> None:
    ran: list[int] = []
    model = Scripted([call('note', {'n': 1}, 'a'), call('note', {'n': 2}, 'b')], 'done')
    agent = Agent(model)

    @agent.tool_plain
    def note(n: int) -> None:
        ran.append(n)

    with pytest.raises(UsageLimitExceeded, match='2 tool calls, over tool_calls_limit=1'):
        await agent.run('?', usage_limits=UsageLimits(tool_calls_limit=1))
    assert ran == []
    result = await agent.run('?', usage_limits=UsageLimits(tool_calls_limit=2), model=Scripted(*model.responses))
    assert (sorted(ran), result.usage.tool_calls) == ([1, 2], 2)


# ---------------------------------------------------------------------------------------------------- concurrency


async def test_one_agent_serves_many_runs_at_once() -> None:
    def respond(messages: list[Any], parameters: Any) -> Any:
        return call('wait_for_all', {'n': int(messages[0].parts[0].content)}) if len(messages) == 1 else 'done'

    all_runs = asyncio.Barrier(20)
    agent = Agent(Scripted(respond), deps_type=int)

    @agent.tool
    async def wait_for_all(ctx: RunContext[int], n: int) -> str:
        await all_runs.wait()
        if ctx.retry == 0:
            raise ModelRetry('Once more.')
        return f'{n} {ctx.deps} {ctx.run_id}'

    def respond_again(messages: list[Any], parameters: Any) -> Any:
        return respond(messages, parameters) if len(messages) != 3 else respond(messages[:1], parameters)

    agent.model = Scripted(respond_again)
    results = await asyncio.gather(*(agent.run(str(n), deps=100 + n) for n in range(20)))
    for n, result in enumerate(results):
        [*_, returned, _] = result.all_messages()
        assert outline([returned])[0][0][2] == f'{n} {100 + n} {result.run_id}'
        assert result.usage == RunUsage(input_tokens=30, output_tokens=15, requests=3, tool_calls=2)


async def test_a_context_describes_the_run() -> None:
    seen: list[RunContext[str]] = []
    model = Scripted(call('look', id='c1'), 'done')
    agent = Agent(model, deps_type=str, retries=3)

    @agent.tool
    def look(ctx: RunContext[str]) -> None:
        seen.append(replace(ctx, messages=list(ctx.messages), usage=replace(ctx.usage)))

    limits = UsageLimits(request_limit=7)
    result = await agent.run('?', deps='d', usage_limits=limits)
    assert seen == [
        RunContext(
            deps='d',
            model=model,
            usage=RunUsage(input_tokens=10, output_tokens=5, requests=1, tool_calls=1),
            usage_limits=limits,
            prompt='?',
            messages=result.all_messages()[:2],
            model_settings={},
            tool_name='look',
            tool_call_id='c1',
            max_retries=3,
            run_step=1,
            run_id=result.run_id,
            conversation_id=result.conversation_id,
        )
    ]


@dataclass
class Seen:
    last_attempts: list[bool]


async def test_the_context_marks_the_last_attempt() -> None:
    seen = Seen([])
    agent = Agent(Scripted(call('fail')), deps_type=Seen, retries=2)

    @agent.tool
    def fail(ctx: RunContext[Seen]) -> None:
        ctx.deps.last_attempts.append(ctx.last_attempt)
        raise ModelRetry('No.')

    with pytest.raises(UnexpectedModelBehavior, match='max_retries=2'):
        await agent.run('?', deps=seen)
    assert seen.last_attempts == [False, False, True]
