"""Tokens per second and time to the first token of Transformers' engine, beside its peers: `make bench-local`.

All serve the same requests with the same weights, in turns, in this run: the engine through `TransformersModel` (whole
and streamed, both ways of batching), the bare library with its own continuous batching, bare `generate` one request at
a time, and smolagents' `TransformersModel`, which can serve but one at a time. The bare library is given ready tokens
and gives tokens back; the models are given messages and give text.
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

from pydantic_llm.messages import ModelMessage, ModelRequest
from pydantic_llm.models.transformers import TransformersModel
from tests.local import tiny

REQUESTS = 32
TOKENS = 64
ROUNDS = 5
FIRST_TOKENS = 30
"""How often the time to the first token is measured."""

MODELS = {'0.16M parameters': (64, 2), '2.5M parameters': (256, 4)}
"""Hidden size and layers."""

QUESTIONS = [f'Tell me a story about the number {number}.' for number in range(REQUESTS)]

Way = Callable[[], Awaitable[int]]
"""Serves all requests; gives how many tokens were written."""


def messages(question: str) -> list[ModelMessage]:
    return [ModelRequest.user_text_prompt(question)]


class Bare:
    """The library by itself."""

    def __init__(self, path: Path) -> None:
        self.model: Any = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(path)
        self.prompts = [
            tokenizer(
                tokenizer.apply_chat_template(
                    [{'role': 'user', 'content': question}], add_generation_prompt=True, tokenize=False
                )
            )['input_ids']
            for question in QUESTIONS
        ]

    def generate(self, prompt: list[int], tokens: int) -> int:
        ids = torch.tensor([prompt])
        output = self.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False, pad_token_id=0
        )
        return int(output.shape[1] - ids.shape[1])

    async def sequential(self) -> int:
        return sum(self.generate(prompt, TOKENS) for prompt in self.prompts)

    def continuous(self, path: Path) -> tuple[Way, Callable[[], None]]:
        """The library's continuous batching, and how to end it."""
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
        manager = model.init_continuous_batching(
            generation_config=transformers.GenerationConfig(
                max_new_tokens=TOKENS, do_sample=False, eos_token_id=-1, pad_token_id=0
            ),
            continuous_batching_config=transformers.ContinuousBatchingConfig(
                num_blocks=256, max_batch_tokens=512, use_cuda_graph=False
            ),
        )
        manager.start()

        async def serve() -> int:
            manager.add_requests(self.prompts, max_new_tokens=TOKENS)
            written, finished = 0, 0
            while finished < REQUESTS:
                output = manager.get_result(timeout=60)
                if output is not None and output.is_finished():
                    finished += 1
                    written += len(output.generated_tokens)
            return written

        return serve, lambda: manager.stop(block=True, timeout=10)


def ours(path: Path, batching: Any, *, stream: bool) -> tuple[TransformersModel, Way]:
    model = TransformersModel(path, batching=batching, max_new_tokens=TOKENS, torch_dtype='float32')

    async def one(question: str) -> int:
        if not stream:
            return (await model.request(messages(question))).usage.output_tokens
        async with model.request_stream(messages(question)) as answer:
            async for _ in answer:
                pass
            return answer.usage().output_tokens

    async def serve() -> int:
        return sum(await asyncio.gather(*map(one, QUESTIONS)))

    return model, serve


def smolagents(path: Path) -> Way:
    """Smolagents' model of the same name."""
    import smolagents as peer

    model = peer.TransformersModel(str(path), device_map='cpu', torch_dtype='float32', max_new_tokens=TOKENS)

    async def serve() -> int:
        asked = ({'role': 'user', 'content': [{'type': 'text', 'text': question}]} for question in QUESTIONS)
        return sum(model.generate([one]).token_usage.output_tokens for one in asked)

    return serve


async def compare(path: Path) -> Iterator[str]:
    """Serve the requests in each way, in turns."""
    bare = Bare(path)
    models: list[TransformersModel] = []
    ways: dict[str, Way] = {"smolagents' TransformersModel": smolagents(path), 'bare generate': bare.sequential}
    ways['bare continuous batching'], end = bare.continuous(path)
    for batching, stream in (('padded', False), ('padded', True), ('paged', False), ('paged', True)):
        model, way = ours(path, batching, stream=stream)
        models.append(model)
        ways[f'TransformersModel, {batching}, {"streamed" if stream else "whole"}'] = way
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(ROUNDS + 1):
        for name, way in ways.items():
            gc.collect()
            begun = perf_counter()
            written = await way()
            seconds = perf_counter() - begun
            assert written == REQUESTS * TOKENS, (name, written)
            if round_:  # the first one loads and warms up
                speeds[name].append(written / seconds)
    lines = [
        *_speeds(speeds),
        *await _first_tokens(bare, models[0], 'padded'),
        *await _first_tokens(bare, models[2], 'paged'),
    ]
    end()
    for model in models:
        await model.aclose()
    return iter(lines)


def _speeds(speeds: dict[str, list[float]]) -> Iterator[str]:
    peer, _, continuous = list(speeds)[:3]
    for name, found in speeds.items():
        line = f'{name}: {median(found):,.0f} tokens per second'
        if name.startswith('TransformersModel'):
            line += (
                f', {_ratio(found, speeds[peer])} times smolagents, {_ratio(found, speeds[continuous])} of {continuous}'
            )
        yield line


def _ratio(ours: list[float], theirs: list[float]) -> str:
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return f'{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})'


async def _first_tokens(bare: Bare, model: TransformersModel, batching: str) -> list[str]:
    """The time to the first token of a lone request, in turns with bare `generate` of one token."""
    theirs: list[float] = []
    own: list[float] = []
    for number in range(FIRST_TOKENS + 1):
        begun = perf_counter()
        bare.generate(bare.prompts[0], 1)
        between = perf_counter()
        async with model.request_stream(messages(QUESTIONS[0])) as answer:
            async for _ in answer:
                break
            ended = perf_counter()
        if number:
            theirs.append(between - begun)
            own.append(ended - between)
    ratio = median(a / b for a, b in zip(own, theirs, strict=True))
    bare_one = f"bare generate's {median(theirs) * 1000:.1f} ms"
    return [f'first token of a lone request, {batching}: {median(own) * 1000:.1f} ms, {ratio:.2f} of {bare_one}']


def main() -> None:
    """Compare with each model."""
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


if __name__ == '__main__':
    main()
