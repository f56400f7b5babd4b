"""Prompts that begin with equal tokens share what was read of them, and generate what they generate alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import ModelMessage, ModelRequest, ModelResponse, SystemPromptPart, UserPromptPart
from pydantic_llm.models.local.prefix_cache import BLOCK_TOKENS, PrefixCache
from pydantic_llm.models.transformers.paged import PAGE_TOKENS
from tests.local import tiny
from tests.local.adapters import save_adapter
from tests.local.engines import Engine, ask, load_with_transformers, on
from tests.local.storm import until
from tests.local.test_company import make_family
from tests.local.test_rope import MODELS, make_model

SYSTEM = 'You know the rivers and the lakes of every country of the world, and their fish. ' * 2
QUESTIONS = ('Where?', 'And how many fish are there in all of the lakes together?', 'x', 'Name three of the rivers.')
BLOCK_BYTES = 100


def converse(question: str, *more: ModelMessage) -> list[ModelMessage]:
    return [ModelRequest([SystemPromptPart(SYSTEM), UserPromptPart(question)]), *more]


# ---------------------------------------------------------------------- the cache


def fill(cache: PrefixCache, tokens: Sequence[int], namespace: Any = None) -> list[tuple[int, int]]:
    """Add tokens. Return what was copied: a block's data are its tokens."""
    copied: list[tuple[int, int]] = []

    def copy(begin: int, end: int) -> list[Any]:
        copied.append((begin, end))
        return [list(tokens[place : place + BLOCK_TOKENS]) for place in range(begin, end, BLOCK_TOKENS)]

    cache.add(tokens, BLOCK_BYTES, copy, namespace)
    return copied


def read(cache: PrefixCache, tokens: Sequence[int], namespace: Any = None) -> list[int]:
    """Return the tokens that the cache knows of a prompt."""
    return [token for block in cache.find(tokens, namespace).blocks for token in block]


async def test_the_longest_known_prefix_is_found_but_for_the_last_token() -> None:
    cache = PrefixCache(10**6)
    tokens = [*range(40)]
    assert fill(cache, tokens) == [(0, 32)]
    assert read(cache, tokens) == tokens[:32]
    assert read(cache, tokens[:33]) == tokens[:32]
    assert read(cache, tokens[:32]) == tokens[:16]
    assert read(cache, [*tokens[:20], 99, *tokens[21:]]) == tokens[:16]
    assert read(cache, [99, *tokens]) == []
    assert fill(cache, [*tokens, *range(20)]) == [(32, 48)]


async def test_a_namespace_never_serves_another_one() -> None:
    cache = PrefixCache(10**6)
    fill(cache, [*range(40)], 'adapter')
    assert read(cache, [*range(40)]) == read(cache, [*range(40)], 'other') == []
    assert read(cache, [*range(40)], 'adapter') == [*range(32)]
    numbered = cache.find([*range(40)], 0)  # no block has this number as the one before it
    assert not numbered.blocks


async def test_the_memory_is_bounded_and_the_least_used_block_goes_first() -> None:
    cache = PrefixCache(4 * BLOCK_BYTES)
    first, second, third = [*range(33)], [*range(100, 133)], [*range(200, 233)]
    fill(cache, first)
    fill(cache, second)
    assert read(cache, first) == first[:32]
    fill(cache, third)
    assert cache.bytes == 4 * BLOCK_BYTES
    assert (read(cache, second), read(cache, first), read(cache, third)) == ([], first[:32], third[:32])
    fill(cache, [*range(300, 317)])  # one block, instead of the second one of `first`
    assert (read(cache, first), read(cache, third)) == (first[:16], third[:32])


async def test_a_prompt_longer_than_the_cache_keeps_its_beginning() -> None:
    cache = PrefixCache(2 * BLOCK_BYTES + 1)
    fill(cache, [*range(100)])
    assert read(cache, [*range(100)]) == [*range(32)]
    assert cache.bytes == 2 * BLOCK_BYTES
    tiny = PrefixCache(BLOCK_BYTES - 1)
    assert fill(tiny, [*range(100)]) == []
    assert tiny.bytes == 0


async def test_prompts_that_share_their_next_block_know_it() -> None:
    cache = PrefixCache(10**6)
    fill(cache, [*range(16)])
    one, other = [*range(16), *range(50, 90)], [*range(16), *range(50, 66), 7, 8]
    assert cache.find(one).next_key == cache.find(other).next_key is not None
    assert cache.find([*range(50, 90)]).next_key != cache.find(one).next_key
    assert cache.find(one[:32]).next_key is None  # the last token is read in any case


async def test_a_cache_that_shrinks_is_empty_and_keeps_half_as_much() -> None:
    cache = PrefixCache(10**6)
    assert not cache.shrink()
    fill(cache, [*range(64)])
    assert cache.shrink()
    assert (cache.bytes, cache.max_bytes) == (0, 2 * BLOCK_BYTES)


# ---------------------------------------------------------------------- Transformers


def cached(responses: Sequence[ModelResponse]) -> list[int]:
    return [response.usage.cache_read_tokens for response in responses]


async def ask_all(model: Any, tokens: int = 10) -> list[ModelResponse]:
    settings: Any = {'max_tokens': tokens}
    return [*await asyncio.gather(*(model.request(converse(question), settings) for question in QUESTIONS))]


FAMILIES = ('llama', 'gemma2', 'gemma3', 'gpt2', 'phi3', 'mpt', 'deepseek_v3', 'falcon', 'opt')
STATEFUL = ('mamba', 'recurrent_gemma')


@on('padded')
@pytest.mark.parametrize('name', FAMILIES)
async def test_a_shared_prefix_does_not_change_the_text(
    make: Callable[..., Any], engine: Engine, tmp_path: Path, name: str
) -> None:
    path = make_family(tmp_path, name)
    prompts = [SYSTEM + question for question in QUESTIONS]
    expected = engine.expected(path, prompts, 10)
    model = make(path)
    for number in range(2):  # nothing is known, then all
        responses = await asyncio.gather(*(model.request(ask(prompt), {'max_tokens': 10}) for prompt in prompts))
        assert [response.text or '' for response in responses] == expected
        assert cached(responses)[0] > 0 or not number
        assert min(cached(responses)[1:]) >= 2 * BLOCK_TOKENS


@on('padded')
@pytest.mark.parametrize('name', STATEFUL)
async def test_a_model_that_keeps_a_state_reads_each_prompt_whole(
    make: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level('INFO', 'pydantic_llm.local')
    model = make(make_family(tmp_path, name))
    assert cached([*await ask_all(model, 2), *await ask_all(model, 2)]) == [0] * 2 * len(QUESTIONS)
    assert 'reads each prompt whole' in caplog.text


@on('padded', 'paged', 'mlx')
async def test_many_prompts_at_once_share_their_prefix(make: Callable[..., Any], engine: Engine) -> None:
    model = make(max_batch_size=64, max_new_tokens=2)
    responses = await asyncio.gather(*(model.request(converse(f'q{number}')) for number in range(64)))
    counts = sorted(cached(responses))
    # The library's scheduler fills its first pass with prompts whose prefix it does not know yet.
    readers = 1 if engine.options.get('batching') != 'paged' else 512 // responses[0].usage.input_tokens + 2
    assert counts[0] == 0
    assert counts[readers] > responses[0].usage.input_tokens - 2 * PAGE_TOKENS


@on('padded', 'paged', 'mlx')
async def test_without_a_cache_each_prompt_is_read(make: Callable[..., Any]) -> None:
    model = make(prefix_cache_bytes=0)
    assert cached([*await ask_all(model, 2), *await ask_all(model, 2)]) == [0] * 2 * len(QUESTIONS)


@on('padded', 'mlx')
@pytest.mark.parametrize('prefill_tokens', [512, 24])
async def test_the_next_turn_does_not_read_the_first_one_again(make: Callable[..., Any], prefill_tokens: int) -> None:
    texts: list[tuple[str | None, str | None]] = []
    for model in (make(prefix_cache_bytes=0), make(prefill_tokens=prefill_tokens)):
        first = await model.request(converse('Where?'), {'max_tokens': 40})
        next_turn = converse('Where?', first, ModelRequest.user_text_prompt('And then?'))
        second = await model.request(next_turn, {'max_tokens': 10})
        texts.append((first.text, second.text))
    assert texts[0] == texts[1]
    # At least the prompt: the tokenizer may split the text of a random response into other tokens than the model did.
    assert second.usage.cache_read_tokens > first.usage.input_tokens - BLOCK_TOKENS


@on('padded', 'mlx')
async def test_a_cancelled_response_leaves_what_it_read(make: Callable[..., Any]) -> None:
    model = make()
    async with model.request_stream(converse('Where?'), {'max_tokens': 500}) as stream:
        async for _ in stream:
            break
    await until(lambda: not model.engine.counts.active)
    [again] = cached([await model.request(converse('Where?'), {'max_tokens': 2})])
    assert again > stream.get().usage.input_tokens - 2 * BLOCK_TOKENS


@on('padded', 'mlx')
async def test_prompts_that_join_with_a_prefix_do_not_change_the_text(make: Callable[..., Any]) -> None:
    whole, model = make(prefix_cache_bytes=0), make(prefill_tokens=32)
    expected = [one.text for one in await ask_all(whole, 30)]

    async def ask_late(number: int, question: str) -> str | None:
        await until(lambda: model.engine.counts.active >= min(1, number))
        await asyncio.sleep(0.004 * number)
        return (await model.request(converse(question), {'max_tokens': 30})).text

    for _ in range(3):
        texts = await asyncio.gather(*(ask_late(*each) for each in enumerate(QUESTIONS)))
        assert [*texts] == expected


@on('padded')
@pytest.mark.parametrize('name', MODELS)
async def test_a_prefix_is_not_shared_by_rows_with_other_frequencies(
    make: Callable[..., Any], engine: Engine, tmp_path: Path, name: str
) -> None:
    path = make_model(tmp_path, name)
    prompts = [SYSTEM[:40], SYSTEM, SYSTEM[:40] + 'and', SYSTEM + 'and']  # below and above the limit, in turns
    expected = engine.expected(path, prompts, 40)
    model = make(path)
    for _ in range(2):
        texts = [(await model.request(ask(prompt), {'max_tokens': 40})).text or '' for prompt in prompts]
        assert texts == expected
    together = await asyncio.gather(*(model.request(ask(prompt), {'max_tokens': 40}) for prompt in prompts))
    assert [response.text or '' for response in together] == expected


@on('padded')
async def test_a_prefix_is_not_shared_by_adapters(make: Callable[..., Any], random_path: Path, tmp_path: Path) -> None:
    prompts = [SYSTEM + question for question in QUESTIONS[:2]]
    expected = save_adapter(random_path, tmp_path / 'a', *prompts)
    plain = [tiny.generate(*load_with_transformers(random_path), prompt, 12) for prompt in prompts]
    model = make(adapters={'a': tmp_path / 'a'})
    settings: Any = {'max_tokens': 12}
    for _ in range(2):
        for adapter, texts in ((None, plain), ('a', expected)):
            named = settings if adapter is None else {**settings, 'transformers_adapter': adapter}
            responses = [await model.request(ask(prompt), named) for prompt in prompts]
            assert [response.text for response in responses] == texts
            assert cached(responses)[1] > BLOCK_TOKENS
    assert plain != expected


@on('padded')
async def test_the_cache_stays_within_its_memory(make: Callable[..., Any]) -> None:
    model = make(prefix_cache_bytes=200_000, max_new_tokens=4)
    for number in range(12):
        await model.request(ask(f'{number} ' * 60))
        assert 0 < model.engine._prefix_cache.bytes <= 200_000
        assert (
            sum(
                tensor.untyped_storage().nbytes()
                for block in model.engine._prefix_cache._blocks.values()
                for tensor in block.data
            )
            == model.engine._prefix_cache.bytes
        )


@on('padded')
async def test_memory_that_runs_out_drops_blocks_and_no_request(
    make: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    model = make()
    expected = [one.text for one in await ask_all(model)]
    cache = model.engine._prefix_cache
    before = cache.bytes

    def fail(module: Any, args: Any) -> None:
        if cache.bytes:
            raise torch.OutOfMemoryError('CUDA out of memory')

    hook = model.engine._model.register_forward_pre_hook(fail)
    texts = [one.text for one in await ask_all(model)]
    hook.remove()
    assert texts == expected
    assert 0 < cache.max_bytes < before
    assert 'responses at once, after an error' not in caplog.text


@on('padded')
async def test_an_invalid_size_is_refused(make: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match='prefix_cache_bytes is -1: give a whole number from 0'):
        make(prefix_cache_bytes=-1)
