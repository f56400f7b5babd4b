"""Many callers share one engine: queue, cancelling, deadlines, crashes, closing, loops and threads."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from pydantic_llm.exceptions import ModelAPIError, ModelTimeoutError, OverloadedError, StreamInterruptedError
from pydantic_llm.models.local.leases import _leases
from pydantic_llm.models.transformers import TransformersModel
from tests.local.engines import Engine, ask, on
from tests.local.storm import FOREVER, Faults, Weather, is_idle, save_adapters, storm, until


async def read_stream(model: Any, settings: Any, on_event: Callable[[object], None] = lambda event: None) -> None:
    """Read a stream to its end."""
    async with model.request_stream(ask(), settings) as stream:
        async for event in stream:
            on_event(event)


# ---------------------------------------------------------------------- sharing


OTHER_OPTIONS: dict[str, dict[str, Any]] = {
    'transformers': {'model_kwargs': {'attn_implementation': 'eager'}},
    'mlx': {'max_batch_size': 2},
    'llamacpp-local': {'n_ctx': 512},
}


@on('transformers', 'mlx', 'llamacpp')
async def test_models_with_the_same_name_and_options_share_an_engine(
    make: Callable[..., Any], engine: Engine, random_path: Path
) -> None:
    first, second = make(random_path, max_batch_size=4), make(f'{random_path}', max_batch_size=4, max_new_tokens=7)
    other = make(random_path, **{'max_batch_size': 4, **OTHER_OPTIONS[engine.system]})
    assert first.engine is second.engine
    assert first.engine is not other.engine
    loaded = await asyncio.gather(first.load(), second.load())
    assert loaded[0] is loaded[1]
    shared = first.engine
    await first.aclose()
    assert (await second.request(ask(), {'max_tokens': 2})).usage.output_tokens == 2
    assert second.engine is shared


async def test_models_with_equal_model_kwargs_share_an_engine(make: Callable[..., Any]) -> None:
    first, second = (
        make(model_kwargs={'attn_implementation': 'sdpa'}),
        make(model_kwargs={'attn_implementation': 'sdpa'}),
    )
    assert first.engine is second.engine


async def test_an_engine_ends_with_the_last_model_that_uses_it(make: Callable[..., Any]) -> None:
    before = len(_leases)
    model = make(max_batch_size=3)
    await model.request(ask(), {'max_tokens': 2})
    name = f'pydantic_llm {model.model_name}'
    await model.aclose()
    assert len(_leases) == before
    assert [thread for thread in threading.enumerate() if thread.name == name] == []
    assert (await model.request(ask(), {'max_tokens': 2})).usage.output_tokens == 2  # loaded again


async def test_a_model_that_is_garbage_collected_releases_its_engine(random_path: Path) -> None:
    model = TransformersModel(random_path, max_batch_size=5)
    await model.request(ask(), {'max_tokens': 2})
    [thread] = [thread for thread in threading.enumerate() if thread.name == f'pydantic_llm {random_path}']
    del model
    gc.collect()
    await until(lambda: not thread.is_alive())


# ---------------------------------------------------------------------- queue and cancelling


async def test_a_full_queue_is_an_error_if_when_full_is_error(make: Callable[..., Any]) -> None:
    model = make(max_batch_size=2, max_queue=1, when_full='error')
    await model.load()
    tasks = [asyncio.create_task(model.request(ask(), FOREVER)) for _ in range(3)]
    await until(lambda: model.engine.counts.active == 2)
    with pytest.raises(OverloadedError, match='max_queue=1') as caught:
        await model.request(ask())
    assert caught.value.retryable
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await until(lambda: is_idle(model))
    assert (await model.request(ask(), {'max_tokens': 3})).usage.output_tokens == 3


async def test_requests_enter_a_full_queue_in_their_order(make: Callable[..., Any]) -> None:
    model = make(max_batch_size=1, max_queue=0)
    await model.load()
    done: list[int] = []

    async def one(number: int) -> None:
        await model.request(ask(), {'max_tokens': 5})
        done.append(number)

    tasks = [asyncio.create_task(one(number)) for number in range(6)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert done == [0, 1, 2, 4, 5]
    assert is_idle(model)


@on('padded', 'paged', 'mlx', 'llamacpp')
async def test_cancelling_frees_the_slot_at_once(make: Callable[..., Any]) -> None:
    model = make(max_batch_size=1)
    await model.load()
    long = asyncio.create_task(model.request(ask(), FOREVER))
    await until(lambda: model.engine.counts.active == 1)
    begun = perf_counter()
    next_one = asyncio.create_task(model.request(ask(), {'max_tokens': 1}))
    await asyncio.sleep(0)
    long.cancel()
    assert (await next_one).usage.output_tokens == 1
    assert perf_counter() - begun < 3
    with pytest.raises(asyncio.CancelledError):
        await long
    assert is_idle(model)


async def test_leaving_a_stream_frees_the_slot(make: Callable[..., Any]) -> None:
    model = make(max_batch_size=1)
    async with model.request_stream(ask(), FOREVER) as stream:
        async for _ in stream:
            break
    assert stream.get().state == 'interrupted'
    await until(lambda: is_idle(model))


async def test_a_stream_that_another_task_cancels_ends_for_its_reader(make: Callable[..., Any]) -> None:
    model = make(max_batch_size=1)
    blocker = asyncio.create_task(model.request(ask(), FOREVER))
    await model.load()
    await until(lambda: model.engine.counts.active == 1)
    async with model.request_stream(ask()) as stream:

        async def read() -> list[Any]:
            return [event async for event in stream]

        reader = asyncio.create_task(read())
        await asyncio.sleep(0)
        await stream.cancel()
        assert await asyncio.wait_for(reader, 5) == []
    assert stream.get().state == 'interrupted'
    blocker.cancel()


@on('padded', 'paged', 'mlx', 'llamacpp')
async def test_two_hundred_requests_with_random_cancels_lengths_and_constraints(make: Callable[..., Any]) -> None:
    await storm(make(max_batch_size=16, max_queue=20))


@on('padded', 'mlx')
async def test_requests_with_adapters_and_faults_in_forward_passes_are_answered_or_fail_by_their_own(
    engine: Engine, random_path: Path, tmp_path: Path
) -> None:
    model = engine.make(random_path, adapters=save_adapters(engine, random_path, tmp_path), max_batch_size=16)
    await model.load()
    faults = Faults(model)
    await storm(model, Weather(rounds=3, requests=20, adapters=[*model.adapters], faults=faults))
    assert faults.counts['raises']
    assert faults.counts['nan']
    await model.aclose()


@on('transformers')
async def test_a_stream_that_fails_by_its_own_fault_is_not_retryable(make: Callable[..., Any]) -> None:
    model = make()
    await model.load()
    faults = Faults(model)
    with pytest.raises(StreamInterruptedError, match='nan') as caught:
        await read_stream(model, {'logit_bias': faults.get_logit_bias('nan')})
    assert not caught.value.retryable


# ---------------------------------------------------------------------- deadlines


@on('transformers', 'mlx', 'llamacpp')
async def test_a_deadline_for_the_whole_response_frees_the_slot(make: Callable[..., Any]) -> None:
    model = make()
    await model.load()
    with pytest.raises(ModelTimeoutError, match=r'timeout of 0\.05 s'):
        await model.request(ask(), {**FOREVER, 'timeout': 0.05})
    await until(lambda: is_idle(model))


async def test_a_deadline_for_the_first_token_includes_the_queue(make: Callable[..., Any]) -> None:
    model = make(max_batch_size=1)
    await model.load()
    long = asyncio.create_task(model.request(ask(), FOREVER))
    await until(lambda: model.engine.counts.active == 1)
    with pytest.raises(ModelTimeoutError, match='first_token_timeout'):
        await read_stream(model, {'first_token_timeout': 0.05})
    assert model.engine.counts.waiting == 0
    long.cancel()


async def test_a_deadline_for_the_whole_stream(make: Callable[..., Any]) -> None:
    model = make()
    await model.load()
    with pytest.raises(ModelTimeoutError, match=r'timeout of 0\.1 s'):
        await read_stream(model, {**FOREVER, 'timeout': 0.1})
    await until(lambda: is_idle(model))


# ---------------------------------------------------------------------- crashes and closing


@on('transformers', 'mlx')
async def test_a_crash_fails_all_requests_and_the_next_one_starts_again(make: Callable[..., Any]) -> None:
    model = make(max_batch_size=2)
    loaded = await model.load()
    engine: Any = model.engine
    tasks = [asyncio.create_task(model.request(ask(), FOREVER)) for _ in range(3)]
    first = asyncio.create_task(read_stream(model, FOREVER))
    await until(lambda: engine.counts.active == 2)
    broken = engine._model.model
    norm, broken.norm = broken.norm, None
    results = await asyncio.gather(*tasks, first, return_exceptions=True)
    broken.norm = norm
    assert all(isinstance(result, ModelAPIError) and result.retryable for result in results)
    assert 'The engine of' in f'{results[0]}'
    assert (await model.request(ask(), {'max_tokens': 3})).usage.output_tokens == 3
    assert await model.load() is loaded  # the weights were not loaded again


async def test_a_crash_during_a_stream_raises_with_the_partial_response(make: Callable[..., Any]) -> None:
    model = make()
    await model.load()
    engine: Any = model.engine

    def break_it(_: object) -> None:
        engine._model.model.norm.weight = None

    with pytest.raises(StreamInterruptedError) as caught:
        await read_stream(model, FOREVER, break_it)
    assert caught.value.response is not None
    assert caught.value.response.state == 'interrupted'


async def test_closing_the_engine_fails_the_requests_that_are_not_done(make: Callable[..., Any]) -> None:
    model = make()
    await model.load()
    task = asyncio.create_task(model.request(ask(), FOREVER))
    await until(lambda: model.engine.counts.active == 1)
    await model.aclose()
    with pytest.raises(ModelAPIError, match='was closed'):
        await task


def run_in_new_process(
    path: Path, program: str, *, module: str = 'transformers', name: str = 'TransformersModel'
) -> str:
    head = (
        'import asyncio, os, sys\n'
        'from pydantic_llm.messages import ModelRequest\n'
        f'from pydantic_llm.models.{module} import {name}\n'
        f'model = {name}({os.fspath(path)!r}, max_new_tokens=5)\n'
        "ask = lambda text='hi': [ModelRequest.user_text_prompt(text)]\n"
        "forever = {'max_tokens': 900, 'logit_bias': {'2': -100}}\n"
    )
    run = subprocess.run(
        [sys.executable, '-c', head + program],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_a_process_can_end_during_a_response(random_path: Path) -> None:
    program = """
async def main():
    await model.load()
    task = asyncio.create_task(model.request(ask(), forever))
    await asyncio.sleep(0.2)
    print('bye', model.engine.counts.active)
asyncio.run(main())
"""
    assert run_in_new_process(random_path, program) == 'bye 1\n'


def test_a_process_ends_after_the_memory_is_freed(random_path: Path) -> None:
    program = """
import time
from pydantic_llm.models.transformers.engine import TransformersEngine

class Slow:
    def __del__(self):
        time.sleep(1)
        print('freed', flush=True)

def make_runner(self, loaded, make=TransformersEngine.make_runner):
    runner = make(self, loaded)
    runner.memory = Slow()
    return runner

TransformersEngine.make_runner = make_runner
asyncio.run(model.request(ask()))
del model
time.sleep(0.3)
print('bye', flush=True)
"""
    assert run_in_new_process(random_path, program) == 'bye\nfreed\n'


def test_the_child_of_a_fork_loads_an_engine_of_its_own(random_path: Path) -> None:
    program = """
print(asyncio.run(model.request(ask())).usage.output_tokens, flush=True)
child = os.fork()
if not child:
    print(asyncio.run(model.request(ask())).usage.output_tokens, flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(asyncio.run(model.request(ask())).usage.output_tokens)
"""
    assert run_in_new_process(random_path, program) == '5\n5\n5\n'


@on('mlx')
def test_the_child_of_a_fork_is_told_that_mlx_cannot_run_in_it(engine: Engine, random_path: Path) -> None:
    program = """
asyncio.run(model.load())
child = os.fork()
if not child:
    try:
        asyncio.run(model.request(ask()))
    except Exception as error:
        print(type(error).__name__, 'after the fork' in str(error), flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(asyncio.run(model.request(ask())).usage.output_tokens)
"""
    assert run_in_new_process(random_path, program, module='mlx', name='MLXModel') == 'UserError True\n5\n'


# ---------------------------------------------------------------------- loops and threads


@on('transformers', 'mlx', 'llamacpp')
def test_one_model_works_in_one_loop_after_another(engine: Engine, random_path: Path) -> None:
    model = engine.make(random_path, max_new_tokens=3)
    for _ in range(3):
        assert asyncio.run(model.request(ask())).usage.output_tokens == 3
    asyncio.run(model.aclose())


@on('transformers', 'mlx', 'llamacpp')
def test_one_model_works_in_many_threads_at_once(engine: Engine, random_path: Path) -> None:
    model = engine.make(random_path, max_new_tokens=8)
    counts: list[int] = []

    async def several() -> None:
        responses = await asyncio.gather(*(model.request(ask(f'{n}')) for n in range(4)))
        async with model.request_stream(ask()) as stream:
            async for _ in stream:
                pass
        counts.extend(response.usage.output_tokens for response in responses)

    threads = [threading.Thread(target=lambda: asyncio.run(several())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert counts == [8] * 16
    asyncio.run(model.aclose())


def test_a_loop_that_ends_during_a_response_leaves_no_job_behind(random_path: Path) -> None:
    model = TransformersModel(random_path)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(model.load())
    task = loop.create_task(model.request(ask(), FOREVER))
    loop.run_until_complete(asyncio.sleep(0.1))
    task.cancel()
    with suppress(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()

    async def after() -> None:
        await until(lambda: is_idle(model))
        await model.aclose()

    asyncio.run(after())


async def test_the_event_loop_is_never_blocked(make: Callable[..., Any]) -> None:
    model = make(max_batch_size=8)
    stalls: list[float] = []

    async def watch() -> None:
        while True:
            begun = perf_counter()
            await asyncio.sleep(0.001)
            stalls.append(perf_counter() - begun - 0.001)

    watcher = asyncio.create_task(watch())
    await model.load()
    await asyncio.gather(*(model.request(ask('word ' * 100), {'max_tokens': 30}) for _ in range(16)))
    watcher.cancel()
    stalls.sort()
    assert stalls[int(len(stalls) * 0.99)] < 0.25  # a loop that a step blocked would wait for all of them
    assert len(stalls) > 50
