"""Rounds of requests that an engine must survive, and helpers that wait for an engine's state.

`python -m tests.local.storm 10 50` runs 10 rounds of 50 requests to each engine, with adapters and faults.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from pydantic_llm.constraints import Choice, JsonSchema, Regex
from pydantic_llm.exceptions import ModelAPIError, ModelTimeoutError
from tests.local import tiny
from tests.local.adapters import save_adapter, save_mlx_adapter
from tests.local.engines import ENGINES, Engine, ask

FOREVER: Any = {'max_tokens': 900, 'logit_bias': {'2': -100}}
"""Settings of a response that does not end by itself."""

SCHEMA = JsonSchema({'type': 'object', 'properties': {'a': {'enum': [1, 2]}}, 'required': ['a']})
CONSTRAINTS = (None, None, None, Choice(('yes', 'no')), Regex('[a-c]{2,9}'), SCHEMA)

MAX_GROWTH = 30
"""The memory that may be more after the last round than after the second, in MiB."""


@dataclass(frozen=True, kw_only=True)
class Weather:
    """What a storm is made of."""

    rounds: int = 5
    requests: int = 40
    """The number of requests per round."""
    cancelled: float = 0.15
    """The share of requests that are cancelled."""
    adapters: Sequence[str] = ()
    """The adapters that requests name."""
    faults: Faults | None = None


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a change that another thread or process makes."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 -- another thread changes it, and sets no event
            await asyncio.sleep(0.002)


def is_idle(model: Any) -> bool:
    counts = model.engine.counts
    return (counts.active, counts.waiting) == (0, 0)


async def storm(model: Any, weather: Weather = Weather()) -> list[float]:
    """Send requests with random lengths, settings, constraints, adapters and deadlines, some of them cancelled or left,
    some at fault. After each round all slots are free, and after the last one no memory is kept.

    Return the memory after each round, in MiB.
    """
    await model.load()
    dice = random.Random(4)
    memory: list[float] = []
    texts: dict[tuple[int, str | None], str] = {}
    for _ in range(weather.rounds):
        tasks = [
            asyncio.create_task(_request(model, number, dice, weather, texts)) for number in range(weather.requests)
        ]
        for task in dice.sample(tasks, int(weather.cancelled * len(tasks))):
            asyncio.get_running_loop().call_later(dice.random() * 0.3, task.cancel)
        async with asyncio.timeout(90 + weather.requests):
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        wrong = [outcome for outcome in outcomes if not isinstance(outcome, str | asyncio.CancelledError)]
        assert not wrong, wrong
        await until(lambda: is_idle(model))
        gc.collect()
        memory.append(_resident_mebibytes())
    assert memory[-1] - memory[1] < MAX_GROWTH, memory
    assert (await model.request(ask(), {'max_tokens': 2})).usage.output_tokens == 2
    return memory


async def _request(
    model: Any, number: int, dice: random.Random, weather: Weather, texts: dict[tuple[int, str | None], str]
) -> str:
    """Send one request. Return what came of it; raise what should not have come."""
    fault = None if weather.faults is None else weather.faults.of_requests.get(number % 10)
    settings: Any = {'max_tokens': dice.randint(1, 24), 'temperature': dice.choice([0.0, 1.0])}
    if weather.faults is not None:
        settings['logit_bias'] = weather.faults.get_logit_bias(fault)
    adapter = dice.choice([None, *weather.adapters])
    if adapter is not None:
        settings[f'{model.settings_prefix}adapter'] = adapter
    is_repeated = number % 4 == 0 and fault is None
    if is_repeated:  # always the same text
        settings |= {'max_tokens': 12, 'temperature': 0.0}
    elif fault == 'nan':
        settings['max_tokens'] = 5
    elif (constraint := dice.choice(CONSTRAINTS)) is not None:
        settings['constraint'] = constraint
    elif (seconds := dice.choice([None, None, dice.random() * 0.5])) is not None:
        settings['timeout'] = 0.001 + seconds
    text = (
        f'number {number}'
        if is_repeated
        else f'{"word " * dice.randint(0, 30)}{number} {"~~~" if fault == "raises" else ""}'
    )
    try:
        with suppress(ModelTimeoutError):
            outcome, response = await _read(model, text, settings, dice)
            assert fault is None or outcome == 'left', (fault, response)
            if is_repeated and outcome != 'left':
                assert texts.setdefault((number, adapter), response) == response
            return outcome
    except ModelAPIError as error:
        if fault is None or error.retryable:
            raise
        return 'failed'
    return 'late'


async def _read(model: Any, text: str, settings: Any, dice: random.Random) -> tuple[str, str]:
    """Return how the response ended, and its text."""
    if dice.random() < 0.5:
        return 'whole', (await model.request(ask(text), settings)).text
    async with model.request_stream(ask(text), settings) as stream:
        async for _ in stream:
            if dice.random() < 0.05:
                return 'left', ''
    return 'streamed', stream.get().text


class Faults:
    """Faults in the forward passes of a loaded model: tokens that raise or have NaN in their logits, and no memory."""

    def __init__(self, model: Any) -> None:
        """Add the faults to the forward pass. They stay: the model is for nothing else."""
        tokenizer = model.engine.loaded.tokenizer
        self._dice = random.Random(7)
        [self._raises], [self._nan] = tokenizer.encode('~'), tokenizer.encode('^')
        self.of_requests = {1: 'raises', 2: 'nan'}
        """The faults that requests cause, by the last digit of their number."""
        self.counts = dict.fromkeys(('raises', 'nan', 'memory'), 0)
        """The number of passes with each fault."""
        inner = model.engine._model
        if hasattr(inner, 'register_forward_pre_hook'):
            inner.register_forward_pre_hook(lambda _, args, inputs: self._check(inputs['input_ids']), with_kwargs=True)
            inner.register_forward_hook(self._break_logits, with_kwargs=True)
        else:
            inner.__class__ = self._make_broken_class(type(inner))

    def get_logit_bias(self, fault: str | None) -> dict[str, float]:
        """Return the setting for a request: with the fault `nan` it generates the token with broken logits after it."""
        return {f'{self._raises}': -1000.0, f'{self._nan}': 1000.0 if fault == 'nan' else -1000.0}

    def _check(self, tokens: Any) -> None:
        """Raise the error of a pass over these tokens, if it has one."""
        if (tokens == self._raises).any():
            self.counts['raises'] += 1
            raise RuntimeError('this prompt raises')
        if tokens.shape[0] > 2 and self._dice.random() < 0.05:
            self.counts['memory'] += 1
            raise MemoryError('out of memory')

    def _break_logits(self, _: Any, args: Any, inputs: Any, output: Any) -> None:
        """Break the logits of the rows with the token for it, in PyTorch."""
        if (rows := (inputs['input_ids'] == self._nan).any(dim=1)).any():
            self.counts['nan'] += 1
            output.logits[rows] = float('nan')

    def _make_broken_class(self, model_class: Any) -> Any:
        """Return a subclass of a class of mlx-lm with these faults."""
        import mlx.core as mx

        faults = self

        class Broken(model_class):  # type: ignore[misc]
            def __call__(self, inputs: Any, *args: Any, **options: Any) -> Any:
                faults._check(inputs)
                logits = super().__call__(inputs, *args, **options)
                rows = (inputs == faults._nan).any(axis=1)
                faults.counts['nan'] += int(rows.any().item())
                return mx.where(rows[:, None, None], float('nan'), logits)

        return Broken


def _resident_mebibytes() -> float:
    pages = int(Path('/proc/self/statm').read_text(encoding='ascii').split()[1]) if Path('/proc').is_dir() else 0
    return pages * os.sysconf('SC_PAGE_SIZE') / 2**20


def save_adapters(engine: Engine, base: Path, folder: Path) -> dict[str, Path]:
    """Save two adapters of a model."""
    save = partial(save_mlx_adapter, keys=['self_attn.q_proj']) if engine.system == 'mlx' else save_adapter
    adapters = {name: folder / f'{engine.system}-{name}' for name in 'ab'}
    for seed, path in enumerate(adapters.values()):
        save(base, path, seed=seed)
    return adapters


async def run(name: str, folder: Path, rounds: int, requests: int) -> None:
    """Run a storm on one engine, with two adapters if it takes them, and print what came of it."""
    engine = ENGINES[name]
    adapters = save_adapters(engine, folder / 'model', folder)
    model = engine.make(folder / 'model', adapters=adapters, max_batch_size=16, max_queue=20)
    await model.load()
    faults = Faults(model)
    begun = perf_counter()
    weather = Weather(rounds=rounds, requests=requests, adapters=[*adapters], faults=faults)
    memory = await storm(model, weather)
    await model.aclose()
    took, mebibytes = perf_counter() - begun, [round(each) for each in memory]
    line = f'{name}: {rounds} x {requests} requests in {took:.0f} s; faults {faults.counts}; MiB per round {mebibytes}'
    print(line, flush=True)  # noqa: T201 -- a program


async def main() -> None:
    rounds, requests = (int(argument) for argument in sys.argv[1:3] or (10, 50))
    logging.getLogger('pydantic_llm.local').setLevel(logging.CRITICAL)
    with TemporaryDirectory() as name:
        tiny.make_random(Path(name) / 'model')
        for engine in ('padded', 'mlx'):
            await run(engine, Path(name), rounds, requests)


if __name__ == '__main__':
    asyncio.run(main())
