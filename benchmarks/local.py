"""Compares the Transformers engine with its peers, in tokens per second and time to first token: `make bench-local`.

All handle the same requests with the same weights, in turns, in this run: `TransformersModel` (with and without
streaming, both kinds of batching), the library alone with its continuous batching, `generate` alone with one request at
a time, and smolagents' `TransformersModel`, which handles one request at a time. The library alone receives and returns
tokens; the models receive messages and return text.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import tempfile
import warnings
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
import transformers

from benchmarks import prefixes
from pydantic_llm.messages import ModelMessage, ModelRequest
from pydantic_llm.models.transformers import TransformersModel
from tests.local import tiny

REQUESTS = 32
TOKENS = 64
ROUNDS = 5
FIRST_TOKENS = 30
"""The number of measurements of the time to the first token."""

MODELS = {'0.16M parameters': (64, 2), '2.5M parameters': (256, 4)}
"""Hidden size and number of layers, by title."""

Way = Callable[[int], Awaitable[int]]
"""Handles all requests of a round and returns the number of generated tokens."""


def make_questions(round_: int) -> list[str]:
    """Return questions that begin in different ways, also from those of other rounds, so that they share no prefix."""
    return [f'{round_ * REQUESTS + number} is the number of my story.' for number in range(REQUESTS)]


def make_messages(question: str) -> list[ModelMessage]:
    return [ModelRequest.user_text_prompt(question)]


class Bare:
    """The library alone, without an engine around it."""

    def __init__(self, path: Path) -> None:
        self.model: Any = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(path)

    def make_prompts(self, round_: int) -> list[list[int]]:
        tokenizer = self._tokenizer
        return [
            tokenizer(
                tokenizer.apply_chat_template(
                    [{'role': 'user', 'content': question}], add_generation_prompt=True, tokenize=False
                )
            )['input_ids']
            for question in make_questions(round_)
        ]

    def generate(self, prompt: list[int], tokens: int) -> int:
        ids = torch.tensor([prompt])
        output = self.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False, pad_token_id=0
        )
        return int(output.shape[1] - ids.shape[1])

    async def sequential(self, round_: int) -> int:
        return sum(self.generate(prompt, TOKENS) for prompt in self.make_prompts(round_))

    def continuous(self, path: Path) -> tuple[Way, Callable[[], None]]:
        """Start the library's continuous batching. Return the way to use it and the function that stops it."""
        manager = prefixes.start_continuous(path, TOKENS)

        async def serve(round_: int) -> int:
            manager.add_requests(self.make_prompts(round_), max_new_tokens=TOKENS)
            written, finished = 0, 0
            while finished < REQUESTS:
                output = manager.get_result(timeout=60)
                if output is not None and output.is_finished():
                    finished += 1
                    written += len(output.generated_tokens)
            return written

        return serve, lambda: manager.stop(block=True, timeout=10)


def make_model(path: Path, batching: Any, *, stream: bool) -> tuple[TransformersModel, Way]:
    model = TransformersModel(path, batching=batching, max_new_tokens=TOKENS, torch_dtype='float32')

    async def request(question: str) -> int:
        if not stream:
            return (await model.request(make_messages(question))).usage.output_tokens
        async with model.request_stream(make_messages(question)) as response:
            async for _ in response:
                pass
            return response.usage().output_tokens

    async def serve(round_: int) -> int:
        return sum(await asyncio.gather(*map(request, make_questions(round_))))

    return model, serve


def smolagents(path: Path) -> Way:
    """Return the way that uses smolagents' model of the same name."""
    import smolagents as peer

    model = peer.TransformersModel(str(path), device_map='cpu', torch_dtype='float32', max_new_tokens=TOKENS)

    async def serve(round_: int) -> int:
        questions = make_questions(round_)
        prompts = ({'role': 'user', 'content': [{'type': 'text', 'text': question}]} for question in questions)
        return sum(model.generate([prompt]).token_usage.output_tokens for prompt in prompts)

    return serve


async def compare(path: Path) -> Iterator[str]:
    """Handle the requests in each way, in turns, and yield a line for each."""
    bare = Bare(path)
    models: list[TransformersModel] = []
    ways: dict[str, Way] = {"smolagents' TransformersModel": smolagents(path), 'bare generate': bare.sequential}
    ways['bare continuous batching'], stop = bare.continuous(path)
    for batching, stream in (('padded', False), ('padded', True), ('paged', False), ('paged', True)):
        model, way = make_model(path, batching, stream=stream)
        models.append(model)
        ways[f'TransformersModel, {batching}, {"streamed" if stream else "whole"}'] = way
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(ROUNDS + 1):
        for name, way in ways.items():
            gc.collect()
            started = perf_counter()
            written = await way(round_)
            seconds = perf_counter() - started
            assert written == REQUESTS * TOKENS, (name, written)
            if round_:  # the first round loads the models and warms up
                speeds[name].append(written / seconds)
    lines = [
        *_format_speeds(speeds),
        *await _compare_first_tokens(bare, models[0], 'padded'),
        *await _compare_first_tokens(bare, models[2], 'paged'),
    ]
    stop()
    for model in models:
        await model.aclose()
    return iter(lines)


def _format_speeds(speeds: dict[str, list[float]]) -> Iterator[str]:
    peer, _, continuous = list(speeds)[:3]
    for name, measured in speeds.items():
        line = f'{name}: {median(measured):,.0f} tokens per second'
        if name.startswith('TransformersModel'):
            line += f', {_format_ratio(measured, speeds[peer])} times smolagents'
            line += f', {_format_ratio(measured, speeds[continuous])} of {continuous}'
        yield line


def _format_ratio(ours: list[float], theirs: list[float]) -> str:
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return f'{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})'


async def _compare_first_tokens(bare: Bare, model: TransformersModel, batching: str) -> list[str]:
    """Compare the time to the first token of a single request with `generate` of one token, in turns."""
    theirs: list[float] = []
    own: list[float] = []
    for number in range(FIRST_TOKENS + 1):
        [prompt, *_], [question, *_] = bare.make_prompts(-1 - number), make_questions(-1 - number)
        started = perf_counter()
        bare.generate(prompt, 1)
        between = perf_counter()
        async with model.request_stream(make_messages(question)) as response:
            async for _ in response:
                break
            ended = perf_counter()
        if number:
            theirs.append(between - started)
            own.append(ended - between)
    ratio = median(a / b for a, b in zip(own, theirs, strict=True))
    bare_time = f"bare generate's {median(theirs) * 1000:.1f} ms"
    return [f'first token of a single request, {batching}: {median(own) * 1000:.1f} ms, {ratio:.2f} of {bare_time}']


def main() -> None:
    """Compare the ways with each model."""
    warnings.filterwarnings('ignore')
    transformers.logging.set_verbosity_error()
    logging.getLogger('ContinuousBatchingLogger').setLevel(logging.ERROR)
    torch.set_num_threads(1)
    for title in sys.argv[1:] or MODELS:
        hidden, layers = MODELS[title]
        with tempfile.TemporaryDirectory() as folder:
            path = tiny.make_random(Path(folder), hidden=hidden, layers=layers, ends=False)
            print(f'\n{title}, {REQUESTS} requests of {TOKENS} tokens')
            for line in asyncio.run(compare(path)):
                print(f'  {line}', flush=True)
            print(f'{title}, {prefixes.REQUESTS} requests of {prefixes.TOKENS} tokens, a shared prefix')
            for line in asyncio.run(prefixes.compare(path)):
                print(f'  {line}', flush=True)


if __name__ == '__main__':
    main()
