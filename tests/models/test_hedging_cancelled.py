"""A request that is hedged is cancelled at each of its steps: no deployment stays occupied, no task is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from pydantic_llm.messages import ModelMessage, ModelRequest, ModelResponse, TextPart
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.models.router import Deployment, RouterModel

HELLO = [ModelRequest.user_text_prompt('Hello?')]
MAX_STEPS = 30


def make_model(steps: int, *, is_stubborn: bool = False) -> FunctionModel:
    """Return a model that responds after some steps of the event loop. A stubborn one ends late."""

    async def wait() -> None:
        try:
            for _ in range(steps):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            if is_stubborn:
                await asyncio.sleep(0.002)
            raise

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        await wait()
        return ModelResponse([TextPart('Hi')], finish_reason='stop')

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        await wait()
        yield 'Hi'

    return FunctionModel(respond, stream_function=stream)


async def ask(router: RouterModel, *, stream: bool) -> None:
    if not stream:
        await router.request(HELLO)
        return
    async with router.request_stream(HELLO) as opened:
        async for _ in opened:
            pass


async def cancel_after(task: asyncio.Task[None], steps: int, *, again: bool) -> None:
    """Cancel a task after some steps of the event loop, and again while it ends."""
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    if again:
        await asyncio.sleep(0)
        task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize('again', [False, True], ids=['once', 'twice'])
@pytest.mark.parametrize('is_stubborn', [False, True], ids=['', 'stubborn'])
@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
async def test_a_cancelled_request_leaves_no_deployment_occupied(stream: bool, is_stubborn: bool, again: bool) -> None:
    for steps in range(MAX_STEPS):
        models = make_model(20, is_stubborn=is_stubborn), make_model(3)
        deployments = [Deployment(model, name=f'm{index}', concurrency=1) for index, model in enumerate(models)]
        router = RouterModel(deployments[:1], fallbacks=[deployments[1:]], hedge_after=1e-9)
        await cancel_after(asyncio.ensure_future(ask(router, stream=stream)), steps, again=again)
        await asyncio.sleep(0.004 if is_stubborn else 0)
        status = await router.state.status(['m0', 'm1'])
        assert {name: each.under_way for name, each in status.items()} == {'m0': 0, 'm1': 0}, steps
        assert asyncio.all_tasks() == {asyncio.current_task()}, steps
