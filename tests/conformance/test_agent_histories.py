"""What runs of an agent leave in a history is accepted by every vendor: wrong calls, refused and interrupted ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import pytest

from pydantic_llm import (
    Agent,
    ModelMessage,
    ModelRequest,
    NativeOutput,
    RunCancelled,
    RunContext,
    TextPart,
    UsageLimits,
    UserPromptPart,
    capture_run_messages,
)
from pydantic_llm.exceptions import LLMError
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.testing.room import Room
from pydantic_llm.tools.definition import ToolDefinition
from tests.agent.scripted import Scripted, call
from tests.conformance.rooms import ROOMS
from tests.conformance.validators import VALIDATORS
from tests.conformance.validators.rules import parse_strictly

TOOLS = [ToolDefinition(name, {'type': 'object', 'properties': {}}) for name in ('look', 'stop', 'alarm')]


def look() -> str:
    return 'rain'


def alarm(ctx: RunContext) -> str:
    ctx.enqueue('It burns.')
    return 'on'


async def stop(ctx: RunContext) -> str:
    ctx.cancel()
    await asyncio.sleep(1)
    return 'never'


async def run(*responses: Any, **options: Any) -> list[ModelMessage]:
    """Return the messages of a run that may fail."""
    output_type = options.pop('output_type', str)
    agent: Agent[None, Any] = Agent(Scripted(*responses), tools=[look, alarm, stop], output_type=output_type)
    with capture_run_messages() as messages, suppress(LLMError):
        await agent.run('Hello.', **options)
    return messages


RUNS: dict[str, Callable[[], Any]] = {
    'an invented tool': lambda: run(call('météo.2', '{"x": 1}', 'a'), call('', '{}', 'b'), 'Done.'),
    'arguments that are not JSON': lambda: run(
        call('look', '{"city": ', 'a'), call('look', 'Oslo', 'b'), call('look', '[1]', 'c'), 'Done.'
    ),
    'both, until the model must answer': lambda: run(
        *(call(name, '{', str(number)) for number, name in enumerate(['no', 'look', 'x y', 'look'])), 'I cannot.'
    ),
    'both, until the run fails': lambda: run(call('no such tool', '{"a": ')),
    'right and wrong calls together': lambda: run(
        [call('look', id='a'), call('look', '{', 'b'), call('gone', id='c')], 'Done.'
    ),
    'calls over a limit': lambda: run(
        [call('look', id='a'), call('look', id='b')], 'Done.', usage_limits=UsageLimits(tool_calls_limit=1)
    ),
    'refused calls': lambda: run(
        [call('look', id='a'), call('look', id='b')],
        'Done.',
        usage_limits=UsageLimits(tool_calls_limit=1, final_answer=True),
    ),
    'a cancelled run': lambda: run([call('look', id='a'), call('stop', id='b'), call('no', id='c')]),
    'a message that was added': lambda: run([TextPart('Wait.'), call('alarm', id='a')], 'Run!'),
    'an output next to calls': lambda: run(
        [TextPart('{"response": 7}'), call('look', id='a')], output_type=NativeOutput(int)
    ),
}


@cache
def history_of(name: str) -> tuple[ModelMessage, ...]:
    return tuple(asyncio.run(RUNS[name]()))


@pytest.mark.parametrize('name', RUNS)
@pytest.mark.parametrize('room', ROOMS, ids=repr)
def test_the_history_of_a_run_is_accepted(room: Room, name: str) -> None:
    history = [*history_of(name), ModelRequest([UserPromptPart('And now?')])]
    request = room.prepare(history, None, ModelRequestParameters(TOOLS))
    body = parse_strictly(room.build()._encode_request(request).body.decode())
    assert VALIDATORS[room.name](body) == []
    texts = str(room.decode_request(body).messages)
    assert 'Hello.' in texts
    assert 'And now?' in texts


def test_the_runs_end_as_they_should() -> None:
    with pytest.raises(RunCancelled):
        asyncio.run(Agent(Scripted(call('stop')), tools=[stop]).run('Hello.'))
    lengths = {name: len(history_of(name)) for name in RUNS}
    assert min(lengths.values()) >= 3
