"""Output: text, types, functions, unions; the ways to ask for it; validators; and output while it streams."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from pydantic_llm import (
    Agent,
    ModelRetry,
    NativeOutput,
    PromptedOutput,
    RunContext,
    StructuredDict,
    TextOutput,
    ToolOutput,
    UnexpectedModelBehavior,
)
from pydantic_llm.models.test import TestModel

from .script import call, play, told


class Ship(BaseModel):
    name: str
    berth: int


@dataclass
class Question:
    text: str


class Wind(TypedDict, total=False):
    direction: str
    knots: int


def test_an_output_is_a_model_of_pydantic() -> None:
    result = Agent(TestModel(), output_type=Ship).run_sync('Which ship?')
    assert result.output == Ship(name='a', berth=0)


def test_an_output_is_one_of_several_types() -> None:
    agent = Agent(play(call('final_result_Question', text='Which one?')), output_type=[Ship, Question])
    assert agent.run_sync('Which ship?').output == Question('Which one?')


def test_an_output_is_a_union_with_text() -> None:
    agent: Agent[None, Ship | str] = Agent(play('I cannot see it.'), output_type=[Ship, str])
    assert agent.run_sync('Which ship?').output == 'I cannot see it.'


def test_an_output_is_a_list() -> None:
    agent = Agent(play(call('final_result', response=['Fram', 'Gjøa'])), output_type=list[str])
    assert agent.run_sync('Which ships?').output == ['Fram', 'Gjøa']


def assign(ship: str, berth: int) -> str:
    """Assign a berth to a ship."""
    if berth > 9:
        raise ModelRetry('There are nine berths.')
    return f'{ship} lies at {berth}'


def test_an_output_function_gets_the_arguments_of_the_model() -> None:
    calls = [call('final_result', 'a', ship='Fram', berth=12), call('final_result', 'b', ship='Fram', berth=3)]
    agent = Agent(play(*calls), output_type=assign)
    result = agent.run_sync('Moor the Fram.')
    assert result.output == 'Fram lies at 3'
    assert 'There are nine berths.' in told(result.all_messages()[2].parts[0])


def test_an_output_function_takes_a_context() -> None:
    def note(ctx: RunContext[list[str]], text: str) -> int:
        ctx.deps.append(text)
        return len(ctx.deps)

    agent = Agent(play(call('final_result', text='low tide')), deps_type=list[str], output_type=note)
    log: list[str] = []
    assert agent.run_sync('Note it.', deps=log).output == 1
    assert log == ['low tide']


def test_text_is_read_by_a_function() -> None:
    def split(text: str) -> list[str]:
        return text.split()

    agent = Agent(play('Fram Gjøa'), output_type=TextOutput(split))
    assert agent.run_sync('Which ships?').output == ['Fram', 'Gjøa']


def test_a_tool_output_has_a_name_and_a_description() -> None:
    model = TestModel()
    agent = Agent(model, output_type=[ToolOutput(Ship, name='give_ship', description='A ship.'), ToolOutput(Question)])
    assert agent.run_sync('Which ship?').output == Ship(name='a', berth=0)
    assert model.last_model_request_parameters is not None
    first = model.last_model_request_parameters.output_tools[0]
    assert first.name == 'give_ship'
    assert 'A ship.' in (first.description or '')


def test_an_output_is_enforced_by_the_vendor() -> None:
    agent = Agent(play('{"name": "Fram", "berth": 7}'), output_type=NativeOutput(Ship, name='ship'))
    assert agent.run_sync('Which ship?').output == Ship(name='Fram', berth=7)


def test_an_output_is_asked_for_in_the_prompt() -> None:
    agent = Agent(play('{"name": "Fram", "berth": 7}'), output_type=PromptedOutput(Ship))
    assert agent.run_sync('Which ship?').output == Ship(name='Fram', berth=7)


def test_a_schema_of_your_own_gives_a_dict() -> None:
    schema = {'type': 'object', 'properties': {'flag': {'type': 'string'}}, 'required': ['flag']}
    agent = Agent(play(call('final_result', flag='blue')), output_type=StructuredDict(schema, name='Flag'))
    assert agent.run_sync('Which flag?').output == {'flag': 'blue'}


def test_a_validator_rejects_or_replaces_an_output() -> None:
    agent = Agent(play('lo', 'low'), deps_type=set)

    @agent.output_validator
    async def check(ctx: RunContext[set[str]], output: str) -> str:
        if output not in ctx.deps:
            raise ModelRetry('Say low or high.')
        return output.upper()

    assert agent.run_sync('How is the tide?', deps={'low', 'high'}).output == 'LOW'


def test_an_output_that_is_never_valid_ends_the_run() -> None:
    agent = Agent(play(*[call('final_result', str(number), name='x') for number in range(4)]), output_type=Ship)
    with pytest.raises(UnexpectedModelBehavior):
        agent.run_sync('Which ship?')


def test_a_run_has_an_output_type_of_its_own() -> None:
    agent = Agent(TestModel())
    assert agent.run_sync('How many?', output_type=int).output == 0


def test_an_object_streams_while_it_is_written() -> None:
    agent = Agent(TestModel(custom_output_args={'direction': 'west', 'knots': 12}), output_type=Wind)

    async def run() -> tuple[list[Any], Any]:
        async with agent.run_stream('How is the wind?') as response:
            parts = [part async for part in response.stream_output(debounce_by=None)]
            return parts, await response.get_output()

    parts, output = asyncio.run(run())
    assert output == {'direction': 'west', 'knots': 12}
    assert parts[-1] == output
    assert len(parts) >= 1


def test_a_validator_knows_that_an_output_is_partial() -> None:
    seen: list[bool] = []
    agent = Agent(TestModel(custom_output_args={'direction': 'west', 'knots': 12}), output_type=Wind)

    @agent.output_validator
    def check(ctx: RunContext[None], output: Wind) -> Wind:
        seen.append(ctx.partial_output)
        return output

    async def run() -> None:
        async with agent.run_stream('How is the wind?') as response:
            async for _ in response.stream_output(debounce_by=None):
                pass

    asyncio.run(run())
    assert seen[-1] is False


@pytest.mark.parametrize(('end_strategy', 'runs'), [('early', []), ('exhaustive', ['ring'])])
def test_other_calls_next_to_an_output(end_strategy: Any, runs: list[str]) -> None:
    ran: list[str] = []
    lines = [call('final_result', 'a', name='Fram', berth=1), call('ring', 'b')]
    agent = Agent(play(lines), output_type=Ship, end_strategy=end_strategy)

    @agent.tool_plain
    def ring() -> str:
        ran.append('ring')
        return 'ding'

    assert agent.run_sync('Which ship?').output == Ship(name='Fram', berth=1)
    assert ran == runs
