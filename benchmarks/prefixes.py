"""Compares engines on requests that share a prefix: many short questions after one long system prompt.

Each round has a system prompt of its own, so that no engine knows it from the round before. Run by `local`.
"""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
import transformers

from pydantic_llm.messages import ModelMessage, ModelRequest, SystemPromptPart, UserPromptPart
from pydantic_llm.models.transformers import TransformersModel

REQUESTS = 64
TOKENS = 32
PREFIX_TOKENS = 400
ROUNDS = 3
SEQUENTIAL = 8
"""The number of requests from which the time of all is computed, for a way with one request at a time."""
TICK = 0.001
"""The time between two looks at the clock of the event loop, in seconds."""


@dataclass(frozen=True)
class Result:
    """One round of one way."""

    seconds: float
    first_token: float
    """The median time to the first token of a request, in seconds."""
    stall: float = 0.0
    """The longest delay of the event loop, in seconds; 0 for a way without one."""


Way = Callable[[str, Sequence[str]], Awaitable[Result]]
"""Handles questions after a system prompt."""


def make_system(tokenizer: Any, number: int) -> str:
    """Return a text of about `PREFIX_TOKENS` tokens, another one for each number."""
    dice = random.Random(number)
    text = ''
    while len(tokenizer(text)['input_ids']) < PREFIX_TOKENS:
        text += (
            f'{dice.choice(("Say hi.", "Where is Oslo?", "Weather in Oslo?", "It is rainy."))} {dice.randint(0, 999)} '
        )
    return text


def make_messages(system: str, question: str) -> list[ModelMessage]:
    return [ModelRequest([SystemPromptPart(system), UserPromptPart(question)])]


async def watch_loop(stalls: list[float]) -> None:
    """Record by how much the event loop is late, until cancelled."""
    while True:
        begun = perf_counter()
        await asyncio.sleep(TICK)
        stalls.append(perf_counter() - begun - TICK)


def make_own_way(model: TransformersModel) -> Way:
    async def ask(system: str, question: str) -> float:
        begun, first = perf_counter(), 0.0
        async with model.request_stream(make_messages(system, question)) as response:
            async for _ in response:
                first = first or perf_counter() - begun
        assert response.usage().output_tokens == TOKENS
        return first

    async def serve(system: str, questions: Sequence[str]) -> Result:
        stalls: list[float] = []
        watching = asyncio.create_task(watch_loop(stalls))
        begun = perf_counter()
        first = await asyncio.gather(*(ask(system, question) for question in questions))
        seconds = perf_counter() - begun
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        return Result(seconds, median(first), max(stalls))

    return serve


def start_continuous(path: Path, max_new_tokens: int) -> Any:
    """Start the library's continuous batching, and return its manager."""
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
    manager = model.init_continuous_batching(
        generation_config=transformers.GenerationConfig(
            max_new_tokens=max_new_tokens, do_sample=False, eos_token_id=-1, pad_token_id=0
        ),
        continuous_batching_config=transformers.ContinuousBatchingConfig(
            num_blocks=256, max_batch_tokens=512, use_cuda_graph=False
        ),
    )
    manager.start()
    return manager


def make_continuous_way(path: Path, tokenizer: Any) -> tuple[Way, Callable[[], None]]:
    """Return the library's continuous batching, and the function that stops it."""
    manager = start_continuous(path, TOKENS)

    async def serve(system: str, questions: Sequence[str]) -> Result:
        prompts = [encode(tokenizer, system, question) for question in questions]
        begun, first, ends = perf_counter(), dict[str, float](), 0
        manager.add_requests(prompts, max_new_tokens=TOKENS, streaming=True)
        while ends < len(prompts):
            output = manager.get_result(timeout=60)
            if output is not None:
                first.setdefault(output.request_id, perf_counter() - begun)
                ends += output.is_finished()
        return Result(perf_counter() - begun, median(first.values()))

    return serve, lambda: manager.stop(block=True, timeout=10)


def make_smolagents_way(path: Path) -> Way:
    """Return the way of smolagents' model. One at a time, the middle request begins after half of the time."""
    import smolagents as peer

    model = peer.TransformersModel(str(path), device_map='cpu', torch_dtype='float32', max_new_tokens=TOKENS)

    async def serve(system: str, questions: Sequence[str]) -> Result:
        begun, asked = perf_counter(), questions[:SEQUENTIAL]
        for question in asked:
            texts = {'system': system, 'user': question}
            model.generate(
                [{'role': role, 'content': [{'type': 'text', 'text': text}]} for role, text in texts.items()]
            )
        seconds = (perf_counter() - begun) * len(questions) / len(asked)
        return Result(seconds, seconds / 2)

    return serve


def encode(tokenizer: Any, system: str, question: str) -> list[int]:
    messages = [{'role': 'system', 'content': system}, {'role': 'user', 'content': question}]
    tokens: list[int] = tokenizer(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))[
        'input_ids'
    ]
    return tokens


async def compare(path: Path) -> list[str]:
    """Handle the requests in each way, in turns, and return a line for each."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    models: list[TransformersModel] = []
    ways: dict[str, Way] = {}
    for name, options in (
        ('padded, with the prefix cache', {'batching': 'padded'}),
        ('padded, without', {'batching': 'padded', 'prefix_cache_bytes': 0}),
        ('paged, with shared pages', {'batching': 'paged'}),
    ):
        models.append(
            TransformersModel(path, max_new_tokens=TOKENS, torch_dtype='float32', max_batch_size=REQUESTS, **options)
        )
        ways[name] = make_own_way(models[-1])
    with suppress(ImportError):
        ways['smolagents, one at a time'] = make_smolagents_way(path)
    ways['bare continuous batching'], stop = make_continuous_way(path, tokenizer)
    results: dict[str, list[Result]] = {name: [] for name in ways}
    for number in range(ROUNDS + 1):
        system = make_system(tokenizer, number)
        questions = [f'{number} {question}?' for question in range(REQUESTS)]
        for name, way in ways.items():
            gc.collect()
            result = await way(system, questions)
            if number:  # the first round loads the models and warms up
                results[name].append(result)
    stop()
    for model in models:
        await model.aclose()
    return format_results(results)


def format_results(results: dict[str, list[Result]]) -> list[str]:
    """Return a line for each way: the medians, and the ratios to the way without the cache."""
    without = results['padded, without']
    lines: list[str] = []
    for name, measured in results.items():
        speed = REQUESTS * TOKENS / median(one.seconds for one in measured)
        first = median(one.first_token for one in measured) * 1000
        faster = median(other.seconds / one.seconds for one, other in zip(measured, without, strict=True))
        sooner = median(other.first_token / one.first_token for one, other in zip(measured, without, strict=True))
        line = f'{name}: {speed:,.0f} tokens per second, {faster:.2f} times those without'
        line += f'; first token after {first:.0f} ms, {sooner:.2f} times as soon'
        if stall := max(one.stall for one in measured):
            line += f'; longest stall of the event loop {stall * 1000:.1f} ms'
        lines.append(line)
    return lines
