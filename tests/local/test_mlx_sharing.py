"""Many callers and MLX's engine: cancelling, crashes, loops, threads, agents and the page of the documentation."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pydantic_llm import Agent
from pydantic_llm.exceptions import ModelAPIError, ModelTimeoutError
from pydantic_llm.models.mlx import MLXModel
from tests.local import tiny
from tests.local.mlx_library import ask
from tests.local.storm import FOREVER, idle, storm, until
from tests.local.test_docs import ROOT, check_page
from tests.local.test_transformers_agent import Report, calls_in, weather


async def test_models_that_name_the_same_one_share_its_engine(make_mlx: Callable[..., Any], random_path: Path) -> None:
    first, second = make_mlx(random_path), make_mlx(f'{random_path}', max_new_tokens=7)
    other = make_mlx(random_path, max_batch_size=4)
    assert first.engine is second.engine
    assert first.engine is not other.engine
    assert await first.load() is await second.load()


async def test_cancelling_frees_the_slot_at_once(make_mlx: Callable[..., Any]) -> None:
    model = make_mlx(max_batch_size=1)
    await model.load()
    long = asyncio.create_task(model.request(ask(), FOREVER))
    await until(lambda: model.engine.counts.active == 1)
    next_one = asyncio.create_task(model.request(ask(), {'max_tokens': 1}))
    await asyncio.sleep(0)
    long.cancel()
    assert (await asyncio.wait_for(next_one, 10)).usage.output_tokens == 1
    with pytest.raises(asyncio.CancelledError):
        await long
    assert idle(model)


async def test_two_hundred_requests_with_random_cancels_lengths_and_constraints(make_mlx: Callable[..., Any]) -> None:
    await storm(make_mlx(max_batch_size=16, max_queue=20))


async def test_a_deadline_frees_the_slot(make_mlx: Callable[..., Any]) -> None:
    model = make_mlx()
    await model.load()
    with pytest.raises(ModelTimeoutError, match=r'timeout of 0\.05 s'):
        await model.request(ask(), {**FOREVER, 'timeout': 0.05})
    await until(lambda: idle(model))


async def test_a_crash_fails_all_who_wait_and_the_next_request_starts_anew(make_mlx: Callable[..., Any]) -> None:
    model = make_mlx(max_batch_size=2)
    loaded = await model.load()
    engine: Any = model.engine
    tasks = [asyncio.create_task(model.request(ask(), FOREVER)) for _ in range(3)]
    await until(lambda: engine.counts.active == 2)
    broken = engine._weights.model.model
    norm, broken.norm = broken.norm, None
    results = await asyncio.gather(*tasks, return_exceptions=True)
    broken.norm = norm
    assert all(isinstance(result, ModelAPIError) and result.retryable for result in results)
    assert (await model.request(ask(), {'max_tokens': 3})).usage.output_tokens == 3
    assert await model.load() is loaded  # the weights were not loaded again


def test_one_model_works_in_one_loop_after_another_and_in_many_threads_at_once(random_path: Path) -> None:
    model = MLXModel(random_path, max_new_tokens=3)
    for _ in range(2):
        assert asyncio.run(model.request(ask())).usage.output_tokens == 3
    found: list[int] = []

    async def several() -> None:
        answers = await asyncio.gather(*(model.request(ask(f'{n}')) for n in range(4)))
        found.extend(answer.usage.output_tokens for answer in answers)

    threads = [threading.Thread(target=lambda: asyncio.run(several())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [3] * 16
    asyncio.run(model.aclose())


async def test_an_agent_calls_its_tool_and_answers(make_mlx: Callable[..., Any], taught_path: Path) -> None:
    agent = Agent(make_mlx(taught_path), tools=[weather])
    result = await agent.run('Weather in Oslo?')
    assert result.output == 'It is rainy in Oslo.'
    assert calls_in(result.all_messages()) == [('weather', {'city': 'Oslo'}), ('weather', 'rainy')]


async def test_an_agent_gives_a_structured_output(make_mlx: Callable[..., Any], taught_path: Path) -> None:
    agent = Agent(make_mlx(taught_path), tools=[weather], output_type=Report)
    assert (await agent.run('Weather in Oslo?')).output == Report(city='Oslo', weather='rainy')


def test_an_agent_is_called_without_a_loop(taught_path: Path) -> None:
    agent = Agent(f'mlx:{taught_path}')
    assert agent.run_sync('Say hi.').output == tiny.ANSWERS['Say hi.']
    assert isinstance(agent.model, MLXModel)


def test_the_snippets_of_the_page_run_and_print_what_it_shows(taught_path: Path, tmp_path: Path) -> None:
    check_page(ROOT / 'docs' / 'vendors' / 'mlx.md', taught_path, tmp_path)
