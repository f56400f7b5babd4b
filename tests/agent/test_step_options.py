"""Models and settings that are functions of the context, evaluated before each request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pydantic_llm import Agent, ModelSettings, RunContext, UserError
from pydantic_llm.models import Model, infer_model
from pydantic_llm.models.names import LOADERS
from tests.agent.scripted import Scripted, call


def settings_of(model: Scripted) -> list[ModelSettings | None]:
    return [request.settings for request in model.requests]


def make_agent(model: Any, **options: Any) -> Agent[None, str]:
    agent: Agent[None, str] = Agent(model, **options)

    @agent.tool_plain
    def wait() -> str:
        return 'waited'

    return agent


async def test_settings_may_depend_on_the_step() -> None:
    model = Scripted(call('wait'), 'Done.')
    agent = make_agent(model, model_settings=lambda ctx: ModelSettings(temperature=ctx.run_step / 10))
    await agent.run('Go')
    assert settings_of(model) == [{'temperature': 0.1}, {'temperature': 0.2}]


async def test_each_function_sees_the_settings_below_it_and_is_merged_over_them() -> None:
    seen: list[ModelSettings | None] = []

    async def of_agent(ctx: RunContext) -> ModelSettings:
        seen.append(ctx.model_settings)
        return {'max_tokens': 20, 'top_p': 0.5}

    def of_run(ctx: RunContext) -> ModelSettings | None:
        seen.append(ctx.model_settings)
        return {'top_p': 0.9}

    model = Scripted('Done.', settings={'temperature': 0.3})
    agent = make_agent(model, model_settings=of_agent)
    await agent.run('Go', model_settings=of_run)
    assert seen == [{'temperature': 0.3}, {'temperature': 0.3, 'max_tokens': 20, 'top_p': 0.5}]
    assert settings_of(model) == [{'max_tokens': 20, 'top_p': 0.9}]


async def test_a_tool_sees_the_settings_of_its_request() -> None:
    seen: list[ModelSettings | None] = []
    agent = Agent(Scripted(call('look'), 'Done.'), model_settings=lambda ctx: ModelSettings(seed=ctx.run_step))

    @agent.tool
    def look(ctx: RunContext) -> str:
        seen.append(ctx.model_settings)
        return 'seen'

    await agent.run('Go')
    assert seen == [{'seed': 1}]


async def test_the_model_may_depend_on_the_step_in_a_run_and_in_a_stream() -> None:
    small, large = Scripted(call('wait')), Scripted('Done.')

    async def choose(ctx: RunContext) -> Model:
        return large if ctx.run_step > 1 else small

    agent = make_agent(choose)
    assert (await agent.run('Go')).output == 'Done.'
    assert (len(small.requests), len(large.requests)) == (1, 1)
    async with agent.run_stream('Go') as result:
        assert await result.get_output() == 'Done.'
    assert (len(small.requests), len(large.requests)) == (2, 2)


async def test_a_run_chooses_another_model_than_the_agent() -> None:
    model = Scripted('Done.')
    agent = make_agent(Scripted('Not this.'))
    assert (await agent.run('Go', model=lambda ctx: model)).output == 'Done.'
    with agent.override(model=lambda: model):
        assert (await agent.run('Go')).output == 'Done.'


async def test_the_context_has_the_model_of_the_request_before() -> None:
    model = Scripted(call('wait'), 'Done.')
    names: list[str] = []

    def choose(ctx: RunContext) -> Model:
        names.append(ctx.model.model_name)
        return model

    await make_agent(choose).run('Go')
    assert names == ['unchosen', 'scripted', 'scripted']


async def test_a_model_that_was_made_from_a_name_is_made_once_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Scripted] = []

    def make(name: str, **options: Any) -> Scripted:
        made.append(Scripted(call('wait'), 'Done.'))
        return made[-1]

    monkeypatch.setitem(LOADERS, 'stepwise', lambda: make)
    await make_agent(lambda ctx: 'stepwise:any').run('Go')
    assert [model.closed for model in made] == [True]
    assert isinstance(infer_model('stepwise:any'), Scripted)


@pytest.mark.parametrize('option', ['model', 'model_settings'])
@pytest.mark.parametrize('bad', [lambda ctx: 7, lambda ctx: [1]])
async def test_a_function_that_returns_something_else_is_named(option: str, bad: Callable[..., Any]) -> None:
    agent = make_agent(Scripted('Done.'))
    with pytest.raises(UserError, match=f'The result of the function in {option} '):
        await agent.run('Go', **{option: bad})


async def test_a_function_with_too_many_arguments_is_refused_when_the_agent_is_made() -> None:
    with pytest.raises(UserError, match='must take no argument'):
        Agent(lambda ctx, other: Scripted('Done.'))
    with pytest.raises(UserError, match='must take no argument'):
        make_agent(Scripted('Done.'), model_settings=lambda ctx, other: {})
