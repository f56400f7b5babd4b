"""What only vLLM does, for real, on a CPU and with tiny models: its streams, caches, log probabilities and aborts."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pydantic_llm.constraints import Choice, Grammar, JsonSchema, Regex
from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import PartDeltaEvent, PartStartEvent
from tests.local import tiny
from tests.local.engines import ENGINES, MARKS, ask, skip_if_missing
from tests.local.storm import until
from tests.replay import replay

VLLM = ENGINES['vllm']
skip_if_missing(VLLM)
pytestmark = [*MARKS['vllm']]

PROMPTS = [f'Say {"something " * (number % 7)}about the number {number}.' for number in range(16)]


@pytest.fixture
def model(keep_vllm_running: Callable[[Path], None], random_path: Path) -> Iterator[Any]:
    """The random model. Its engine is shared by all tests of this module, each with an event loop of its own."""
    keep_vllm_running(random_path)
    model = VLLM.make(random_path, max_new_tokens=24)
    yield model
    model.cleanup()


@pytest.fixture
def trained_model(keep_vllm_running: Callable[[Path], None], trained_path: Path) -> Iterator[Any]:
    keep_vllm_running(trained_path)
    model = VLLM.make(trained_path)
    yield model
    model.cleanup()


async def test_streams_that_begin_one_after_another_share_the_batch(model: Any, random_path: Path) -> None:
    dice = random.Random(2)
    most = 0

    async def one(prompt: str) -> str:
        nonlocal most
        await asyncio.sleep(dice.random() * 0.1)
        async with model.request_stream(ask(prompt)) as stream:
            events: list[Any] = []
            async for event in stream:
                events.append(event)
                most = max(most, model.engine.counts.active)
            kept = [event for event in events if isinstance(event, PartStartEvent | PartDeltaEvent)]
            assert len(kept) > 3
            assert replay(event for event in events if hasattr(event, 'index')) == stream.get().parts
            return stream.get().text or ''

    assert await asyncio.gather(*map(one, PROMPTS)) == VLLM.expected(random_path, PROMPTS, 24)
    assert most > 1


async def test_a_response_reports_why_it_ended_and_its_usage(trained_model: Any) -> None:
    whole = await trained_model.request(ask('Say hi.'))
    assert (whole.text, whole.finish_reason) == (tiny.RESPONSES['Say hi.'], 'stop')
    assert whole.provider_details == {'finish_reason': 'eos'}
    assert (await trained_model.count_tokens(ask('Say hi.'))).input_tokens == whole.usage.input_tokens
    truncated = await trained_model.request(ask('Say hi.'), {'max_tokens': 3})
    assert (truncated.finish_reason, truncated.usage.output_tokens) == ('length', 3)
    stopped = await trained_model.request(ask('Say hi.'), {'stop_sequences': ['help']})
    assert (stopped.text, stopped.finish_reason) == ('Hello! How can I ', 'stop')
    assert stopped.provider_details == {'finish_reason': 'stop_sequence', 'stop_sequence': 'help'}


async def test_a_stop_token_ends_the_response_and_is_not_part_of_it(trained_model: Any) -> None:
    tokenizer = (await trained_model.load()).tokenizer
    tokens = tokenizer.encode(tiny.RESPONSES['Say hi.'])
    stopped = await trained_model.request(ask('Say hi.'), {'vllm_stop_token_ids': [tokens[2]]})
    assert stopped.text == tokenizer.decode(tokens[:2])
    assert (stopped.finish_reason, stopped.usage.output_tokens) == ('stop', 3)
    assert stopped.provider_details == {'finish_reason': 'stop_sequence', 'stop_token_id': tokens[2]}


async def test_a_prompt_that_was_read_before_counts_as_cached(model: Any) -> None:
    prompt = 'a prompt that is read twice ' * 20
    first = await model.request(ask(prompt), {'max_tokens': 2})
    again = await model.request(ask(prompt), {'max_tokens': 2})
    assert (first.usage.input_tokens, first.usage.cache_read_tokens) == (again.usage.input_tokens, 0)
    assert 0.8 * again.usage.input_tokens < again.usage.cache_read_tokens < again.usage.input_tokens


async def test_log_probabilities_have_the_shape_of_openai(trained_model: Any) -> None:
    response = await trained_model.request(ask('Say hi.'), {'logprobs': True, 'top_logprobs': 2})
    logprobs = (response.provider_details or {})['logprobs']
    assert ''.join(token['token'] for token in logprobs) == response.text
    assert all(len(token['top_logprobs']) == 2 for token in logprobs)
    assert all(token['top_logprobs'][0]['token'] == token['token'] for token in logprobs)
    assert all(-1 < token['logprob'] <= 0 and bytes(token['bytes']).decode() == token['token'] for token in logprobs)


async def test_a_recursive_grammar_holds(model: Any) -> None:
    grammar = Grammar('start: "(" start ")" | "x"')
    settings: Any = {'constraint': grammar, 'temperature': 1.0, 'seed': 1, 'max_tokens': 200}
    response = await model.request(ask('Go on.'), settings)
    assert response.finish_reason == 'stop'
    assert response.text.count('(') == response.text.count(')')


@pytest.mark.parametrize(
    'settings',
    [
        {'constraint': Regex('a(b')},
        {'constraint': Grammar('start: nowhere')},
        {'constraint': JsonSchema({'type': 'object', 'minProperties': 'two'})},
        {'temperature': 7.0},
        {'presence_penalty': 5.0},
        {'vllm_sampling_params': {'no_such_field': 1}},
        {'vllm_allowed_token_ids': [10**6]},
    ],
    ids=str,
)
async def test_a_request_that_vllm_rejects_is_a_user_error(model: Any, settings: Any) -> None:
    with pytest.raises(UserError, match='vLLM cannot do this request'):
        await model.request(ask(), settings)
    assert model.engine.counts.active == 0


def unfinished(model: Any) -> int:
    """Return how many requests vLLM itself still has."""
    count: int = model.engine._core.llm.output_processor.get_num_unfinished_requests()
    return count


LONG: Any = {'max_tokens': 900, 'vllm_min_tokens': 900}
"""Settings of a response that takes longer than any test waits."""


async def test_leaving_or_cancelling_aborts_the_request(model: Any) -> None:
    async with model.request_stream(ask(), LONG) as stream:
        async for _ in stream:
            break
        assert unfinished(model) == 1
    await until(lambda: not unfinished(model), 1)
    waiting = asyncio.create_task(model.request(ask(), LONG))
    await until(lambda: unfinished(model) == 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await until(lambda: not unfinished(model) and not model.engine.counts.active, 1)


async def test_many_requests_with_random_cancels_leave_none_behind(model: Any) -> None:
    dice = random.Random(5)

    async def one(number: int) -> str:
        settings: Any = {'max_tokens': dice.randint(1, 40), 'temperature': 1.0, 'seed': number}
        if number % 5 == 0:
            settings['constraint'] = Choice(('yes', 'no'))
        request = asyncio.create_task(model.request(ask(f'Number {number}.'), settings))
        if number % 3 == 0:
            await asyncio.sleep(dice.random() * 0.5)
            request.cancel()
        try:
            return (await request).finish_reason or ''
        except asyncio.CancelledError:
            return 'cancelled'

    reasons = await asyncio.wait_for(asyncio.gather(*map(one, range(64))), 60)
    assert {*reasons} <= {'stop', 'length', 'cancelled'}
    assert len([reason for reason in reasons if reason != 'cancelled']) >= 42
    await until(lambda: not unfinished(model) and not model.engine.counts.active, 1)


async def test_the_event_loop_is_not_blocked(model: Any) -> None:
    await model.load()
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(model.request(ask(prompt), {'temperature': 1.0}) for prompt in PROMPTS * 2))
    watching.cancel()
    assert longest < 0.25


def test_one_engine_serves_all_loops_and_threads(model: Any, random_path: Path) -> None:
    [expected] = VLLM.expected(random_path, PROMPTS[:1], 24)
    texts = [asyncio.run(model.request(ask(PROMPTS[0]))).text for _ in range(2)]
    texts_of_threads: list[str | None] = []
    threads = [
        threading.Thread(target=lambda: texts_of_threads.append(asyncio.run(model.request(ask(PROMPTS[0]))).text))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [*texts, *texts_of_threads] == [expected] * 6
    same = VLLM.make(random_path, settings={'temperature': 1.0})
    assert same.engine is model.engine
    same.cleanup()
    assert asyncio.run(model.request(ask(PROMPTS[0]))).text == expected
