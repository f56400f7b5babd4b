"""A failed step of an engine harms only the requests at fault: errors, missing memory, NaN, and what is freed."""

from __future__ import annotations

import asyncio
import gc
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from pydantic_llm.constraints import Regex
from pydantic_llm.exceptions import ModelAPIError
from tests.local.engines import ask, load_with_transformers, on

BAD_TOKEN = 77
"""The token that fails the forward pass of the models here."""

SETTINGS: Sequence[Any] = (
    {'max_tokens': 12},
    {'max_tokens': 12, 'temperature': 1.0, 'seed': 3},
    {'max_tokens': 12, 'constraint': Regex('[a-c]{30}')},
    {'max_tokens': 12, 'presence_penalty': 1.0, 'frequency_penalty': 0.5},
)
"""Responses whose next token depends on the earlier ones in each of the ways that there are."""


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Call a function with the tokens of each forward pass of a loaded model, of whichever library."""

    def watch(model: Any, check: Callable[[list[int]], None]) -> None:
        if model.system == 'llamacpp-local':
            import llama_cpp

            decode = llama_cpp.llama_decode

            def decode_checked(context: Any, batch: Any) -> Any:
                check(batch.token[: batch.n_tokens])
                return decode(context, batch)

            monkeypatch.setattr(llama_cpp, 'llama_decode', decode_checked)
            return
        inner = model.engine._model
        if hasattr(inner, 'register_forward_pre_hook'):

            def hook(_: Any, args: Any, kwargs: Any) -> None:
                check(kwargs['input_ids'].flatten().tolist())

            inner.register_forward_pre_hook(hook, with_kwargs=True)
            return
        forward = type(inner).__call__

        def call(self: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            check(inputs.flatten().tolist())
            return forward(self, inputs, *args, **kwargs)

        monkeypatch.setattr(type(inner), '__call__', call)

    return watch


def fail_on_bad_token(tokens: list[int]) -> None:
    if BAD_TOKEN in tokens:
        raise RuntimeError('bad token')


def break_weight(weight: Any) -> Any:
    """Return the weight, of either library, with every number replaced by NaN."""
    if isinstance(weight, torch.Tensor):
        return torch.nn.Parameter(weight * math.nan)
    import mlx.core as mx

    broken = weight * math.nan
    mx.eval(broken)  # in this thread, to which MLX binds the computation
    return broken


async def ask_all(model: Any, *more: Any) -> tuple[list[str], list[Any]]:
    """Return the texts of the responses with `SETTINGS`, and the outcomes of `more`, all at once."""
    names = {'repetition_penalty': f'{model.settings_prefix}repetition_penalty'}
    named: list[Any] = [{names.get(name, name): value for name, value in each.items()} for each in SETTINGS]
    outcomes = await asyncio.gather(
        *(model.request(ask(f'question {number}'), each) for number, each in enumerate(named)),
        *more,
        return_exceptions=True,
    )
    for outcome in outcomes[: len(SETTINGS)]:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome.text for outcome in outcomes[: len(SETTINGS)]], outcomes[len(SETTINGS) :]


@on('padded', 'paged', 'mlx', 'llamacpp')
async def test_a_prompt_that_fails_leaves_the_other_responses_as_they_are(
    make: Callable[..., Any], watch: Callable[..., None], random_path: Path
) -> None:
    model = make()
    expected, _ = await ask_all(model)
    watch(model, fail_on_bad_token)
    bad = load_with_transformers(random_path)[1].decode([BAD_TOKEN] * 3)
    texts, [error] = await ask_all(model, model.request(ask(bad)))
    assert texts == expected
    assert isinstance(error, ModelAPIError)
    assert not error.retryable
    assert 'RuntimeError: bad token' in f'{error}'


@on('padded', 'paged', 'mlx', 'llamacpp')
async def test_a_response_that_fails_half_way_leaves_the_others_as_they_are(
    make: Callable[..., Any], watch: Callable[..., None]
) -> None:
    model = make()
    expected, _ = await ask_all(model)
    watch(model, fail_on_bad_token)
    forced = {'logit_bias': {f'{BAD_TOKEN}': 1000.0}, 'max_tokens': 9}
    texts, errors = await ask_all(model, *(model.request(ask(), forced) for _ in range(2)))
    assert texts == expected
    assert [(type(error), error.retryable) for error in errors] == [(ModelAPIError, False)] * 2


@on('padded', 'paged', 'mlx')
async def test_requests_that_all_fail_leave_those_in_the_queue_as_they_are(
    make: Callable[..., Any], watch: Callable[..., None], random_path: Path
) -> None:
    model = make(max_batch_size=2)
    await model.load()
    watch(model, fail_on_bad_token)
    bad = load_with_transformers(random_path)[1].decode([BAD_TOKEN] * 3)
    prompts = [bad, bad, 'good', 'good too', bad, 'better']
    outcomes: list[Any] = await asyncio.gather(
        *(model.request(ask(prompt), {'max_tokens': 4}) for prompt in prompts), return_exceptions=True
    )
    errors = [outcomes.pop(4), outcomes.pop(1), outcomes.pop(0)]
    assert [(type(error), error.retryable) for error in errors] == [(ModelAPIError, False)] * 3
    assert [outcome.usage.output_tokens for outcome in outcomes] == [4] * 3


@on('padded', 'mlx')
async def test_a_step_that_fails_once_changes_no_constrained_response(
    make: Callable[..., Any], watch: Callable[..., None]
) -> None:
    model = make()
    settings: Any = {'max_tokens': 20, 'constraint': Regex('[a-c]{9}')}
    expected = [(await model.request(ask(prompt), settings)).text for prompt in ('one', 'two')]
    left = 0

    def fail_once(_: list[int]) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise RuntimeError('a step fails')

    watch(model, fail_once)
    for number in (1, 2, 3, 4, 5):
        left = number
        responses = await asyncio.gather(*(model.request(ask(prompt), settings) for prompt in ('one', 'two')))
        assert [response.text for response in responses] == expected


@on('padded', 'mlx')
async def test_one_request_to_a_broken_engine_can_be_retried(
    make: Callable[..., Any], watch: Callable[..., None]
) -> None:
    model = make()
    await model.load()
    is_broken = True

    def fail(_: list[int]) -> None:
        if is_broken:
            raise RuntimeError('the device is lost')

    watch(model, fail)
    with pytest.raises(ModelAPIError, match=r'The engine of .* broke') as caught:
        await model.request(ask())
    assert caught.value.retryable
    is_broken = False
    assert (await model.request(ask(), {'max_tokens': 4})).usage.output_tokens == 4


@on('padded', 'paged', 'mlx', 'llamacpp')
async def test_a_batch_without_memory_is_halved_and_tried_again(
    make: Callable[..., Any], watch: Callable[..., None]
) -> None:
    model = make()
    expected, _ = await ask_all(model)
    failures: list[int] = []

    def limit_rows(tokens: list[int]) -> None:
        if len(tokens) == len(SETTINGS):  # one new token of each response
            failures.append(len(tokens))
            raise torch.OutOfMemoryError('CUDA out of memory')

    watch(model, limit_rows)
    texts, _ = await ask_all(model)
    assert texts == expected
    assert failures


async def test_a_prompt_without_memory_fails_alone(make: Callable[..., Any], watch: Callable[..., None]) -> None:
    model = make()
    await model.load()

    def fail(tokens: list[int]) -> None:
        if len(tokens) > 200:
            raise torch.OutOfMemoryError('CUDA out of memory')

    watch(model, fail)
    short, long = await asyncio.gather(
        model.request(ask(), {'max_tokens': 5}), model.request(ask('word ' * 200)), return_exceptions=True
    )
    assert short.usage.output_tokens == 5
    assert isinstance(long, ModelAPIError)
    assert 'not enough memory' in f'{long}'
    assert not long.retryable


@on('padded', 'paged', 'mlx')
@pytest.mark.parametrize('temperature', [0.0, 1.0])
async def test_nan_in_the_logits_is_an_error(make: Callable[..., Any], temperature: float) -> None:
    model = make()
    await model.load()
    engine: Any = model.engine
    norm = engine._model.model.norm
    weight = norm.weight
    norm.weight = break_weight(weight)
    settings: Any = {'max_tokens': 5, 'temperature': temperature}
    errors = await asyncio.gather(*(model.request(ask(), settings) for _ in range(2)), return_exceptions=True)
    assert [(type(error), getattr(error, 'retryable', None)) for error in errors] == [(ModelAPIError, False)] * 2
    norm.weight = weight
    assert (await model.request(ask(), settings)).usage.output_tokens == 5


async def test_an_error_that_is_kept_does_not_keep_the_memory_of_its_step(
    make: Callable[..., Any], watch: Callable[..., None]
) -> None:
    model = make(batching='padded')
    await model.load()
    watch(model, fail_on_bad_token)
    forced = {'logit_bias': {f'{BAD_TOKEN}': 1000.0}}
    errors = await asyncio.gather(*(model.request(ask(), forced) for _ in range(3)), return_exceptions=True)
    gc.collect()
    assert not [one for one in gc.get_objects() if isinstance(one, transformers.DynamicCache)]
    assert {type(error) for error in errors} == {ModelAPIError}


async def test_a_failed_step_is_logged_with_its_traceback(
    make: Callable[..., Any], watch: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    model = make()
    await model.load()
    watch(model, fail_on_bad_token)
    with pytest.raises(ModelAPIError):
        await model.request(ask(), {'logit_bias': {f'{BAD_TOKEN}': 1000.0}})
    assert 'in fail_on_bad_token' in caplog.text
    assert all(record.exc_info is None for record in caplog.records)
