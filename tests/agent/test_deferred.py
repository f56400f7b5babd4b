"""Tool calls that a run leaves open: to approve, or to execute elsewhere; and the run that continues."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from pydantic import TypeAdapter

from pydantic_llm import Agent, ModelRetry, NativeOutput, RunContext
from pydantic_llm.exceptions import ApprovalRequired, CallDeferred, ToolFailed, UserError
from pydantic_llm.messages import ModelMessagesTypeAdapter, RetryPromptPart, ToolCallPart, ToolReturn, ToolReturnPart
from pydantic_llm.tools import DeferredToolRequests, DeferredToolResults, ToolApproved, ToolDefinition, ToolDenied
from pydantic_llm.toolsets import ExternalToolset, FunctionToolset

from .scripted import Scripted, results_of

OUTPUT: Any = [str, DeferredToolRequests]
ASK = ToolDefinition('ask', {'type': 'object', 'properties': {'question': {'type': 'string'}}})


def make_agent(*responses: Any) -> Agent[None, Any]:
    agent = Agent(Scripted(*responses), output_type=OUTPUT, toolsets=[ExternalToolset([ASK])])

    @agent.tool_plain(requires_approval=True)
    def delete(path: str) -> str:
        return f'{path} is deleted'

    @agent.tool
    def update(ctx: RunContext[None], path: str) -> str:
        if path == '.env' and not ctx.tool_call_approved:
            raise ApprovalRequired(metadata={'reason': 'protected'})
        return f'{path} is updated, {ctx.tool_call_metadata}'

    @agent.tool_plain
    def slow() -> str:
        raise CallDeferred(metadata={'task': 7})

    return agent


def call(name: str, id: str, **arguments: Any) -> ToolCallPart:
    return ToolCallPart(name, arguments, id)


CALLS = [
    call('delete', 'd', path='a'),
    call('update', 'u1', path='README'),
    call('update', 'u2', path='.env'),
    call('ask', 'q', question='Why?'),
    call('slow', 's'),
]


async def test_a_run_ends_with_the_calls_that_it_leaves_open() -> None:
    result = await make_agent(CALLS, 'done').run('hi')
    requests = result.output
    assert isinstance(requests, DeferredToolRequests)
    assert [part.tool_call_id for part in requests.approvals] == ['d', 'u2']
    assert [part.tool_call_id for part in requests.calls] == ['q', 's']
    assert requests.metadata == {'u2': {'reason': 'protected'}, 's': {'task': 7}}
    assert results_of(result) == [('update', 'README is updated, None')]


async def test_the_next_run_executes_what_is_approved_and_takes_the_other_results() -> None:
    agent = make_agent(CALLS, 'done')
    first = await agent.run('hi')
    results = DeferredToolResults(
        approvals={'d': ToolDenied('Never.'), 'u2': True},
        calls={'q': 'because', 's': ToolReturn(7, content='A note.', metadata={'kept': 1})},
        metadata={'u2': {'by': 'Ann'}},
    )
    result = await agent.run('And now?', message_history=first.all_messages(), deferred_tool_results=results)
    assert result.output == 'done'
    sent = agent.model.requests[-1].messages[-1].parts  # type: ignore[union-attr]
    assert [getattr(part, 'content', None) for part in sent] == [
        'Never.',
        ".env is updated, {'by': 'Ann'}",
        'because',
        7,
        'A note.',
        'And now?',
    ]
    assert sent[0].outcome == 'denied'
    assert [type(message).__name__ for message in result.new_messages()] == ['ModelRequest', 'ModelResponse']
    assert first.all_messages() == result.all_messages()[: len(first.all_messages())]


async def test_a_decision_can_replace_the_arguments_which_are_validated() -> None:
    agent = make_agent([call('delete', 'd', path='a')], 'done')
    first = await agent.run('hi')
    for approved, expected in (
        (ToolApproved(override_args={'path': 'b'}), 'b is deleted'),
        (ToolApproved(override_args={'paths': 'b'}), 'path'),
        (ToolApproved(), 'a is deleted'),
        (False, 'denied'),
    ):
        results = DeferredToolResults(approvals={'d': approved})
        result = await agent.run(message_history=first.all_messages(), deferred_tool_results=results)
        assert expected in str(results_of(result)[-1])


async def test_failures_of_calls_that_were_executed_elsewhere_reach_the_model() -> None:
    calls = [call('ask', id, question='?') for id in ('retry', 'failed', 'part', 'prompt')]
    agent = make_agent(calls, 'done')
    first = await agent.run('hi')
    values = {
        'retry': ModelRetry('Ask again.'),
        'failed': ToolFailed('Nobody is there.'),
        'part': ToolReturnPart('', 'a part'),
        'prompt': RetryPromptPart('Be polite.'),
    }
    result = await agent.run(
        message_history=first.all_messages(), deferred_tool_results=DeferredToolResults(calls=values)
    )
    parts: Any = result.new_messages()[0].parts
    assert [part.tool_call_id for part in parts] == ['retry', 'failed', 'part', 'prompt']
    assert [part.part_kind for part in parts] == ['retry-prompt', 'tool-return', 'tool-return', 'retry-prompt']
    assert parts[1].outcome == 'failed'


async def test_calls_without_a_result_are_left_open_again() -> None:
    agent = make_agent(CALLS, 'done')
    messages = (await agent.run('hi')).all_messages()
    second = await agent.run(message_history=messages, deferred_tool_results=DeferredToolResults(calls={'q': 'x'}))
    assert isinstance(second.output, DeferredToolRequests)
    assert [part.tool_call_id for part in (*second.output.approvals, *second.output.calls)] == ['d', 'u2', 's']
    rest = second.output.build_results(approve_all=True, calls={'s': 7})
    third = await agent.run(message_history=second.all_messages(), deferred_tool_results=rest)
    assert third.output == 'done'
    assert len(results_of(third)) == len(CALLS)


async def test_invalid_arguments_are_sent_back_before_anybody_is_asked() -> None:
    agent = make_agent([call('delete', 'd', wrong=1)], 'done')
    assert (await agent.run('hi')).output == 'done'


async def test_a_tool_that_failed_does_not_count_as_a_retry() -> None:
    def fail() -> str:
        raise ToolFailed('no')

    model = Scripted(*[[ToolCallPart('fail', {})]] * 3, 'done')
    result = await Agent(model, tools=[fail], retries=0).run('hi')
    assert result.output == 'done'
    assert results_of(result) == [('fail', 'no')] * 3


async def test_open_calls_need_an_output_type_for_them() -> None:
    agent = Agent(Scripted([call('ask', 'q', question='?')], 'done'), toolsets=[ExternalToolset([ASK])])
    with pytest.raises(UserError, match=r"'ask' must be approved or executed elsewhere: add DeferredToolRequests"):
        await agent.run('hi')
    with pytest.raises(UserError, match='DeferredToolRequests only'):
        Agent(output_type=DeferredToolRequests)


async def test_results_must_be_those_of_open_calls() -> None:
    agent = make_agent(CALLS, 'done')
    messages = (await agent.run('hi')).all_messages()
    with pytest.raises(UserError, match=r"the id 'other'; the open tool calls are 'd', 'q', 's', 'u2'"):
        await agent.run(message_history=messages, deferred_tool_results=DeferredToolResults(calls={'other': 1}))
    with pytest.raises(UserError, match='message_history has no open tool call'):
        await agent.run('hi', deferred_tool_results=DeferredToolResults())
    with pytest.raises(UserError, match='deferred_tool_results'):
        await agent.run(message_history=messages, deferred_tool_results={'calls': {}})  # type: ignore[typeddict-item]
    with pytest.raises(UserError, match="approvals has the id 'q'"):
        DeferredToolRequests(calls=CALLS).build_results(approvals={'q': True})


async def test_a_toolset_can_require_approval_for_some_calls() -> None:
    def read(path: str) -> str:
        return path

    toolset = FunctionToolset([read]).approval_required(lambda ctx, tool, arguments: arguments['path'] == 'secret')
    calls = [call('x_read', '1', path='open'), call('x_read', '2', path='secret')]
    agent = Agent(Scripted(calls, 'done'), output_type=OUTPUT, toolsets=[toolset.prefixed('x')])
    first = await agent.run('hi')
    assert [part.tool_call_id for part in first.output.approvals] == ['2']
    results = DeferredToolResults(approvals={'2': True})
    second = await agent.run(message_history=first.all_messages(), deferred_tool_results=results)
    assert results_of(second) == [('x_read', 'open'), ('x_read', 'secret')]


async def test_streamed_runs_end_with_open_calls_too() -> None:
    agent = make_agent(CALLS, 'done')
    async with agent.run_stream('hi') as stream:
        assert isinstance(await stream.get_output(), DeferredToolRequests)
    both: Any = [NativeOutput(int), DeferredToolRequests]
    result = await make_agent(CALLS, 'done').run('hi', output_type=both)
    assert isinstance(result.output, DeferredToolRequests)


PROCESS = """
import json, sys
from pydantic import TypeAdapter
from pydantic_llm.messages import ModelMessagesTypeAdapter
from pydantic_llm.tools import DeferredToolResults
from tests.agent.test_deferred import make_agent
given = json.load(sys.stdin)
result = make_agent('done').run_sync(
    'And now?',
    message_history=ModelMessagesTypeAdapter.validate_json(given['messages']),
    deferred_tool_results=TypeAdapter(DeferredToolResults).validate_json(given['results']),
)
print(json.dumps([getattr(part, 'content', None) for part in result.new_messages()[0].parts]))
"""


def test_another_process_continues_from_what_was_stored() -> None:
    first = make_agent(CALLS).run_sync('hi')
    requests = TypeAdapter(DeferredToolRequests)
    assert requests.validate_json(requests.dump_json(first.output)) == first.output
    results = first.output.build_results(
        approvals={'u2': ToolDenied('No.')}, approve_all=True, calls={'q': ToolFailed('Nobody.'), 's': ToolReturn(7)}
    )
    stored = TypeAdapter(DeferredToolResults).dump_json(results)
    assert TypeAdapter(DeferredToolResults).validate_json(stored) == results
    given = {'messages': first.all_messages_json().decode(), 'results': stored.decode()}
    run = subprocess.run(
        [sys.executable, '-c', PROCESS], input=json.dumps(given), capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == ['a is deleted', 'No.', 'Nobody.', 7, 'And now?']
    assert ModelMessagesTypeAdapter.validate_json(first.all_messages_json()) == first.all_messages()
