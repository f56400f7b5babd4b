"""Two hundred requests that an engine must survive, and helpers that wait for an engine's state."""

from __future__ import annotations

import asyncio
import gc
import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic_llm.constraints import Choice, JsonSchema, Regex
from pydantic_llm.exceptions import ModelTimeoutError
from tests.local.engines import ask

FOREVER: Any = {'max_tokens': 900, 'logit_bias': {'2': -100}}
"""Settings of a response that does not end by itself."""

ROUNDS, REQUESTS, CANCELLED = 5, 40, 6

SCHEMA = JsonSchema({'type': 'object', 'properties': {'a': {'enum': [1, 2]}}, 'required': ['a']})
CONSTRAINTS = (None, None, None, Choice(('yes', 'no')), Regex('[a-c]{2,9}'), SCHEMA)


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a change that another thread or process makes."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 -- another thread changes it, and sets no event
            await asyncio.sleep(0.002)


def is_idle(model: Any) -> bool:
    counts = model.engine.counts
    return (counts.active, counts.waiting) == (0, 0)


async def storm(model: Any) -> None:
    """Send requests with random lengths, settings, constraints and deadlines, some of them cancelled or left. After
    each round all slots are free, and after the last one no memory is kept.
    """
    await model.load()
    dice = random.Random(4)
    memory: list[float] = []
    for _ in range(ROUNDS):
        tasks = [asyncio.create_task(_request(model, number, dice)) for number in range(REQUESTS)]
        for task in dice.sample(tasks, CANCELLED):
            asyncio.get_running_loop().call_later(dice.random() * 0.3, task.cancel)
        async with asyncio.timeout(90):
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(o, str | asyncio.CancelledError) for o in outcomes), outcomes
        await until(lambda: is_idle(model))
        gc.collect()
        memory.append(_resident_mebibytes())
    assert memory[-1] - memory[1] < 30, memory
    assert (await model.request(ask(), {'max_tokens': 2})).usage.output_tokens == 2


async def _request(model: Any, number: int, dice: random.Random) -> str:
    settings: Any = {'max_tokens': dice.randint(1, 24), 'temperature': dice.choice([0.0, 1.0])}
    if (constraint := dice.choice(CONSTRAINTS)) is not None:
        settings['constraint'] = constraint
    text, deadline_offset = (
        ask(f'{"word " * dice.randint(0, 30)}{number}'),
        dice.choice([None, None, dice.random() * 0.5]),
    )
    if deadline_offset is not None:
        settings['timeout'] = 0.001 + deadline_offset
    with suppress(ModelTimeoutError):
        if dice.random() < 0.5:
            await model.request(text, settings)
            return 'whole'
        async with model.request_stream(text, settings) as stream:
            async for _ in stream:
                if dice.random() < 0.05:
                    return 'left'
        return 'streamed'
    return 'late'


def _resident_mebibytes() -> float:
    pages = int(Path('/proc/self/statm').read_text(encoding='ascii').split()[1]) if Path('/proc').is_dir() else 0
    return pages * os.sysconf('SC_PAGE_SIZE') / 2**20
