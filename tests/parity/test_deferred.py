"""Tool calls that wait: for an approval, or for a result from elsewhere; also in another process."""

from __future__ import annotations

from typing import Any

from pydantic_llm import (
    Agent,
    ApprovalRequired,
    CallDeferred,
    DeferredToolRequests,
    DeferredToolResults,
    ModelMessagesTypeAdapter,
    ModelRetry,
    RunContext,
    ToolApproved,
    ToolDenied,
)
from pydantic_llm.models.function import FunctionModel

from .script import call, play, told

SINKABLE = {'Vasa'}


def make_agent(model: FunctionModel) -> Agent[None, str | DeferredToolRequests]:
    agent = Agent(model, output_type=[str, DeferredToolRequests])

    @agent.tool
    def paint(ctx: RunContext[None], ship: str, colour: str) -> str:
        if ship in SINKABLE and not ctx.tool_call_approved:
            raise ApprovalRequired(metadata={'reason': 'old'})
        return f'{ship} is {colour}'

    @agent.tool_plain(requires_approval=True)
    def scrap(ship: str) -> str:
        return f'{ship} is scrapped'

    return agent


def start() -> tuple[Any, DeferredToolRequests]:
    calls = [
        call('paint', 'a', ship='Fram', colour='red'),
        call('paint', 'b', ship='Vasa', colour='red'),
        call('scrap', 'c', ship='Vasa'),
    ]
    result = make_agent(play(calls)).run_sync('Paint all ships red, and scrap the Vasa.')
    assert isinstance(result.output, DeferredToolRequests)
    return result, result.output


def test_a_run_ends_with_the_calls_that_need_an_approval() -> None:
    _, requests = start()
    assert [(each.tool_name, each.tool_call_id) for each in requests.approvals] == [('paint', 'b'), ('scrap', 'c')]
    assert requests.calls == []
    assert requests.metadata == {'b': {'reason': 'old'}}


def test_decisions_continue_the_run_in_another_process() -> None:
    result, requests = start()
    stored = result.all_messages_json()

    results = DeferredToolResults()
    for each in requests.approvals:
        results.approvals[each.tool_call_id] = ToolDenied('Never.') if each.tool_name == 'scrap' else True
    later = make_agent(play(lambda messages: ' / '.join(told(part) for part in messages[-1].parts)))
    history = ModelMessagesTypeAdapter.validate_json(stored)
    done = later.run_sync(message_history=history, deferred_tool_results=results)
    assert 'Vasa is red' in str(done.output)
    assert 'Never.' in str(done.output)


def test_an_approval_can_change_the_arguments() -> None:
    result, _ = start()
    changed = ToolApproved(override_args={'ship': 'Vasa', 'colour': 'blue'})
    later = make_agent(play(lambda messages: ' / '.join(told(part) for part in messages[-1].parts)))
    done = later.run_sync(
        message_history=result.all_messages(),
        deferred_tool_results=DeferredToolResults(approvals={'b': changed, 'c': False}),
    )
    assert 'Vasa is blue' in str(done.output)


def test_a_new_prompt_goes_with_the_decisions() -> None:
    result, _ = start()
    later = make_agent(play(lambda messages: str(messages[-1].parts[-1].content)))
    done = later.run_sync(
        'And rename the Fram.',
        message_history=result.all_messages(),
        deferred_tool_results=DeferredToolResults(approvals={'b': True, 'c': True}),
    )
    assert done.output == 'And rename the Fram.'


def make_crane(model: FunctionModel) -> Agent[None, str | DeferredToolRequests]:
    agent = Agent(model, output_type=[str, DeferredToolRequests])

    @agent.tool
    def lift(ctx: RunContext[None], tons: int) -> str:
        raise CallDeferred(metadata={'job': f'{ctx.tool_call_id}-{tons}'})

    return agent


def test_a_call_is_executed_elsewhere() -> None:
    result = make_crane(play(call('lift', tons=9))).run_sync('Lift it.')
    assert isinstance(result.output, DeferredToolRequests)
    assert [each.tool_name for each in result.output.calls] == ['lift']
    assert result.output.metadata == {'call_1': {'job': 'call_1-9'}}
    later = make_crane(play(lambda messages: told(messages[-1].parts[0])))
    done = later.run_sync(
        message_history=result.all_messages(), deferred_tool_results=DeferredToolResults(calls={'call_1': 'lifted'})
    )
    assert done.output == 'lifted'


def test_a_call_that_failed_elsewhere_is_tried_again() -> None:
    result = make_crane(play(call('lift', tons=9))).run_sync('Lift it.')
    later = make_crane(play(lambda messages: told(messages[-1].parts[0])))
    done = later.run_sync(
        message_history=result.all_messages(),
        deferred_tool_results=DeferredToolResults(calls={'call_1': ModelRetry('Too heavy.')}),
    )
    assert 'Too heavy.' in str(done.output)


def test_results_are_built_from_the_requests() -> None:
    result, requests = start()
    results = requests.build_results(approve_all=True)
    later = make_agent(play('Done.'))
    assert later.run_sync(message_history=result.all_messages(), deferred_tool_results=results).output == 'Done.'


def test_a_tool_gets_the_metadata_of_a_decision() -> None:
    seen: list[Any] = []
    agent = Agent(play(call('sail'), 'Gone.'), output_type=[str, DeferredToolRequests])

    @agent.tool(requires_approval=True)
    def sail(ctx: RunContext[None]) -> str:
        seen.append(ctx.tool_call_metadata)
        return 'gone'

    first = agent.run_sync('Sail.')
    results = DeferredToolResults(approvals={'call_1': True}, metadata={'call_1': {'by': 'captain'}})
    agent.run_sync(message_history=first.all_messages(), deferred_tool_results=results)
    assert seen == [{'by': 'captain'}]


def test_arguments_are_checked_before_an_approval_is_requested() -> None:
    def check(ctx: RunContext[None], tons: int) -> None:
        if tons > 40:
            raise ModelRetry('At most 40 tons.')

    agent = Agent(play(call('load', 'a', tons=90), call('load', 'b', tons=9)), output_type=[str, DeferredToolRequests])

    @agent.tool_plain(requires_approval=True, args_validator=check)
    def load(tons: int) -> str:
        return 'loaded'

    result = agent.run_sync('Load.')
    assert isinstance(result.output, DeferredToolRequests)
    assert [each.tool_call_id for each in result.output.approvals] == ['b']
