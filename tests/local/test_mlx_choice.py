"""How MLX's engine chooses tokens: settings of each request, seeds, and constraints that always hold."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import jsonschema
import pytest
import torch
import transformers

from pydantic_llm.constraints import Choice, Grammar, JsonSchema, Regex
from pydantic_llm.exceptions import ModelAPIError, UserError
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition
from pydantic_llm.models.local import Job, Prompt, Sampling
from pydantic_llm.models.local.token_decoder import TokenDecoder
from pydantic_llm.models.mlx.choose import Samplers, draw
from pydantic_llm.models.mlx.rows import Row
from pydantic_llm.tools.definition import ToolDefinition
from tests.local.mlx_library import ask
from tests.local.test_transformers_choice import CONSTRAINTS, PERSON

mx = pytest.importorskip('mlx.core')

LOGITS = [2.0, 1.0, 0.5, 0.0, -1.0, -3.0]


def drawn(sampling: Sampling, count: int = 4000) -> dict[int, float]:
    """How often each token is drawn."""
    likely = mx.repeat(mx.array([LOGITS]), count, axis=0)
    found = Counter(draw(sampling, Random(5), likely).tolist())
    return {token: found[token] / count for token in sorted(found)}


def of_transformers(*processors: Any) -> dict[int, float]:
    """How likely each token is by Transformers' processors: both engines mean the same by their settings."""
    scores = torch.tensor([LOGITS])
    for processor in processors:
        scores = processor(torch.tensor([[1, 2]]), scores)
    return {token: p for token, p in enumerate(scores.softmax(-1)[0].tolist()) if p > 0}


@pytest.mark.parametrize(
    ('sampling', 'processors'),
    [
        ({}, []),
        ({'temperature': 0.5}, [transformers.TemperatureLogitsWarper(0.5)]),
        ({'top_k': 3}, [transformers.TopKLogitsWarper(3)]),
        ({'top_p': 0.8}, [transformers.TopPLogitsWarper(0.8)]),
        ({'min_p': 0.2}, [transformers.MinPLogitsWarper(0.2)]),
        ({'top_k': 4, 'top_p': 0.7}, [transformers.TopKLogitsWarper(4), transformers.TopPLogitsWarper(0.7)]),
        ({'top_k': 4, 'min_p': 0.3}, [transformers.TopKLogitsWarper(4), transformers.MinPLogitsWarper(0.3)]),
        ({'top_p': 0.9, 'min_p': 0.3}, [transformers.TopPLogitsWarper(0.9), transformers.MinPLogitsWarper(0.3)]),
    ],
)
def test_tokens_are_drawn_as_transformers_draws_them(sampling: dict[str, Any], processors: list[Any]) -> None:
    ours = drawn(Sampling(**{'temperature': 1.0, **sampling}))
    theirs = of_transformers(*processors)
    assert ours.keys() == {token for token, share in theirs.items() if share > 0.001 or token in ours}
    assert ours == pytest.approx({token: theirs[token] for token in ours}, abs=0.03)


def test_answers_with_the_same_settings_share_a_chooser_and_seeds_do_not() -> None:
    samplers = Samplers()
    warm = Sampling(temperature=0.7, top_p=0.9)
    assert samplers.get(Sampling()) is None
    assert samplers.get(warm) is samplers.get(Sampling(temperature=0.7, top_p=0.9, presence_penalty=1.0))
    assert samplers.get(warm) is not samplers.get(Sampling(temperature=0.8, top_p=0.9))
    seeded = Sampling(temperature=0.7, seed=1)
    assert samplers.get(seeded) is not samplers.get(seeded)


def test_only_so_many_samplers_are_kept() -> None:
    samplers = Samplers()
    for number in range(500):
        samplers.get(Sampling(temperature=1 + number))
    assert len(samplers._shared) <= 64


# ---------------------------------------------------------------------- one answer


def adjusted(sampling: Sampling, prompt: Sequence[int] = (1, 2), written: Sequence[int] = ()) -> list[float]:
    """The logits of the token after those that were written."""
    row = Row(Job(Prompt(prompt), sampling=sampling, max_tokens=100, decoder=TokenDecoder(lambda tokens: '')))
    tokens, logits = [*prompt], mx.array([LOGITS])
    changed = row.adjust_logits(mx.array(tokens), logits)
    for token in written:
        tokens.append(token)
        changed = row.adjust_logits(mx.array(tokens), logits)
    assert logits.tolist() == [LOGITS]
    found: list[float] = changed[0].tolist()
    return found


async def test_penalties_change_logits_as_they_say() -> None:
    assert adjusted(Sampling(presence_penalty=1.5)) == LOGITS
    assert adjusted(Sampling(presence_penalty=1.5), written=[0, 0, 3]) == [0.5, 1.0, 0.5, -1.5, -1.0, -3.0]
    assert adjusted(Sampling(frequency_penalty=0.5), written=[0, 0, 3]) == [1.0, 1.0, 0.5, -0.5, -1.0, -3.0]
    assert adjusted(Sampling(repetition_penalty=2.0), [1, 5], [0]) == [1.0, 0.5, 0.5, 0.0, -1.0, -6.0]
    assert adjusted(Sampling(logit_bias={4: 9.0, 0: -1.0})) == [1.0, 1.0, 0.5, 0.0, 8.0, -3.0]
    assert adjusted(Sampling(logit_bias={4: 9.0}), written=[4, 4]) == [2.0, 1.0, 0.5, 0.0, 8.0, -3.0]


class Broken:
    """A constraint that breaks."""

    def compute_mask(self) -> Any:
        raise RuntimeError('out of fuel')


async def test_a_constraint_that_breaks_fails_its_answer_alone() -> None:
    writer = TokenDecoder(lambda tokens: '')
    job = Job(Prompt([1]), sampling=Sampling(), max_tokens=9, decoder=writer, matcher=Broken())
    assert Row(job).adjust_logits(mx.array([1]), mx.array([LOGITS])).tolist() == [LOGITS]
    assert isinstance(job.error, ModelAPIError)
    assert 'out of fuel' in f'{job.error}'


async def test_a_seed_gives_the_same_answer_whatever_else_is_written(make_mlx: Callable[..., Any]) -> None:
    model = make_mlx(max_new_tokens=16)
    settings = {'temperature': 1.0, 'seed': 11}
    alone = (await model.request(ask('hi'), settings)).text
    others = [model.request(ask(f'hi {n}'), {'temperature': 1.5}) for n in range(6)]
    together, *_ = await asyncio.gather(model.request(ask('hi'), settings), *others)
    assert together.text == alone
    assert (await model.request(ask('hi'), {**settings, 'seed': 12})).text != alone


async def test_answers_without_a_seed_differ(make_mlx: Callable[..., Any]) -> None:
    model = make_mlx(max_new_tokens=16)
    answers = await asyncio.gather(*(model.request(ask('hi'), {'temperature': 1.0}) for _ in range(6)))
    assert len({answer.text for answer in answers}) == 6


async def test_settings_at_their_limits_do_not_break_the_engine(make_mlx: Callable[..., Any]) -> None:
    model = make_mlx(max_new_tokens=4)
    limits: list[Any] = [
        {'temperature': 1.0, 'top_k': 10**9},
        {'temperature': 1e-9, 'seed': 1},
        {'temperature': 1e-300},
        {'temperature': 1e9},
        {'top_p': 1e-9},
        {'mlx_min_p': 1.0},
        {'mlx_min_p': 1.0, 'top_p': 0.5},
        {'temperature': 1.0, 'top_k': 1, 'top_p': 1.0},
        {'temperature': 1.0, 'seed': -5},
        {'temperature': 1.0, 'seed': 2**70},
        {'logit_bias': {'3': -100, '4': 100}},
        {'presence_penalty': 2.0, 'frequency_penalty': -2.0},
        {'mlx_repetition_penalty': 1.3},
    ]
    answers = await asyncio.gather(*(model.request(ask('hi'), settings) for settings in limits))
    assert all(answer.usage.output_tokens >= 1 for answer in answers)
    likeliest = (await model.request(ask('hi'))).text
    assert [answers[at].text for at in (1, 2, 4, 5, 6, 7)] == [likeliest] * 6


async def test_settings_of_a_request_win_over_those_of_the_model(make_mlx: Callable[..., Any]) -> None:
    model = make_mlx(settings={'max_tokens': 3, 'temperature': 0.0})
    assert (await model.request(ask('hi'))).usage.output_tokens == 3
    assert (await model.request(ask('hi'), {'max_tokens': 5})).usage.output_tokens == 5


# ---------------------------------------------------------------------- constraints


async def test_a_random_model_writes_what_its_constraint_allows(make_mlx: Callable[..., Any]) -> None:
    model = make_mlx(max_new_tokens=200)

    async def one(name: str, number: int) -> bool:
        constraint, holds = CONSTRAINTS[name]
        settings = {'constraint': constraint, 'temperature': 1.0 if number % 2 else 0.0, 'seed': number}
        response = await model.request(ask(f'write {number}'), settings)
        assert response.finish_reason == 'stop', response
        assert holds(response.text), response.text
        return True

    free = model.request(ask('anything'), {'max_tokens': 30})
    held = [one(name, number) for name in CONSTRAINTS for number in range(4)]
    assert all(await asyncio.gather(free, *held))


async def test_a_constraint_is_compiled_once(make_mlx: Callable[..., Any]) -> None:
    model = make_mlx()
    loaded = await model.load()
    for _ in range(3):
        await model.request(ask('hi'), {'constraint': Choice(('a', 'b'))})
    assert loaded.grammars.compilations == 1


@pytest.mark.parametrize(
    'constraint',
    [
        Regex('a(b'),
        Choice(()),
        Grammar('start: ['),
        JsonSchema({'type': 'string', 'pattern': '(?=a)'}),
        JsonSchema({'not': {}}),
    ],
    ids=lambda constraint: constraint.kind,
)
async def test_a_constraint_that_cannot_be_held_is_a_user_error(make_mlx: Callable[..., Any], constraint: Any) -> None:
    with pytest.raises(UserError):
        await make_mlx().request(ask('hi'), {'constraint': constraint})


async def test_native_output_is_valid_whoever_writes_it(make_mlx: Callable[..., Any]) -> None:
    parameters = ModelRequestParameters(output_mode='native', output_object=OutputObjectDefinition(PERSON))
    response = await make_mlx(max_new_tokens=200).request(ask('hi'), {'temperature': 1.0, 'seed': 3}, parameters)
    jsonschema.validate(json.loads(response.text), PERSON)


async def test_a_call_that_must_be_made_has_valid_arguments_whoever_makes_it(make_mlx: Callable[..., Any]) -> None:
    tools = [ToolDefinition('person', PERSON), ToolDefinition('home', PERSON['$defs']['Home'])]
    parameters = ModelRequestParameters(tools)
    model = make_mlx(max_new_tokens=200)
    settings = {'temperature': 1.0, 'tool_choice': 'required'}
    answers = await asyncio.gather(*(model.request(ask('hi'), {**settings, 'seed': n}, parameters) for n in range(8)))
    for answer in answers:
        [call] = answer.tool_calls
        schema = next(tool.parameters_json_schema for tool in tools if tool.name == call.tool_name)
        jsonschema.validate(call.args_as_dict(), schema)
        assert answer.finish_reason == 'tool_call'
    [named] = (await model.request(ask('hi'), {'tool_choice': ['home']}, parameters)).tool_calls
    assert named.tool_name == 'home'
